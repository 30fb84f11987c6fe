#pragma once
#include <algorithm>

#include "didact/core/random.hpp"
#include "didact/data/batch.hpp"

namespace didact {

/// Masked language modelling (Devlin et al. 2019, arXiv 1810.04805, section 3.1): of the tokens that are not special,
/// `probability` are to be predicted; of these 80 % become [MASK], 10 % a random token, 10 % stay. Drawn anew in each
/// epoch, as RoBERTa does (Liu et al. 2019, arXiv 1907.11692, section 4.1).
struct Masking {
    double probability = 0.15;
    std::int32_t mask_token_id = 103;
    std::int32_t vocab_size = 0;
    std::vector<std::int32_t> special_token_ids = {}; ///< never predicted, never drawn

    void check(const std::string& where) const {
        require(probability > 0 && probability < 1, where, ": masking probability ", probability, " is not in (0, 1)");
        require(mask_token_id >= 0 && mask_token_id < vocab_size, where, ": mask_token_id ", mask_token_id,
                " is not in a vocabulary of ", vocab_size);
    }

    /// Masks tokens in place and writes one label a token: what stood there, or ignored_label.
    void apply(std::span<std::int32_t> token_ids, std::span<std::int32_t> labels, Random random) const {
        for (std::size_t t = 0; t < token_ids.size(); ++t) {
            labels[t] = ignored_label;
            // Three draws a token, whatever happens, so that one token's fate does not move another's.
            const double chosen = random.uniform(), kind = random.uniform();
            const std::int32_t other = std::int32_t(random.below(std::uint64_t(vocab_size)));
            if (is_special(token_ids[t]) || chosen >= probability) continue;
            labels[t] = token_ids[t];
            if (kind < 0.8)
                token_ids[t] = mask_token_id;
            else if (kind < 0.9 && !is_special(other))
                token_ids[t] = other;
        }
    }

    /// Masks every sequence of a batch; sample s draws from `key` with its own number.
    void apply(Batch& batch, RandomKey key) const {
        batch.labels.resize(batch.tokens());
        batch.label_offsets = batch.cu_seqlens;
        batch.random_inputs = true;
        for (std::size_t s = 0; s < batch.size(); ++s) {
            key.sample = batch.samples[s].index;
            const std::size_t begin = std::size_t(batch.cu_seqlens[s]);
            const std::size_t length = std::size_t(batch.cu_seqlens[s + 1]) - begin;
            apply(std::span(batch.token_ids).subspan(begin, length), std::span(batch.labels).subspan(begin, length),
                  Random(key));
        }
    }

    /// The data set masked once, for validation and test.
    Dataset apply(const Dataset& data, std::uint64_t seed) const {
        Dataset masked(data.name);
        for (std::size_t i = 0; i < data.size(); ++i) {
            Sample sample = data.sample(i);
            sample.labels.assign(sample.token_ids.size(), ignored_label);
            apply(sample.token_ids, sample.labels,
                  Random({.seed = seed, .purpose = RandomPurpose::masking, .sample = i}));
            masked.append(sample);
        }
        return masked;
    }

  private:
    bool is_special(std::int32_t id) const {
        return std::find(special_token_ids.begin(), special_token_ids.end(), id) != special_token_ids.end();
    }
};

}
