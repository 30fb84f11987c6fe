#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "didact/backend/cpu/packet.hpp"
#include "didact/core/deferred_products.hpp"
#include "didact/core/view.hpp"

namespace didact::cpu {

/// A row of op(A) without its zeros, and which rows of B meet what is left: ReLU makes about half of a gradient zero.
template <class T>
struct NonzeroTerms {
    static constexpr std::size_t most = DeferredProducts<T>::most_terms;
    static_assert(most <= 256);

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

/// put(j, the sum of the terms' factors times b's elements from column j on) for columns [j, end), in packets as long
/// as they fit, then element by element. Bits as if the zeros were there, but for the sign of a zero.
template <class T, std::size_t packets = 8, class Put>
void for_each_sum(const NonzeroTerms<T>& terms, View<const T> b, std::size_t j, std::size_t end, Put put) {
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
        for (std::size_t s = 0; s < packets; ++s) put(j + s * lanes, sums[s]);
    }
    if constexpr (packets > 1) return for_each_sum<T, packets / 2>(terms, b, j, end, put);
    for (; j < end; ++j) {
        T sum = 0;
        for (std::size_t d = 0; d < terms.count; ++d) sum = std::fma(terms.factors[d], b(terms.rows[d], j), sum);
        put(j, sum);
    }
}

}
