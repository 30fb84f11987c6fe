#pragma once
#include <array>
#include <cmath>
#include <utility>

#include "didact/backend/cpu/packet.hpp"
#include "didact/core/view.hpp"

namespace didact::cpu {

/// Products without packing: registers hold a tile of C, and each term of its sums is a column of op(A) times a row of
/// B. For operands that lie in the nearer caches, a product small enough that calling a library costs more.
template <class T>
struct OuterGemm {
    static constexpr bool many_registers = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32;
    static constexpr std::size_t lanes = packet_size<T>, most_packets = many_registers ? 4 : 2;

    /// So many rows of a tile as the registers hold beside a row of B and an element of A.
    template <std::size_t packets>
    static constexpr std::size_t most_rows =
        many_registers ? std::array{0, 16, 12, 8, 6}[packets] : std::array{0, 8, 6}[packets];
    /// The rows of C that one pass over B serves.
    static constexpr std::size_t rows_at_once = most_rows<most_packets>;

    /// op(A): A or its transpose.
    struct Left {
        const T* data;
        std::size_t row_stride, depth_stride;
        const T& operator()(std::size_t i, std::size_t d) const { return data[i * row_stride + d * depth_stride]; }
    };
    static Left left(View<const T> a) { return {a.data, a.stride, 1}; }
    static Left transposed(View<const T> a) { return {a.data, 1, a.stride}; }

    /// C = op(A) B, or C += that. op(A): (m, depth), B: (depth, n), C: (m, n). The bits of a row depend on its operands
    /// alone.
    static void product(const Left& a, std::size_t depth, View<const T> b, View<T> c, bool accumulate) {
        // A few rows of B stay in the first cache, so C is written from its first row to its last.
        if (depth > short_depth) return all_rows(a, depth, b, c, accumulate);
        for (std::size_t i = 0; i < c.rows; i += rows_at_once)
            all_rows({a.data + i * a.row_stride, a.row_stride, a.depth_stride}, depth, b,
                     c.middle_rows(i, std::min(rows_at_once, c.rows - i)), accumulate);
    }

  private:
    static constexpr std::size_t short_depth = 16;

    static void all_rows(const Left& a, std::size_t depth, View<const T> b, View<T> c, bool accumulate) {
        std::size_t j = 0;
        for (; j + most_packets * lanes <= c.cols; j += most_packets * lanes)
            columns<most_packets>(a, depth, b, c, j, accumulate);
        const std::size_t packets = (c.cols - j) / lanes;
        if constexpr (most_packets > 2) {
            if (packets == 3) columns<3>(a, depth, b, c, j, accumulate);
            if (packets == 2) columns<2>(a, depth, b, c, j, accumulate);
        }
        if (packets == 1) columns<1>(a, depth, b, c, j, accumulate);
        for (j += packets * lanes; j < c.cols; ++j)
            for (std::size_t i = 0; i < c.rows; ++i) {
                T sum = accumulate ? c(i, j) : T(0);
                for (std::size_t d = 0; d < depth; ++d) sum = std::fma(a(i, d), b(d, j), sum);
                c(i, j) = sum;
            }
    }

    template <std::size_t packets>
    static void columns(const Left& a, std::size_t depth, View<const T> b, View<T> c, std::size_t j, bool accumulate) {
        rows<packets, most_rows<packets>>(a, depth, b, c, 0, j, accumulate);
    }

    /// Tiles of `count` rows from row i on, then of half as many.
    template <std::size_t packets, std::size_t count>
    static void rows(const Left& a, std::size_t depth, View<const T> b, View<T> c, std::size_t i, std::size_t j,
                     bool accumulate) {
        for (; i + count <= c.rows; i += count) tile<packets, count>(a, depth, b, c, i, j, accumulate);
        if constexpr (count > 1)
            if (i < c.rows) rows<packets, count / 2>(a, depth, b, c, i, j, accumulate);
    }

    /// The loops over the tile are unrolled by pragmas: at -O2 GCC would leave the sums in memory, which takes twice as
    /// long. 16 is the most rows that a tile has. A function of its own, as one with several of them has too few
    /// registers for some.
    template <std::size_t packets, std::size_t count>
    [[gnu::noinline]] static void tile(const Left& a, std::size_t depth, View<const T> b, View<T> c, std::size_t i,
                                       std::size_t j, bool accumulate) {
        Packet<T> sums[count][packets];
#pragma GCC unroll 16
        for (std::size_t r = 0; r < count; ++r)
#pragma GCC unroll 16
            for (std::size_t s = 0; s < packets; ++s)
                sums[r][s] = accumulate ? load<T>(c.row(i + r) + j + s * lanes) : constant(T(0));
        for (std::size_t d = 0; d < depth; ++d) {
            Packet<T> right[packets];
#pragma GCC unroll 16
            for (std::size_t s = 0; s < packets; ++s) right[s] = load<T>(b.row(d) + j + s * lanes);
#pragma GCC unroll 16
            for (std::size_t r = 0; r < count; ++r) {
                const Packet<T> left = constant(a(i + r, d));
#pragma GCC unroll 16
                for (std::size_t s = 0; s < packets; ++s)
                    sums[r][s] = Eigen::internal::pmadd(left, right[s], sums[r][s]);
            }
        }
#pragma GCC unroll 16
        for (std::size_t r = 0; r < count; ++r)
#pragma GCC unroll 16
            for (std::size_t s = 0; s < packets; ++s) store<T>(c.row(i + r) + j + s * lanes, sums[r][s]);
    }
};

}
