#pragma once
#include <cstring>
#include <unordered_map>
#include <vector>

#include "didact/data/batch.hpp"
#include "didact/model/transformer.hpp"

namespace didact {

/// The hidden states that a frozen prefix gives for each sample, so that it runs once a sample and not once an epoch.
/// Each sample is computed by itself: its bits must not depend on what shared a batch with it, or a run that was
/// stopped and resumed would go on with others. Samples beyond the capacity are computed each time, and those of no
/// data set (SampleId::dataset 0).
template <Backend B>
class PrefixCache {
  public:
    using S = Scalar<B>;

    /// Bytes of hidden states kept at most.
    std::size_t capacity = std::size_t(2) << 30;

    /// Forgets everything unless it was computed for this stage.
    void begin(std::size_t stage) {
        if (stage == stage_) return;
        clear();
        stage_ = stage;
    }
    /// True where the states kept went through a stage that trains when `first_trainable` is the first one.
    bool went_through(std::size_t first_trainable) const { return !blocks_.empty() && stage_ > first_trainable; }

    void clear() {
        places_.clear();
        blocks_.clear();
        bytes_ = 0;
        stage_ = ~std::size_t(0);
    }

    /// Writes the states of the batch's sequence s to `out` (its tokens, hidden); false where they are not there.
    bool load(const Batch& batch, std::size_t s, View<S> out) const {
        const auto found = places_.find(batch.samples[s]);
        if (found == places_.end() || blocks_[found->second].size() != out.size()) return false;
        std::memcpy(out.data, blocks_[found->second].data(), blocks_[found->second].size() * sizeof(S));
        return true;
    }

    void store(const Batch& batch, std::size_t s, View<const S> states) {
        const SampleId sample = batch.samples[s];
        if (sample.dataset == 0 || bytes_ + states.size() * sizeof(S) > capacity) return;
        if (!places_.emplace(sample, blocks_.size()).second) return;
        blocks_.emplace_back(states.data, states.data + states.size());
        bytes_ += states.size() * sizeof(S);
    }

    std::size_t samples() const { return blocks_.size(); }
    std::size_t bytes() const { return bytes_; }

  private:
    struct Hash {
        std::size_t operator()(const SampleId& id) const { return mix_bits(id.dataset ^ mix_bits(id.index)); }
    };
    std::unordered_map<SampleId, std::size_t, Hash> places_;
    std::vector<std::vector<S>> blocks_;
    std::size_t bytes_ = 0;
    std::size_t stage_ = ~std::size_t(0);
};

}
