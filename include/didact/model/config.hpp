#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "didact/core/error.hpp"

namespace didact {

/// Sizes and probabilities of a transformer: what a `config.json` says, under one set of names for all families.
struct TransformerConfig {
    std::size_t vocab_size = 0, hidden_size = 0, num_layers = 0, num_heads = 1, intermediate_size = 0;
    std::size_t max_positions = 512, type_vocab_size = 0;
    double layer_norm_epsilon = 1e-12, initializer_range = 0.02;
    double hidden_dropout = 0.1, attention_dropout = 0.1, classifier_dropout = 0.1;
    std::optional<double> embedding_dropout = {}; ///< hidden_dropout where nothing else is said
    std::optional<std::int32_t> pad_token_id = {}, bos_token_id = {}, eos_token_id = {}; ///< for Transformers only
    std::string activation = "gelu";                                                     ///< as config.json spells it

    double dropout_of_embeddings() const { return embedding_dropout.value_or(hidden_dropout); }

    /// Throws Error, beginning with `source`, where the sizes do not make a transformer, or not one whose embeddings
    /// have `token_types`.
    void check(const std::string& source, bool token_types) const {
        // Within these limits sizes of tensors do not overflow; ids of tokens and positions are 32 bits wide.
        const auto positive = [&](std::size_t value, const char* what, std::size_t limit = (std::size_t(1) << 31) - 1) {
            require(value > 0, source, ": ", what, " is 0");
            require(value <= limit, source, ": ", what, " is ", value, ", expected at most ", limit);
        };
        positive(vocab_size, "vocab_size"), positive(hidden_size, "hidden_size");
        positive(num_layers, "num_layers", 10000);
        positive(num_heads, "num_heads"), positive(intermediate_size, "intermediate_size");
        positive(max_positions, "max_positions");
        if (token_types) positive(type_vocab_size, "type_vocab_size");
        require(hidden_size % num_heads == 0, source, ": hidden_size ", hidden_size, " is not a multiple of num_heads ",
                num_heads);
        for (const double p : {hidden_dropout, attention_dropout, classifier_dropout, dropout_of_embeddings()})
            require(p >= 0 && p < 1, source, ": dropout ", p, " is not in [0, 1)");
        require(layer_norm_epsilon > 0, source, ": layer_norm_epsilon ", layer_norm_epsilon, " is not positive");
    }
};

}
