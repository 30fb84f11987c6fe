#pragma once
#include <optional>

#include "didact/policy/freeze/prefix.hpp"
#include "didact/policy/policy.hpp"

namespace didact::freeze {

/// Gradual unfreezing (Howard and Ruder 2018, ULMFiT, arXiv 1801.06146, section 3.3): in epoch e (from 0) of each
/// experience the heads, a norm after the last block and the last e · layers_per_epoch stages train, the embeddings
/// being the first stage and the last to thaw. Dropout is off in what is frozen.
struct GradualUnfreeze {
    static constexpr Family family = Family::freeze;
    std::size_t layers_per_epoch = 1;

    template <class Model>
    struct State {
        State(const GradualUnfreeze& policy, Model&) : layers_per_epoch(policy.layers_per_epoch) {
            require(layers_per_epoch > 0, "freeze::GradualUnfreeze: layers_per_epoch is 0, so nothing would ever thaw");
        }
        void plan(Model& model, const Moment& moment) {
            const std::size_t stages = model.trunk().stages();
            const std::size_t frozen = stages - std::min(stages, moment.epoch * layers_per_epoch);
            train_stages(model, [&](std::size_t stage) { return stage >= frozen; });
        }
        bool epoch_done(Model& model, const Moment& moment, std::optional<double>) {
            return (moment.epoch - 1) * layers_per_epoch < model.trunk().stages();
        }
        void serialize(auto& archive) { archive("layers_per_epoch", layers_per_epoch); }
        std::size_t layers_per_epoch;
    };
    static std::string name() { return "gradual-unfreeze"; }
    static void fields(auto& policy, const auto& visit) { visit("layers_per_epoch", policy.layers_per_epoch); }
    friend bool operator==(const GradualUnfreeze&, const GradualUnfreeze&) = default;
};

}
