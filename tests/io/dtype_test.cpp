#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "didact/io/dtype.hpp"

#include "scratch.hpp"

namespace dtype_test {

using namespace didact;
using namespace didact::io;

namespace {

/// The value of a half-precision number by its definition: sign, 5 bits of exponent, 10 of mantissa.
double half_by_definition(std::uint16_t half) {
    const double sign = half & 0x8000 ? -1 : 1;
    const int exponent = half >> 10 & 31, mantissa = half & 0x3FF;
    if (exponent == 31) return mantissa ? std::nan("") : sign * std::numeric_limits<double>::infinity();
    return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

}

TEST_SUITE("unit") {

    TEST_CASE("every half-precision number is decoded by the definition and encoded back to itself") {
        for (std::uint32_t i = 0; i < 65536; ++i) {
            const auto half = std::uint16_t(i);
            const double expected = half_by_definition(half);
            const float decoded = float_from_half(half);
            if (std::isnan(expected)) {
                REQUIRE(std::isnan(decoded));
                REQUIRE(std::isnan(float_from_half(half_from_float(decoded))));
            } else {
                REQUIRE(double(decoded) == expected);
                REQUIRE(std::signbit(decoded) == std::signbit(expected));
                REQUIRE(half_from_float(decoded) == half);
            }
        }
    }

    TEST_CASE("between neighbours of half precision the nearer one is taken, ties to even") {
        for (std::uint16_t half = 0; half < 0x7BFF; ++half) {
            const float low = float_from_half(half), high = float_from_half(std::uint16_t(half + 1));
            const float middle = low + (high - low) / 2; // exact
            const std::uint16_t even = half % 2 == 0 ? half : std::uint16_t(half + 1);
            REQUIRE(half_from_float(middle) == even);
            REQUIRE(half_from_float(std::nextafter(middle, 0.0f)) == half);
            REQUIRE(half_from_float(std::nextafter(middle, 1e9f)) == half + 1);
            REQUIRE(half_from_float(-middle) == (even | 0x8000));
        }
        CHECK(half_from_float(65519.99f) == 0x7BFF); // half way from 65504 to 65536 is 65520
        CHECK(half_from_float(65520.0f) == 0x7C00);
        CHECK(half_from_float(std::numeric_limits<float>::infinity()) == 0x7C00);
        CHECK(half_from_float(std::numeric_limits<float>::denorm_min()) == 0);
    }

    TEST_CASE("bfloat16 is the upper half of a float, rounded to nearest, ties to even") {
        for (std::uint32_t i = 0; i < 65536; ++i) {
            const float value = float(bf16{std::uint16_t(i)});
            REQUIRE(std::bit_cast<std::uint32_t>(value) == i << 16);
            if (std::isnan(value))
                REQUIRE(std::isnan(float(bf16::nearest(value))));
            else
                REQUIRE(bf16::nearest(value).bits == i);
        }
        CHECK(bf16::nearest(std::bit_cast<float>(0x3F808000u)).bits == 0x3F80);
        CHECK(bf16::nearest(std::bit_cast<float>(0x3F808001u)).bits == 0x3F81);
        CHECK(bf16::nearest(std::bit_cast<float>(0x3F818000u)).bits == 0x3F82);
        CHECK(std::isnan(float(bf16::nearest(std::bit_cast<float>(0x7F800001u)))));
    }

    TEST_CASE("every type has the name that finds it") {
        for (std::size_t i = 0; i < dtype_traits.size(); ++i) CHECK(dtype_named(name_of(Dtype(i))) == Dtype(i));
        CHECK(name_of(Dtype::U64) == "U64");
        CHECK(bits_of(Dtype::BF16) == 16);
        CHECK_FALSE(dtype_named("f32"));
        CHECK(dtype_of<float>() == Dtype::F32);
        CHECK(dtype_of<std::int64_t>() == Dtype::I64);
        CHECK(dtype_of<std::uint8_t>() == Dtype::U8);
        CHECK(dtype_of<bool>() == Dtype::BOOL);
    }

    TEST_CASE("decoding refuses what the wanted type cannot hold") {
        const auto bytes = [](const auto& list) { return std::as_bytes(std::span(list)); };
        std::vector<float> one(1);
        std::vector<std::int32_t> integer(1);
        std::vector<std::uint8_t> small(1);
        const std::vector<double> large = {1e39}, infinite = {-std::numeric_limits<double>::infinity()};
        const std::vector<std::int64_t> wide = {1LL << 31}, negative = {-1};
        const auto floats = [&](Dtype type, std::span<const std::byte> data) {
            return error_of([&] { decode_elements(type, data, std::span(one), "w"); });
        };
        const auto integers = [&](Dtype type, std::span<const std::byte> data) {
            return error_of([&] { decode_elements(type, data, std::span(integer), "w"); });
        };
        CHECK(floats(Dtype::F64, bytes(large)) == "w holds 1e+39, too large for single precision");
        CHECK(floats(Dtype::F64, bytes(infinite)) == "no error");
        CHECK(one[0] == -std::numeric_limits<float>::infinity());
        CHECK(floats(Dtype::I64, bytes(wide)) == "w is I64, expected F64, F32, F16 or BF16");
        CHECK(floats(Dtype::F8_E4M3, bytes(wide)) == "w is F8_E4M3, expected F64, F32, F16 or BF16");
        CHECK(floats(Dtype::F32, bytes(wide)) == "w has 2 elements, expected 1");
        CHECK(integers(Dtype::I64, bytes(wide)) == "w holds 2147483648, out of the range wanted");
        CHECK(integers(Dtype::I64, bytes(negative)) == "no error");
        CHECK(integer[0] == -1);
        CHECK(integers(Dtype::F32, bytes(wide)) == "w is F32, expected an integer type");
        CHECK(error_of([&] { decode_elements(Dtype::I64, bytes(negative), std::span(small), "w"); }) ==
              "w holds -1, out of the range wanted");
    }

    TEST_CASE("encoding refuses finite values that would become infinite") {
        std::string bytes;
        const auto said = [&](Dtype type, double value) {
            return error_of([&] { encode_elements(type, std::span<const double>(&value, 1), bytes, "w"); });
        };
        CHECK(said(Dtype::F16, 65520) == "w holds 65520, too large for F16");
        CHECK(said(Dtype::BF16, 3.4e38) == "w holds 3.4e+38, too large for BF16");
        CHECK(said(Dtype::F32, 1e39) == "w holds 1e+39, too large for F32");
        CHECK(said(Dtype::F16, std::numeric_limits<double>::infinity()) == "no error");
        CHECK(said(Dtype::I8, 1) == "w cannot be written as I8, expected F64, F32, F16 or BF16");
        CHECK(bytes == std::string("\x00\x7C", 2));
    }
}

}
