#pragma once
#include <vector>

#include "didact/data/batch.hpp"

namespace didact {

/// Micro-batches of one task that form one objective of a step: their loss is one mean, however they are cut. Groups
/// that a forgetting policy adds are rehearsed.
struct StepGroup {
    std::size_t task = 0;
    bool rehearsed = false;
    double weight = 1; ///< of the group's mean loss in the step's loss
    std::vector<Batch> micro_batches = {};
    std::size_t used = 0; ///< micro-batches filled; the rest wait to be used again
    double units = 0;     ///< what the sum of losses is divided by
    double loss = 0;      ///< the mean, once it is known

    Batch& add_micro_batch() {
        if (used == micro_batches.size()) micro_batches.emplace_back();
        Batch& batch = micro_batches[used++];
        batch.clear();
        batch.task = task;
        return batch;
    }
    std::size_t samples() const {
        std::size_t count = 0;
        for (std::size_t i = 0; i < used; ++i) count += micro_batches[i].size();
        return count;
    }
};

/// All that one optimizer step trains on: the loss is Σ weight · mean loss over its groups. Filled anew for each step,
/// in memory that stays.
class StepBatches {
  public:
    void clear() { used_ = 0; }

    StepGroup& add_group(std::size_t task, bool rehearsed = false, double weight = 1) {
        if (used_ == groups_.size()) groups_.emplace_back();
        StepGroup& group = groups_[used_++];
        group.task = task;
        group.rehearsed = rehearsed;
        group.weight = weight;
        group.used = 0;
        return group;
    }

    std::span<StepGroup> groups() { return {groups_.data(), used_}; }
    std::span<const StepGroup> groups() const { return {groups_.data(), used_}; }

    std::size_t tokens() const {
        std::size_t count = 0;
        for (const StepGroup& group : groups())
            for (std::size_t i = 0; i < group.used; ++i) count += group.micro_batches[i].tokens();
        return count;
    }

  private:
    std::vector<StepGroup> groups_;
    std::size_t used_ = 0;
};

}
