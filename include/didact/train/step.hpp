#pragma once
#include <algorithm>
#include <utility>
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
    std::size_t used = 0;          ///< micro-batches filled; the rest wait to be used again
    double units = 0;              ///< what the sum of losses is divided by
    double loss = 0;               ///< the mean, once it is known
    std::vector<Batch> whole = {}; ///< what `cut` took apart, and memory for the next cut

    Batch& add_micro_batch() {
        if (used == micro_batches.size()) micro_batches.emplace_back();
        Batch& batch = micro_batches[used++];
        batch.clear();
        batch.task = task;
        return batch;
    }
    std::size_t tokens() const {
        std::size_t count = 0;
        for (std::size_t i = 0; i < used; ++i) count += micro_batches[i].tokens();
        return count;
    }
    std::size_t samples() const {
        std::size_t count = 0;
        for (std::size_t i = 0; i < used; ++i) count += micro_batches[i].size();
        return count;
    }

    /// Cuts micro-batches of more than `tokens` tokens into as few near-equal parts as hold no more, but for a sample
    /// that is longer by itself. Activations then need less memory and stay nearer to the core; the loss is one mean
    /// still.
    void cut(std::size_t tokens) {
        bool fits = true;
        for (std::size_t i = 0; i < used; ++i)
            fits &= micro_batches[i].tokens() <= tokens || micro_batches[i].size() < 2;
        if (fits) return;
        std::swap(micro_batches, whole);
        const std::size_t count = std::exchange(used, 0);
        for (std::size_t i = 0; i < count; ++i) {
            const Batch& batch = whole[i];
            const std::size_t parts = std::max<std::size_t>(1, (batch.tokens() + tokens - 1) / tokens);
            Batch* part = nullptr;
            for (std::size_t s = 0; s < batch.size(); ++s) {
                const std::size_t end = std::size_t(batch.cu_seqlens[s + 1]);
                const bool full = part && part->tokens() + end - std::size_t(batch.cu_seqlens[s]) > tokens;
                if (!part || full || part->tokens() >= (batch.tokens() + parts - 1) / parts) {
                    part = &add_micro_batch();
                    part->random_inputs = batch.random_inputs;
                }
                part->append(batch, s);
            }
        }
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
        for (const StepGroup& group : groups()) count += group.tokens();
        return count;
    }

  private:
    std::vector<StepGroup> groups_;
    std::size_t used_ = 0;
};

}
