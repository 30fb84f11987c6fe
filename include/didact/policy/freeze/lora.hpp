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
            std::vector<bool> found(targets.size());
            std::string last;
            // All is checked before the first adapter is added.
            for (const bool attach : {false, true}) {
                model.trunk().for_each_linear(model.parameters(), [&](const std::string& name, auto& linear) {
                    last = name;
                    bool wanted = false;
                    for (std::size_t i = 0; i < targets.size(); ++i)
                        if (name == targets[i] || name.ends_with("." + targets[i])) wanted = found[i] = true;
                    if (!wanted) return;
                    auto& adapter = linear.adapter;
                    if (adapter.active())
                        check_same(policy, name, adapter, model.parameters()[adapter.a].rows);
                    else if (attach)
                        adapter.attach(model.parameters(), name, linear.in, linear.out, policy.rank, policy.alpha,
                                       policy.dropout);
                });
                for (std::size_t i = 0; i < targets.size(); ++i)
                    require(found[i] || (policy.targets.empty() && std::ranges::count(found, true) > 0),
                            "freeze::Lora: no layer's name ends with '", targets[i], "'; one is called '", last, "'");
            }
        }
        static void check_same(const Lora& policy, const std::string& name, const auto& adapter, std::size_t rank) {
            using S = typename Model::S;
            require(rank == policy.rank && adapter.factor == S(policy.alpha / double(rank)) &&
                        adapter.dropout.p == policy.dropout,
                    "freeze::Lora: '", name, "' has an adapter already, of rank ", rank, ", alpha ",
                    double(adapter.factor) * double(rank), " and dropout ", adapter.dropout.p,
                    "; a second policy trains it on with the same");
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
