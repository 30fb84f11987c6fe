#pragma once
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

/// Scalar functions that a compiler turns into vector code in a loop, which it cannot do with the C library's. The
/// double versions are the C library's: they serve gradient checks.
namespace didact::cpu {

/// condition ? a : b without a branch: GCC splits a loop at a conditional whose result is a constant, and then leaves
/// it scalar.
inline float select(bool condition, float a, float b) {
    const std::uint32_t mask = -std::uint32_t(condition);
    return std::bit_cast<float>((std::bit_cast<std::uint32_t>(a) & mask) | (std::bit_cast<std::uint32_t>(b) & ~mask));
}

/// eˣ to 2 units in the last place: x = n ln 2 + r, polynomial in r (Cephes' expf), scaled by 2ⁿ through the exponent.
inline float exponential(float x) {
    x = select(x < -87.0f, -87.0f, x);
    x = select(x > 88.0f, 88.0f, x);
    const float shifted = x * std::numbers::log2e_v<float> + 12582912.0f; // rounds to an integer in the low bits
    const float n = shifted - 12582912.0f;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const float mantissa = p * r * r + r + 1.0f;
    const std::int32_t exponent = (std::int32_t(n) + 127) << 23;
    return mantissa * std::bit_cast<float>(exponent);
}
inline double exponential(double x) { return std::exp(x); }

inline float hyperbolic_tangent(float x) {
    const float clamped = select(x < -15.0f, -15.0f, select(x > 15.0f, 15.0f, x));
    const float e = exponential(2.0f * clamped);
    // Near zero (e − 1) loses digits; the odd series does not.
    const float x2 = x * x;
    const float series = x * (1.0f + x2 * (-1.0f / 3 + x2 * (2.0f / 15 + x2 * (-17.0f / 315))));
    const float quotient = (e - 1.0f) / (e + 1.0f);
    return select(x2 < 0.04f, series, quotient);
}
inline double hyperbolic_tangent(double x) { return std::tanh(x); }

/// erf(x) by Abramowitz and Stegun 7.1.26; the absolute error is below 1.5e-7 (plus rounding).
inline float error_function(float x) {
    const float a = std::abs(x);
    const float t = 1.0f / (1.0f + 0.3275911f * a);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const float y = 1.0f - p * t * exponential(-a * a);
    return std::copysign(y, x);
}
inline double error_function(double x) { return std::erf(x); }

/// Σ term(j) for j in [0, count), as 16 sums side by side: a plain sum of floats may not be reordered, so a compiler
/// would leave it scalar.
template <class T, class Term>
T lane_sum(std::size_t count, const Term& term) {
    constexpr std::size_t lanes = 16;
    T sums[lanes] = {};
    std::size_t j = 0;
    for (; j + lanes <= count; j += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += term(j + lane);
    for (; j < count; ++j) sums[0] += term(j);
    T sum = 0;
    for (const T s : sums) sum += s;
    return sum;
}

/// The largest term(j), or `least` where there is none.
template <class T, class Term>
T lane_max(std::size_t count, T least, const Term& term) {
    constexpr std::size_t lanes = 16;
    T best[lanes];
    for (T& b : best) b = least;
    std::size_t j = 0;
    for (; j + lanes <= count; j += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            const T x = term(j + lane);
            best[lane] = x > best[lane] ? x : best[lane];
        }
    for (; j < count; ++j) best[0] = term(j) > best[0] ? term(j) : best[0];
    T result = least;
    for (const T b : best) result = b > result ? b : result;
    return result;
}

}
