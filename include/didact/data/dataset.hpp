#pragma once
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "didact/core/aligned_memory.hpp"
#include "didact/core/error.hpp"
#include "didact/core/random.hpp"

namespace didact {

/// Label of a token that has none, as in PyTorch: it takes no part in the loss.
inline constexpr std::int32_t ignored_label = -100;

/// One encoded example. What `labels` and `values` mean is the head's: a class; one 0/1 a class; one label a token;
/// begin and end of a span; one number a regression output.
struct Sample {
    std::vector<std::int32_t> token_ids = {}, token_type_ids = {};
    std::vector<float> features = {}; ///< instead of tokens, for a model of plain feature vectors
    std::vector<std::int32_t> labels = {};
    std::vector<float> values = {};
    float difficulty = 0; ///< given by the data's author, in [0, 1]
};

/// Encoded examples, ragged arrays one after another. A data set is identified by the digest of its contents.
class Dataset {
  public:
    Dataset() = default;
    explicit Dataset(std::string name) : name(std::move(name)) {}

    std::string name;

    std::size_t size() const { return token_offsets_.size() - 1; }
    bool empty() const { return size() == 0; }

    void append(const Sample& sample) {
        require(sample.token_type_ids.empty() || sample.token_type_ids.size() == sample.token_ids.size(), name,
                ": sample ", size(), " has ", sample.token_ids.size(), " token ids and ", sample.token_type_ids.size(),
                " token type ids");
        require(empty() || sample.features.size() == feature_size_, name, ": sample ", size(), " has ",
                sample.features.size(), " features, those before it have ", feature_size_);
        for (const float x : sample.features)
            require(x - x == 0, name, ": sample ", size(), " has a feature that is not a finite number");
        for (const float x : sample.values)
            require(x - x == 0, name, ": sample ", size(), " has a value that is not a finite number");
        feature_size_ = sample.features.size();
        token_ids_.insert(token_ids_.end(), sample.token_ids.begin(), sample.token_ids.end());
        token_type_ids_.insert(token_type_ids_.end(), sample.token_type_ids.begin(), sample.token_type_ids.end());
        token_type_ids_.resize(token_ids_.size(), 0);
        features_.insert(features_.end(), sample.features.begin(), sample.features.end());
        labels_.insert(labels_.end(), sample.labels.begin(), sample.labels.end());
        values_.insert(values_.end(), sample.values.begin(), sample.values.end());
        token_offsets_.push_back(token_ids_.size());
        label_offsets_.push_back(labels_.size());
        value_offsets_.push_back(values_.size());
        difficulty_.push_back(sample.difficulty);
        digest_ = mix_bits(digest_ ^ digest_of(sample));
    }

    std::span<const std::int32_t> token_ids(std::size_t i) const { return part(token_ids_, token_offsets_, i); }
    std::span<const std::int32_t> token_type_ids(std::size_t i) const {
        return part(token_type_ids_, token_offsets_, i);
    }
    /// Begins to fetch the features of sample i, if there are such, to the caches.
    void fetch_ahead(std::size_t i) const {
        constexpr std::size_t line = memory_alignment / sizeof(float);
        if (i >= size() || feature_size_ == 0) return;
        for (std::size_t j = 0; j < feature_size_; j += line) __builtin_prefetch(&features(i)[j]);
        __builtin_prefetch(&features(i).back());
    }
    std::span<const float> features(std::size_t i) const {
        return {features_.data() + i * feature_size_, feature_size_};
    }
    std::span<const std::int32_t> labels(std::size_t i) const { return part(labels_, label_offsets_, i); }
    std::span<const float> values(std::size_t i) const { return part(values_, value_offsets_, i); }
    float difficulty(std::size_t i) const { return difficulty_[i]; }
    std::size_t length(std::size_t i) const { return token_offsets_[i + 1] - token_offsets_[i]; }
    std::size_t feature_size() const { return feature_size_; }
    std::size_t tokens() const { return token_ids_.size(); }

    Sample sample(std::size_t i) const {
        const auto list = [](auto range) {
            return std::vector<std::remove_cvref_t<decltype(range[0])>>(range.begin(), range.end());
        };
        return {list(token_ids(i)), list(token_type_ids(i)), list(features(i)),
                list(labels(i)),    list(values(i)),         difficulty(i)};
    }

    /// The samples of these numbers, in this order.
    Dataset subset(std::span<const std::uint32_t> indices) const {
        Dataset result(name);
        for (const std::uint32_t i : indices) result.append(sample(i));
        return result;
    }

    std::uint64_t digest() const { return digest_; }

  private:
    template <class T>
    std::span<const T> part(const std::vector<T>& all, const std::vector<std::size_t>& offsets, std::size_t i) const {
        return {all.data() + offsets[i], offsets[i + 1] - offsets[i]};
    }

    static std::uint64_t digest_of(const Sample& sample) {
        std::uint64_t h = 0;
        const auto mix = [&](const auto& list) {
            h = mix_bits(h ^ list.size());
            for (const auto x : list) h = mix_bits(h ^ std::bit_cast<std::uint32_t>(x));
        };
        mix(sample.token_ids), mix(sample.token_type_ids), mix(sample.features), mix(sample.labels), mix(sample.values);
        return mix_bits(h ^ std::bit_cast<std::uint32_t>(sample.difficulty));
    }

    std::vector<std::int32_t> token_ids_, token_type_ids_, labels_;
    AlignedVector<float> features_;
    std::vector<float> values_, difficulty_;
    std::vector<std::size_t> token_offsets_{0}, label_offsets_{0}, value_offsets_{0};
    std::size_t feature_size_ = 0;
    std::uint64_t digest_ = 0;
};

}
