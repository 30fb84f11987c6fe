#pragma once
#include <cmath>

#include "didact/policy/freeze/prefix.hpp"
#include "didact/policy/policy.hpp"

namespace didact::freeze {

/// Layer-wise learning rates: stage s of a trunk with stages 0 … L learns at rate η · decayᴸ⁺¹⁻ˢ, the heads at η.
/// ULMFiT's discriminative fine-tuning (arXiv 1801.06146, section 3.1) is decay = 1 / 2.6; BERT-type models use 0.65 to
/// 0.95.
struct Discriminative {
    static constexpr Family family = Family::freeze;
    double decay = 0.9;

    template <class Model>
    struct State {
        State(const Discriminative& policy, Model&) : decay(policy.decay) {
            require(decay > 0 && decay <= 1, "freeze::Discriminative: decay is ", decay, ", it must be in (0, 1]");
        }
        void plan(Model& model, const Moment&) {
            auto& store = model.parameters();
            const std::size_t last = model.trunk().stages();
            for (ParameterId id = 0; id < store.count(); ++id) {
                const std::size_t below =
                    store[id].shared ? last - std::min(last, model.trunk().stage_of(store[id].name)) : 0;
                store.set_trainable(id, true, float(std::pow(decay, double(below))));
            }
        }
        void serialize(auto& archive) { archive("decay", decay); }
        double decay;
    };
    static std::string name() { return "discriminative"; }
    static void fields(auto& policy, const auto& visit) { visit("decay", policy.decay); }
    friend bool operator==(const Discriminative&, const Discriminative&) = default;
};

}
