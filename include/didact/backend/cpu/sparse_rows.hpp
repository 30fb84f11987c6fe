#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "didact/backend/cpu/packet.hpp"
#include "didact/core/view.hpp"

namespace didact::cpu {

/// A row of op(A) without its zeros, and which rows of B meet what is left: ReLU makes about half of a gradient zero.
template <class T>
struct NonzeroTerms {
    static constexpr std::size_t most = 48; ///< as many as DeferredProducts keeps

    std::size_t count = 0;
    std::array<T, most> factors;
    std::array<std::uint8_t, most> rows; ///< of B

    /// Without a branch, as no processor foresees where the zeros lie.
    void add(T factor, std::size_t row) {
        factors[count] = factor;
        rows[count] = std::uint8_t(row);
        count += factor != T(0);
    }
};

/// c −= rate · slope of one element, with the bits that it has in a packet.
template <class T>
void descend_element(T* c, T rate, T slope) {
    map_packets(
        1, c, [&](const auto& x, const auto& of_x) { return descended(x, rate, of_x); }, c, &slope);
}

/// c −= rate · the sum of the terms' factors times rows of b, for elements [j, end) of a row, in packets as long as
/// they fit. Bits as if the zeros were there, but for the sign of a zero.
template <class T, std::size_t packets = 8>
void descend_row(const NonzeroTerms<T>& terms, View<const T> b, T rate, T* c, std::size_t j, std::size_t end) {
    constexpr std::size_t lanes = packet_size<T>;
    for (; j + packets * lanes <= end; j += packets * lanes) {
        Packet<T> sums[packets];
#pragma GCC unroll 8
        for (Packet<T>& sum : sums) sum = constant(T(0));
        for (std::size_t d = 0; d < terms.count; ++d) {
            const Packet<T> factor = constant(terms.factors[d]);
            const T* const row = b.row(terms.rows[d]) + j;
#pragma GCC unroll 8
            for (std::size_t s = 0; s < packets; ++s)
                sums[s] = Eigen::internal::pmadd(factor, load<T>(row + s * lanes), sums[s]);
        }
#pragma GCC unroll 8
        for (std::size_t s = 0; s < packets; ++s) {
            T* const to = c + j + s * lanes;
            store<T>(to, descended(load<T>(to), rate, sums[s]));
        }
    }
    if constexpr (packets > 1) return descend_row<T, packets / 2>(terms, b, rate, c, j, end);
    for (; j < end; ++j) {
        T sum = 0;
        for (std::size_t d = 0; d < terms.count; ++d) sum = std::fma(terms.factors[d], b(terms.rows[d], j), sum);
        descend_element(c + j, rate, sum);
    }
}

}
