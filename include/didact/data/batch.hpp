#pragma once
#include "didact/core/aligned_memory.hpp"
#include "didact/data/dataset.hpp"

namespace didact {

/// Where a sample of a batch comes from: the digest of its data set and its number there.
struct SampleId {
    std::uint64_t dataset = 0;
    std::uint32_t index = 0;
    friend bool operator==(const SampleId&, const SampleId&) = default;
};

/// Sequences of one task, packed one after another without padding: sequence s covers tokens
/// [cu_seqlens[s], cu_seqlens[s + 1]). For feature vectors each sample is one row and counts as one token.
/// Filling a batch again allocates nothing once it has been as large.
struct Batch {
    std::size_t task = 0; ///< which head
    std::vector<std::int32_t> token_ids, token_type_ids, position_ids;
    std::vector<std::int32_t> cu_seqlens{0};
    AlignedVector<float> features; ///< (size, feature_size)
    std::size_t feature_size = 0;
    std::vector<std::int32_t> labels, label_offsets{0};
    std::vector<float> values;
    std::vector<std::int32_t> value_offsets{0};
    std::vector<float> weights; ///< of each sample in the loss
    std::vector<SampleId> samples;
    bool random_inputs = false; ///< inputs change from epoch to epoch (masked tokens), so nothing of them is cached

    std::size_t size() const { return cu_seqlens.size() - 1; }
    std::size_t tokens() const { return std::size_t(cu_seqlens.back()); }
    bool empty() const { return size() == 0; }

    std::span<const std::int32_t> labels_of(std::size_t s) const {
        return {labels.data() + label_offsets[s], std::size_t(label_offsets[s + 1] - label_offsets[s])};
    }
    std::span<const float> values_of(std::size_t s) const {
        return {values.data() + value_offsets[s], std::size_t(value_offsets[s + 1] - value_offsets[s])};
    }

    void clear() {
        for (auto* list :
             {&token_ids, &token_type_ids, &position_ids, &cu_seqlens, &labels, &label_offsets, &value_offsets})
            list->clear();
        features.clear();
        values.clear();
        weights.clear();
        samples.clear();
        cu_seqlens.push_back(0);
        label_offsets.push_back(0);
        value_offsets.push_back(0);
        random_inputs = false;
    }

    void append(const Dataset& data, std::size_t index, float weight = 1) {
        require(index < data.size(), data.name, ": there is no sample ", index, " among ", data.size());
        append(data.token_ids(index), data.token_type_ids(index), data.features(index), data.labels(index),
               data.values(index), {data.digest(), std::uint32_t(index)}, weight);
    }
    /// Adds sequence `s` of another batch.
    void append(const Batch& other, std::size_t s) {
        const std::size_t begin = std::size_t(other.cu_seqlens[s]), end = std::size_t(other.cu_seqlens[s + 1]);
        const bool rows = !other.features.empty();
        const auto part = [](const auto& list, std::size_t from, std::size_t to) {
            return std::span(list.data() + from, to - from);
        };
        append(rows ? std::span<const std::int32_t>() : part(other.token_ids, begin, end),
               rows ? std::span<const std::int32_t>() : part(other.token_type_ids, begin, end),
               rows ? part(other.features, s * other.feature_size, (s + 1) * other.feature_size)
                    : std::span<const float>(),
               other.labels_of(s), other.values_of(s), other.samples[s], other.weights[s]);
    }
    void append(const Sample& sample, SampleId id, float weight = 1) {
        append(sample.token_ids, sample.token_type_ids, sample.features, sample.labels, sample.values, id, weight);
    }

  private:
    void append(std::span<const std::int32_t> ids, std::span<const std::int32_t> types, std::span<const float> x,
                std::span<const std::int32_t> l, std::span<const float> v, SampleId id, float weight) {
        token_ids.insert(token_ids.end(), ids.begin(), ids.end());
        token_type_ids.insert(token_type_ids.end(), types.begin(), types.end());
        token_type_ids.resize(token_ids.size(), 0);
        for (std::size_t i = 0; i < ids.size(); ++i) position_ids.push_back(std::int32_t(i));
        cu_seqlens.push_back(cu_seqlens.back() + std::int32_t(x.empty() ? ids.size() : 1));
        features.insert(features.end(), x.begin(), x.end());
        feature_size = x.size();
        labels.insert(labels.end(), l.begin(), l.end());
        values.insert(values.end(), v.begin(), v.end());
        label_offsets.push_back(std::int32_t(labels.size()));
        value_offsets.push_back(std::int32_t(values.size()));
        weights.push_back(weight);
        samples.push_back(id);
    }
};

}
