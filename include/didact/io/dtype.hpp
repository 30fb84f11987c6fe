#pragma once
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "didact/core/bf16.hpp"
#include "didact/core/error.hpp"

namespace didact::io {

static_assert(std::endian::native == std::endian::little,
              "didact: files of tensors are little-endian, so must be the machine");

/// Types of elements in a safetensors file, in the order in which the format lays tensors out: last ones first.
enum class Dtype : std::uint8_t {
    BOOL,
    F4,
    F6_E2M3,
    F6_E3M2,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    F8_E8M0,
    F8_E4M3FNUZ,
    F8_E5M2FNUZ,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    C64,
    F64,
    I64,
    U64
};

struct DtypeTraits {
    std::string_view name;
    unsigned bits; ///< of one element
};

inline constexpr std::array<DtypeTraits, 22> dtype_traits = {{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
}};

constexpr std::string_view name_of(Dtype dtype) { return dtype_traits[std::size_t(dtype)].name; }
constexpr unsigned bits_of(Dtype dtype) { return dtype_traits[std::size_t(dtype)].bits; }

/// The type of this name, where there is one.
constexpr std::optional<Dtype> dtype_named(std::string_view name) {
    for (std::size_t i = 0; i < dtype_traits.size(); ++i)
        if (dtype_traits[i].name == name) return Dtype(i);
    return std::nullopt;
}

/// The type that a C++ number is stored as.
template <class T>
constexpr Dtype dtype_of() {
    if constexpr (std::same_as<T, float>)
        return Dtype::F32;
    else if constexpr (std::same_as<T, double>)
        return Dtype::F64;
    else if constexpr (std::same_as<T, bool>)
        return Dtype::BOOL;
    else {
        static_assert(std::integral<T>, "didact: tensors hold numbers");
        constexpr Dtype with_sign[] = {Dtype::I8, Dtype::I16, Dtype::I32, Dtype::I64};
        constexpr Dtype without_sign[] = {Dtype::U8, Dtype::U16, Dtype::U32, Dtype::U64};
        constexpr int size = std::bit_width(sizeof(T)) - 1;
        return std::signed_integral<T> ? with_sign[size] : without_sign[size];
    }
}

/// IEEE 754 half precision as a float, exactly.
inline float float_from_half(std::uint16_t half) {
    const std::uint32_t sign = std::uint32_t(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3FF;
    if (exponent == 0) { // zero, or a subnormal: mantissa · 2⁻²⁴
        const float magnitude = float(mantissa) * 0x1p-24f;
        return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
    }
    const std::uint32_t biased = exponent == 31 ? 255 : exponent + (127 - 15);
    return std::bit_cast<float>(sign | biased << 23 | mantissa << 13);
}

/// The half-precision number nearest to `value`, ties to even; infinity where it is too large.
inline std::uint16_t half_from_float(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value), sign = bits >> 16 & 0x8000;
    const std::uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return std::uint16_t(sign | 0x7E00 | (magnitude >> 13 & 0x3FF)); // stays a NaN
    if (magnitude >= 0x47800000) return std::uint16_t(sign | 0x7C00);                            // 2¹⁶ and above
    if (magnitude < 0x38800000) { // below 2⁻¹⁴: adding 1/2 leaves the multiple of 2⁻²⁴, rounded, in the last bits
        const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
        return std::uint16_t(sign | (std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f)));
    }
    const std::uint32_t rebiased = magnitude - (std::uint32_t(127 - 15) << 23);
    return std::uint16_t(sign | ((rebiased + 0xFFF + (rebiased >> 13 & 1)) >> 13)); // a carry makes the next exponent
}

/// Decodes the elements of a tensor. Floating-point types (F64, F32, F16, BF16) are read as float or double, integer
/// types (BOOL too) as integers: neither turns silently into the other. Throws Error, which begins with `what`, for
/// other types, for another number of elements than `values` has, and for values that a T cannot hold. `bytes` need not
/// be aligned.
template <class T>
void decode_elements(Dtype dtype, std::span<const std::byte> bytes, std::span<T> values, std::string_view what) {
    const auto decode_each = [&]<class Stored>(Stored stored, auto decode) {
        require(bytes.size() == values.size() * sizeof stored, what, " has ", bytes.size() / sizeof stored,
                " elements, expected ", values.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
            std::memcpy(&stored, bytes.data() + i * sizeof stored, sizeof stored);
            const auto value = decode(stored);
            if constexpr (!std::floating_point<T>)
                require(std::in_range<T>(value), what, " holds ", +value, ", out of the range wanted");
            else if constexpr (sizeof value > sizeof(T))
                require(std::isinf(value) || !(std::abs(value) > std::numeric_limits<T>::max()), what, " holds ", value,
                        ", too large for single precision");
            values[i] = T(value);
        }
    };
    const auto as_it_is = [](auto x) { return x; };
    if constexpr (std::floating_point<T>) {
        switch (dtype) {
        case Dtype::F64:
            return decode_each(double(), as_it_is);
        case Dtype::F32:
            return decode_each(float(), as_it_is);
        case Dtype::F16:
            return decode_each(std::uint16_t(), float_from_half);
        case Dtype::BF16:
            return decode_each(bf16(), [](bf16 x) { return float(x); });
        default:
            fail(what, " is ", name_of(dtype), ", expected F64, F32, F16 or BF16");
        }
    } else {
        switch (dtype) {
        case Dtype::I64:
            return decode_each(std::int64_t(), as_it_is);
        case Dtype::U64:
            return decode_each(std::uint64_t(), as_it_is);
        case Dtype::I32:
            return decode_each(std::int32_t(), as_it_is);
        case Dtype::U32:
            return decode_each(std::uint32_t(), as_it_is);
        case Dtype::I16:
            return decode_each(std::int16_t(), as_it_is);
        case Dtype::U16:
            return decode_each(std::uint16_t(), as_it_is);
        case Dtype::I8:
            return decode_each(std::int8_t(), as_it_is);
        case Dtype::U8:
        case Dtype::BOOL:
            return decode_each(std::uint8_t(), as_it_is);
        default:
            fail(what, " is ", name_of(dtype), ", expected an integer type");
        }
    }
}

/// Encodes numbers as the elements of a floating-point type, appended to `bytes`. Throws Error, which begins with
/// `what`, for a finite value that becomes infinite there, and for other types.
template <std::floating_point T>
void encode_elements(Dtype dtype, std::span<const T> values, std::string& bytes, std::string_view what) {
    const auto encode_each = [&](auto encode) {
        for (const T value : values) {
            const auto stored = encode(value);
            bytes.append(reinterpret_cast<const char*>(&stored), sizeof stored);
        }
    };
    // A double is rounded to single precision first: an odd tie may fall one unit in the last place of 16 bits apart.
    const auto rounded = [&](T value, auto narrow, auto widen) {
        const auto stored = narrow(float(value));
        require(!std::isinf(widen(stored)) || std::isinf(value), what, " holds ", value, ", too large for ",
                name_of(dtype));
        return stored;
    };
    switch (dtype) {
    case Dtype::F64:
        return encode_each([](T x) { return double(x); });
    case Dtype::F32:
        return encode_each([&](T x) {
            return rounded(
                x, [](float y) { return y; }, [](float y) { return y; });
        });
    case Dtype::F16:
        return encode_each([&](T x) { return rounded(x, half_from_float, float_from_half); });
    case Dtype::BF16:
        return encode_each([&](T x) { return rounded(x, bf16::nearest, [](bf16 y) { return float(y); }); });
    default:
        fail(what, " cannot be written as ", name_of(dtype), ", expected F64, F32, F16 or BF16");
    }
}

}
