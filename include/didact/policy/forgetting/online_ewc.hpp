#pragma once
#include <algorithm>

#include "didact/policy/forgetting/fisher.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"

namespace didact::forgetting {

/// Online elastic weight consolidation (Kirkpatrick et al. 2017, arXiv 1612.00796; Schwarz et al. 2018, arXiv
/// 1805.06370, eq. 8). Adds strength/2 · Σᵢ decay · Fᵢ (wᵢ − aᵢ)² to the loss: after each experience F ← decay · F +
/// the experience's Fisher diagonal (policy/forgetting/fisher.hpp; exact unless said otherwise) and a ← w. Heads count
/// only where a single head serves all experiences, and parameters only if they train as the experience ends: what
/// GradualUnfreeze has not thawed by then, or thaws in the next, has no part of it. The penalty's slope is added after
/// clipping and is in no reported loss or norm. The explicit step needs learning_rate · strength · max F below 2.
struct OnlineEwc {
    static constexpr Family family = Family::forgetting;
    double strength = 1e3;          ///< λ, with the factor ½ above; the useful range spans many decades
    double decay = 1;               ///< γ in [0, 1]
    std::size_t fisher_samples = 0; ///< 0 takes all of the experience
    bool empirical_fisher = false;  ///< over the labels that samples have, not over the model's predictions

    template <class Model>
    class State;
    static std::string name() { return "online-ewc"; }
    static void fields(auto& policy, const auto& visit) {
        visit("strength", policy.strength);
        visit("decay", policy.decay);
        visit("fisher_samples", policy.fisher_samples);
        visit("empirical_fisher", policy.empirical_fisher);
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
        require_not_negative("forgetting::OnlineEwc", "strength", policy.strength);
        require(policy.decay >= 0 && policy.decay <= 1, "forgetting::OnlineEwc: decay is ", policy.decay,
                ", it must be in [0, 1]");
    }

    S penalty(std::size_t i, S w) const { return factor_ * fisher_[i] * (w - anchor_[i]); }
    bool penalizes() const { return penalizes_; }

    /// What cannot be consolidated at the end is refused now.
    void experience_began(Engine<Model>& engine, const Experience& experience, const Moment&) {
        for (const TaskData& data : experience.tasks) check_fisher(engine.model(), data.task, policy_.empirical_fisher);
    }

    void experience_ended(Engine<Model>& engine, const Experience& experience, const Moment& moment) {
        const auto& store = std::as_const(engine.parameters());
        for (S& f : fisher_) f *= S(policy_.decay);
        for (Parked& parked : parked_)
            for (S& f : parked.fisher) f *= S(policy_.decay);
        AlignedVector<S> fresh(fisher_.size(), S(0));
        for (const TaskData& data : experience.tasks)
            add_fisher(engine, data.train, data.task, policy_.fisher_samples, moment, fresh, policy_.empirical_fisher);
        const bool heads = engine.model().tasks() == 1;
        for (const TrainableLayout::Slice& slice : store.layout().slices) {
            if (!store[slice.id].shared && !heads) continue;
            for (std::size_t i = 0; i < slice.size; ++i) {
                fisher_[slice.offset + i] += fresh[slice.offset + i];
                anchor_[slice.offset + i] = store.values()[store[slice.id].offset + i];
            }
        }
        fisher_changed();
    }

    /// What a parameter that no longer trains is worth waits until it trains again.
    void layout_changed(const TrainableLayout& before, const TrainableLayout& after) {
        for (const TrainableLayout::Slice& slice : before.slices) {
            if (fisher_.empty() || after.has(slice.id)) continue;
            const auto part = [&](const AlignedVector<S>& all) {
                const auto begin = all.begin() + std::ptrdiff_t(slice.offset);
                return AlignedVector<S>(begin, begin + std::ptrdiff_t(slice.size));
            };
            parked_.push_back({slice.id, part(fisher_), part(anchor_)});
        }
        fisher_ = after.carry_over(before, fisher_);
        anchor_ = after.carry_over(before, anchor_);
        for (const TrainableLayout::Slice& slice : after.slices) {
            const auto found = std::find_if(parked_.begin(), parked_.end(),
                                            [&](const Parked& parked) { return parked.id == slice.id; });
            if (found == parked_.end()) continue;
            std::copy(found->fisher.begin(), found->fisher.end(), fisher_.begin() + std::ptrdiff_t(slice.offset));
            std::copy(found->anchor.begin(), found->anchor.end(), anchor_.begin() + std::ptrdiff_t(slice.offset));
            parked_.erase(found);
        }
        fisher_changed();
    }

    void serialize(Archive& archive) {
        archive("fisher", fisher_);
        archive("anchor", anchor_);
        archive("parked", parked_);
        if (archive.reading()) fisher_changed();
    }

    const AlignedVector<S>& fisher() const { return fisher_; }
    const AlignedVector<S>& anchor() const { return anchor_; }

  private:
    struct Parked {
        ParameterId id = no_parameter;
        AlignedVector<S> fisher = {}, anchor = {};
        void serialize(Archive& archive) {
            archive("id", id);
            archive("fisher", fisher);
            archive("anchor", anchor);
        }
    };

    /// Before anything is consolidated all is zero.
    void fisher_changed() {
        penalizes_ = factor_ != S(0) && std::any_of(fisher_.begin(), fisher_.end(), [](S f) { return f != S(0); });
    }

    OnlineEwc policy_;
    S factor_;
    bool penalizes_ = false;
    AlignedVector<S> fisher_, anchor_; ///< of what trains
    std::vector<Parked> parked_;       ///< of what trained before
};

}
