#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "didact/backend/cpu/packet.hpp"
#include "didact/core/deferred_products.hpp"
#include "didact/core/view.hpp"

namespace didact::cpu {

/// So many rows are looked at together: a number known to the compiler makes vectors.
inline constexpr std::size_t sparse_rows_at_once = 16;

/// A row of Aᵀ without its zeros: ReLU makes about half of a gradient zero.
template <class T>
struct NonzeroTerms {
    static constexpr std::size_t most = DeferredProducts<T>::most_terms;
    static_assert(most <= 64);

    View<const T> column; ///< of A: (terms, 1)
    std::uint64_t places; ///< bit d: whether element d is not zero
};

/// places[i] = the places of `NonzeroTerms` for column i of A, of at most `most` rows; how many bits there are.
template <class T>
std::size_t find_nonzeros(View<const T> a, std::uint64_t* places) {
    constexpr std::size_t at_once = sparse_rows_at_once;
    std::size_t i = 0, count = 0;
    for (; i + at_once <= a.cols; i += at_once) {
        std::array<std::uint64_t, at_once> of_columns{};
        for (std::size_t d = 0; d < a.rows; ++d) {
            const T* const row = a.row(d) + i;
            for (std::size_t k = 0; k < at_once; ++k) of_columns[k] |= std::uint64_t(row[k] != T(0)) << d;
        }
        std::copy_n(of_columns.data(), at_once, places + i);
    }
    for (; i < a.cols; ++i) {
        places[i] = 0;
        for (std::size_t d = 0; d < a.rows; ++d) places[i] |= std::uint64_t(a(d, i) != T(0)) << d;
    }
    for (i = 0; i < a.cols; ++i) count += std::size_t(std::popcount(places[i]));
    return count;
}

/// put(j, the sum of the terms' factors times b's elements from column j on) for columns [j, end), in packets as long
/// as they fit, then element by element. Bits as if the zeros were there, but for the sign of a zero.
template <class T, std::size_t packets = 8, class Put>
void for_each_sum(const NonzeroTerms<T>& terms, View<const T> b, std::size_t j, std::size_t end, Put put) {
    constexpr std::size_t lanes = packet_size<T>;
    for (; j + packets * lanes <= end; j += packets * lanes) {
        Packet<T> sums[packets];
#pragma GCC unroll 8
        for (Packet<T>& sum : sums) sum = constant(T(0));
        for (std::uint64_t places = terms.places; places != 0; places &= places - 1) {
            const std::size_t d = std::size_t(std::countr_zero(places));
            const Packet<T> factor = constant(terms.column(d, 0));
            const T* const row = b.row(d) + j;
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
        for (std::uint64_t places = terms.places; places != 0; places &= places - 1) {
            const std::size_t d = std::size_t(std::countr_zero(places));
            sum = std::fma(terms.column(d, 0), b(d, j), sum);
        }
        put(j, sum);
    }
}

}
