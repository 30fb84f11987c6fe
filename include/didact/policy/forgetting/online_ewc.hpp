#pragma once
#include "didact/policy/forgetting/fisher.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"

namespace didact::forgetting {

/// Online elastic weight consolidation (Kirkpatrick et al. 2017, arXiv 1612.00796; Schwarz et al. 2018, arXiv
/// 1805.06370, eq. 8). Adds strength/2 · Σᵢ decay · Fᵢ (wᵢ − aᵢ)² to the loss: after each experience F ← decay · F +
/// the experience's exact Fisher diagonal (policy/forgetting/fisher.hpp) and a ← w. Heads count only where a single
/// head serves all experiences. The explicit step needs learning_rate · strength · max F below 2.
struct OnlineEwc {
    static constexpr Family family = Family::forgetting;
    double strength = 1e3;          ///< λ, with the factor ½ above; the useful range spans many decades
    double decay = 1;               ///< γ in [0, 1]
    std::size_t fisher_samples = 0; ///< 0 takes all of the experience

    template <class Model>
    class State;
    static std::string name() { return "online-ewc"; }
    static void fields(auto& policy, const auto& visit) {
        visit("strength", policy.strength);
        visit("decay", policy.decay);
        visit("fisher_samples", policy.fisher_samples);
    }
    friend bool operator==(const OnlineEwc&, const OnlineEwc&) = default;
};

template <class Model>
class OnlineEwc::State {
    static_assert(Model::keeps_logits,
                  "didact: forgetting::OnlineEwc takes Fisher information over logits, and no head of this Model keeps "
                  "them: language-model heads compute theirs block by block");

  public:
    using S = typename Model::S;

    State(const OnlineEwc& policy, const Model&) : policy_(policy), factor_(S(policy.strength * policy.decay)) {
        require(policy.strength >= 0, "forgetting::OnlineEwc: strength is ", policy.strength,
                ", it must not be negative");
        require(policy.decay >= 0 && policy.decay <= 1, "forgetting::OnlineEwc: decay is ", policy.decay,
                ", it must be in [0, 1]");
    }

    S penalty(std::size_t i, S w) const { return factor_ * fisher_[i] * (w - anchor_[i]); }

    void experience_ended(Engine<Model>& engine, const Experience& experience, const Moment& moment) {
        const auto& store = std::as_const(engine.parameters());
        for (S& f : fisher_) f *= S(policy_.decay);
        AlignedVector<S> fresh(fisher_.size(), S(0));
        for (const TaskData& data : experience.tasks)
            add_fisher(engine, data.train, data.task, policy_.fisher_samples, moment, fresh);
        const bool heads = engine.model().tasks() == 1;
        for (const TrainableLayout::Slice& slice : store.layout().slices) {
            if (!store[slice.id].shared && !heads) continue;
            for (std::size_t i = 0; i < slice.size; ++i) {
                fisher_[slice.offset + i] += fresh[slice.offset + i];
                anchor_[slice.offset + i] = store.values()[store[slice.id].offset + i];
            }
        }
    }

    void layout_changed(const TrainableLayout& before, const TrainableLayout& after) {
        fisher_ = after.carry_over(before, fisher_);
        anchor_ = after.carry_over(before, anchor_);
    }

    void serialize(Archive& archive) {
        archive("fisher", fisher_);
        archive("anchor", anchor_);
    }

    const AlignedVector<S>& fisher() const { return fisher_; }
    const AlignedVector<S>& anchor() const { return anchor_; }

  private:
    OnlineEwc policy_;
    S factor_;
    AlignedVector<S> fisher_, anchor_;
};

}
