#pragma once
#include "didact/policy/forgetting/reservoir.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/engine.hpp"

namespace didact::forgetting {

/// Experience replay (Chaudhry et al. 2019, arXiv 1902.10486; reservoir: Riemer et al. 2019, arXiv 1810.11910). When an
/// experience ends its samples are offered, once each, to a reservoir of `capacity`; every later step adds `batch_size`
/// samples drawn from it. The step's loss is the mean over current and rehearsed samples alike:
/// (n_c L_c + n_r L_r) / (n_c + n_r), where K tasks share a step K times that for L_r, as L_c is the sum of theirs.
struct Replay {
    static constexpr Family family = Family::forgetting;
    std::size_t capacity = 500;
    std::size_t batch_size = 32;

    template <class Model>
    class State;
    static std::string name() { return "replay"; }
    static void fields(auto& policy, const auto& visit) {
        visit("capacity", policy.capacity);
        visit("batch_size", policy.batch_size);
    }
    friend bool operator==(const Replay&, const Replay&) = default;
};

template <class Model>
class Replay::State {
  public:
    State(const Replay& policy, const Model&) : policy_(policy), reservoir_(policy.capacity) {
        require(policy.capacity > 0, "forgetting::Replay: capacity is 0");
        require(policy.batch_size > 0, "forgetting::Replay: batch_size is 0");
    }

    void rehearse(StepBatches& step, const Moment& moment) {
        const std::size_t rehearsed = std::min(policy_.batch_size, reservoir_.size());
        if (rehearsed == 0) return;
        std::size_t current = 0;
        double weight = 0;
        for (const StepGroup& group : step.groups()) {
            current += group.samples();
            weight += group.weight;
        }
        const double total = double(current + rehearsed);
        for (StepGroup& group : step.groups()) group.weight *= double(current) / total;
        reservoir_.draw_into(step, rehearsed, weight * double(rehearsed) / total, moment.key(RandomPurpose::rehearsal));
    }

    void experience_ended(Engine<Model>&, const Experience& experience, const Moment& moment) {
        reservoir_.offer_all(moment.seed, experience);
    }

    void serialize(Archive& archive) { archive("reservoir", reservoir_); }
    const Reservoir& reservoir() const { return reservoir_; }

  private:
    Replay policy_;
    Reservoir reservoir_;
};

}
