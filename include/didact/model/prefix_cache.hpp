#pragma once
#include <cstdio>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <vector>

#include "didact/data/batch.hpp"
#include "didact/model/prefix_cache_file.hpp"
#include "didact/model/transformer.hpp"

namespace didact {

/// A number that two frozen prefixes share where they give the same states: of the backend, the structure, the sizes
/// and the values of all parameters below stage `stage`.
template <class Trunk, Backend B>
std::uint64_t prefix_digest(const Trunk& trunk, const ParameterStore<B>& store, std::size_t stage) {
    std::uint64_t digest = mix_bits(stage);
    const auto add = [&digest](const void* data, std::size_t size) {
        const char* bytes = static_cast<const char*>(data);
        for (std::size_t i = 0; i < size; i += 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes + i, std::min<std::size_t>(8, size - i));
            digest = mix_bits(digest ^ word);
        }
        digest = mix_bits(digest ^ size);
    };
    const auto add_text = [&](const std::string& text) { add(text.data(), text.size()); };
    const TransformerConfig& config = trunk.config();
    add_text(B::name);
    add_text(config.activation);
    add(&config.num_heads, sizeof config.num_heads);
    add(&config.layer_norm_epsilon, sizeof config.layer_norm_epsilon);
    for (ParameterId id = 0; id < store.count(); ++id) {
        const Parameter& p = store[id];
        if (!p.shared || trunk.stage_of(p.name) >= stage) continue;
        add_text(p.name);
        const View<const Scalar<B>> values = store.value(id);
        add(values.data, values.size() * sizeof(Scalar<B>));
    }
    return digest;
}

/// The hidden states that a frozen prefix gives for each sample, so that it runs once a sample and not once an epoch.
/// Their bits must not depend on what shared a batch with it, or a run that was stopped and resumed would go on with
/// others. They are kept in memory up to `capacity`, beyond which they are
/// computed each time, or in a folder without a limit, where later runs find them. Samples of no data set
/// (SampleId::dataset 0) are computed each time.
template <Backend B>
class PrefixCache {
  public:
    using S = Scalar<B>;

    /// Bytes of hidden states kept in memory at most.
    std::size_t capacity = std::size_t(2) << 30;

    /// Keeps the states in files of this folder, one for each frozen prefix, or, where it has no name, in memory.
    void keep_in(const std::string& folder) {
        if (folder == folder_) return;
        clear();
        folder_ = folder;
    }

    /// Forgets everything unless it was computed for this stage of the trunk and by the weights that it has now.
    template <class Trunk>
    void begin(const Trunk& trunk, const ParameterStore<B>& store, std::size_t stage) {
        if (stage == stage_ && is_current(store)) return;
        set_current(store);
        const std::uint64_t digest = prefix_digest(trunk, store, stage);
        if (stage == stage_ && digest == digest_) return;
        clear();
        if (!folder_.empty()) {
            char name[32];
            std::snprintf(name, sizeof name, "%016llx.states", (unsigned long long)(digest));
            file_.emplace(folder_ + "/" + name, trunk.output_size());
        }
        stage_ = stage;
        digest_ = digest;
    }
    /// Whether the weights are surely those of the states kept; and that they are, after passes with other values.
    bool is_current(const ParameterStore<B>& store) const { return version_ == store.version(first_parameter); }
    void set_current(const ParameterStore<B>& store) { version_ = store.version(first_parameter); }

    /// True where the states kept went through a stage that trains when `first_trainable` is the first one.
    bool went_through(std::size_t first_trainable) const { return stage_ != no_stage && stage_ > first_trainable; }

    /// Forgets everything, for the weights have changed. Files stay: they are of the weights that were.
    void clear() {
        places_.clear();
        blocks_.clear();
        if (file_ && !file_->failure().empty()) failure_ = file_->failure();
        file_.reset();
        bytes_ = 0;
        stage_ = no_stage;
    }

    /// Writes the states of the batch's sequence s to `out` (its tokens, hidden); false where they are not there.
    bool load(const Batch& batch, std::size_t s, View<S> out) {
        if (file_) return batch.samples[s].dataset != 0 && file_->load(digest_of(batch, s), out);
        const auto found = places_.find(batch.samples[s]);
        if (found == places_.end() || blocks_[found->second].size() != out.size()) return false;
        std::memcpy(out.data, blocks_[found->second].data(), blocks_[found->second].size() * sizeof(S));
        return true;
    }

    void store(const Batch& batch, std::size_t s, View<const S> states) {
        const SampleId sample = batch.samples[s];
        if (sample.dataset == 0) return;
        if (file_) return file_->store(digest_of(batch, s), states);
        if (bytes_ + states.size() * sizeof(S) > capacity) return;
        if (!places_.emplace(sample, blocks_.size()).second) return;
        blocks_.emplace_back(states.data, states.data + states.size());
        bytes_ += states.size() * sizeof(S);
    }

    /// How many samples there are; of a file, those of other runs too.
    std::size_t samples() const { return file_ ? file_->samples() : blocks_.size(); }
    /// In memory.
    std::size_t bytes() const { return bytes_; }
    /// Why states could not be written to the folder and were computed each time, or nothing.
    const std::string& failure() const { return file_ && !file_->failure().empty() ? file_->failure() : failure_; }

  private:
    static constexpr std::size_t no_stage = ~std::size_t(0);
    static constexpr ParameterId first_parameter = 0; ///< an embedding, which every frozen prefix has

    struct Hash {
        std::size_t operator()(const SampleId& id) const { return mix_bits(id.dataset ^ mix_bits(id.index)); }
    };

    /// Of all that the states of sequence s depend on, so that another data set with the same text has them too.
    static std::uint64_t digest_of(const Batch& batch, std::size_t s) {
        const std::size_t begin = std::size_t(batch.cu_seqlens[s]), end = std::size_t(batch.cu_seqlens[s + 1]);
        std::uint64_t digest = end - begin;
        for (const auto* ids : {&batch.token_ids, &batch.token_type_ids, &batch.position_ids})
            for (std::size_t i = begin; i < std::min(end, ids->size()); ++i)
                digest = mix_bits(digest ^ std::uint32_t((*ids)[i]));
        return digest;
    }

    std::unordered_map<SampleId, std::size_t, Hash> places_;
    std::vector<std::vector<S>> blocks_;
    std::string folder_;
    std::optional<PrefixCacheFile<S>> file_;
    std::string failure_;
    std::size_t bytes_ = 0;
    std::size_t stage_ = no_stage;
    ValueVersion version_; ///< of the frozen parameters
    std::uint64_t digest_ = 0;
};

}
