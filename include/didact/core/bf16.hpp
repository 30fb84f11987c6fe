#pragma once
#include <bit>
#include <cstdint>

namespace didact {

/// bfloat16: the upper half of a float, with its range and 8 bits of precision.
struct bf16 {
    std::uint16_t bits;

    /// The one nearest to `value`, ties to even; infinity where it is too large; NaN stays NaN.
    static bf16 nearest(float value) {
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
        const std::uint32_t rounded = bits + 0x7FFF + (bits >> 16 & 1), quiet = bits | 0x400000;
        return {std::uint16_t((value != value ? quiet : rounded) >> 16)};
    }
    explicit operator float() const { return std::bit_cast<float>(std::uint32_t(bits) << 16); }
};

}
