#pragma once
#include <cstring>
#include <unordered_map>
#include <vector>

#include "didact/data/batch.hpp"
#include "didact/model/transformer.hpp"

namespace didact {

/// The hidden states that a frozen prefix gives for each sample, so that it runs once a sample and not once an epoch.
/// Samples beyond the capacity are computed each time.
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

    /// Fills `out` (tokens, hidden) with the batch's states; false where one of its samples is not there.
    bool load(const Batch& batch, View<S> out) const {
        for (const SampleId& sample : batch.samples)
            if (!places_.contains(sample)) return false;
        for (std::size_t s = 0; s < batch.size(); ++s) {
            const std::vector<S>& block = blocks_[places_.at(batch.samples[s])];
            std::memcpy(out.row(std::size_t(batch.cu_seqlens[s])), block.data(), block.size() * sizeof(S));
        }
        return true;
    }

    void store(const Batch& batch, View<const S> states) {
        for (std::size_t s = 0; s < batch.size(); ++s) {
            const std::size_t begin = std::size_t(batch.cu_seqlens[s]), end = std::size_t(batch.cu_seqlens[s + 1]);
            const std::size_t size = (end - begin) * states.cols;
            if (bytes_ + size * sizeof(S) > capacity || places_.contains(batch.samples[s])) continue;
            places_.emplace(batch.samples[s], blocks_.size());
            blocks_.emplace_back(states.row(begin), states.row(begin) + size);
            bytes_ += size * sizeof(S);
        }
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
