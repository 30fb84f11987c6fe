#pragma once
#include <cmath>
#include <cstddef>
#include <numbers>

#include "didact/core/error.hpp"

namespace didact::eval {

/// exp(total / count): `total` is the sum of −ln p over `count` predicted tokens. Divide by the number of words instead
/// of tokens for a perplexity that compares models of different tokenizers.
inline double perplexity(double total, std::size_t count) {
    require(count > 0, "perplexity: no tokens were predicted");
    return std::exp(total / double(count));
}

/// total / (bytes ln 2): `total` is the sum of −ln p over all tokens of a text of `bytes` bytes (of UTF-8, before
/// tokenization). Independent of the tokenizer (Gao et al. 2020, arXiv 2101.00027, section 3.1).
inline double bits_per_byte(double total, std::size_t bytes) {
    require(bytes > 0, "bits per byte: the text has no bytes");
    return total / (double(bytes) * std::numbers::ln2);
}

}
