#pragma once
#include <charconv>
#include <cstddef>
#include <string_view>

#include "didact/core/error.hpp"

namespace didact {

/// The number that `text` begins with, e.g. 11 of "11.output.dense.weight".
inline std::size_t leading_number(std::string_view text) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) fail("'", excerpt(text), "' does not begin with a number");
    return number;
}

}
