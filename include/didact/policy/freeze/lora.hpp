#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "didact/model/adapters/lora.hpp"
#include "didact/policy/freeze/prefix.hpp"
#include "didact/policy/policy.hpp"

namespace didact::freeze {

/// Trains low-rank adapters and the heads; everything else is frozen (Hu et al. 2022, arXiv 2106.09685; formula in
/// model/adapters/lora.hpp). `targets` are the ends of layer names, by default PEFT's: query and value of BERT, c_attn
/// of GPT-2. Needs a model built with adapters::Lora.
/// Dropout is off below the first adapter.
struct Lora {
    static constexpr Family family = Family::freeze;
    std::size_t rank = 8;
    double alpha = 16;  ///< the adapter's output is scaled by alpha / rank
    double dropout = 0; ///< of the adapter's input
    std::vector<std::string> targets = {};

    template <class Model>
    struct State {
        static_assert(std::is_same_v<typename Model::Trunk::AdapterType, adapters::Lora>,
                      "didact: freeze::Lora trains adapters and this model has none; build it as Transformer<Arch, "
                      "Backend, adapters::Lora>");

        State(const Lora& policy, Model& model) {
            require(policy.rank > 0, "freeze::Lora: rank is 0");
            require(policy.dropout >= 0 && policy.dropout < 1, "freeze::Lora: dropout ", policy.dropout,
                    " is not in [0, 1)");
            std::vector<std::string> targets = policy.targets;
            if (targets.empty()) targets = {"query", "value", "c_attn"};
            std::size_t found = 0;
            std::string names;
            model.trunk().for_each_linear(model.parameters(), [&](const std::string& name, auto& linear) {
                names = name;
                const bool wanted = std::any_of(targets.begin(), targets.end(), [&](const std::string& target) {
                    return name == target || name.ends_with("." + target);
                });
                if (!wanted) return;
                ++found;
                if (!linear.adapter.active())
                    linear.adapter.attach(model.parameters(), name, linear.in, linear.out, policy.rank, policy.alpha,
                                          policy.dropout);
            });
            require(found > 0, "freeze::Lora: no layer's name ends with one of the targets; one is called '", names,
                    "'");
        }
        void plan(Model& model, const Moment&) {
            auto& store = model.parameters();
            for (ParameterId id = 0; id < store.count(); ++id)
                store.set_trainable(id, !store[id].shared || store[id].name.find(".lora_") != std::string::npos);
        }
    };
    static std::string name() { return "lora"; }
    static void fields(auto& policy, const auto& visit) {
        visit("rank", policy.rank);
        visit("alpha", policy.alpha);
        visit("dropout", policy.dropout);
        visit("targets", policy.targets);
    }
    friend bool operator==(const Lora&, const Lora&) = default;
};

}
