#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "didact/core/error.hpp"

namespace didact::text {

/// Which text gives up tokens, at its end, where an encoding would be too long; names as in Hugging Face.
enum class Truncation { longest_first, only_first, only_second };

/// How many tokens of a text with `first` and of one with `second` tokens are kept so that together they are at most
/// `limit`. Error where the text that is to be shortened cannot make up for all.
/// `longest_first` gives the shorter text its full length if the other can do with the rest, else half (the longer text
/// the odd one), as `truncate_encodings` of Hugging Face's tokenizers does.
inline std::pair<std::size_t, std::size_t> truncated_lengths(std::size_t first, std::size_t second, std::size_t limit,
                                                             Truncation truncation) {
    if (first + second <= limit) return {first, second};
    const std::size_t excess = first + second - limit;
    switch (truncation) {
    case Truncation::only_first:
        require(first > excess, "only_first cannot cut ", excess, " tokens from a first text of ", first,
                "; max_length is too short for the second text");
        return {first - excess, second};
    case Truncation::only_second:
        require(second > excess, "only_second cannot cut ", excess, " tokens from a second text of ", second,
                "; max_length is too short for the first text");
        return {first, second - excess};
    case Truncation::longest_first:
        break;
    }
    const std::size_t shorter = std::min(first, second);
    if (shorter <= limit / 2)
        return first <= second ? std::pair{first, limit - first} : std::pair{limit - second, second};
    const std::size_t half = limit / 2;
    return first <= second ? std::pair{half, limit - half} : std::pair{limit - half, half};
}

}
