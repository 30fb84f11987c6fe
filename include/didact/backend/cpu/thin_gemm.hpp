#pragma once
#include <Eigen/Core>
#include <algorithm>

#include "didact/backend/cpu/outer_gemm.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact::cpu {

/// Products of few rows (or, for A transposed, of few terms a sum) straight from where the operands lie. A library
/// packs a whole weight for them first, which takes longer than the product.
template <class T>
struct ThinGemm {
    static constexpr std::size_t lanes = packet_size<T>;
    /// Up to how many rows, or terms, this is the faster way.
    static constexpr std::size_t most = Cpu<T>::independent_rows - 1;
    /// A tile of C: at most so many rows, and the columns that the registers have room for, beside a packet of each row
    /// of B and one of A. Of the tiles that fill 16 registers, 4 rows of 3 columns take the fewest loads.
    static constexpr std::size_t registers = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS,
                                 most_rows = registers >= 32 ? 6 : 4;
    template <std::size_t rows>
    static constexpr std::size_t columns_beside = std::min<std::size_t>((registers - 1) / (rows + 1), 8);

    static bool serves(Transpose transpose_a, Transpose transpose_b, std::size_t rows_of_a) {
        return rows_of_a <= most && (transpose_a == Transpose::no || transpose_b == Transpose::no);
    }

    /// C = op(A) op(B), or C += that, where `serves`. The bits of a row depend on its operands alone.
    static void product(Transpose transpose_a, View<const T> a, Transpose transpose_b, View<const T> b, View<T> c,
                        bool accumulate) {
        if (transpose_a == Transpose::no && transpose_b == Transpose::yes) {
            in_even_tiles<most_rows>(c.rows, [&]<std::size_t rows>(Count<rows>, std::size_t high_rows) {
                dots<rows>(a, b, c, high_rows, accumulate);
            });
            return;
        }
        OuterGemm<T>::product(transpose_a == Transpose::no ? OuterGemm<T>::left(a) : OuterGemm<T>::transposed(a),
                              transpose_a == Transpose::no ? a.cols : a.rows, b, c, accumulate);
    }

  private:
    /// C in tiles of `rows` rows for the first `high_rows`, then of one row less. Rows of B, a weight, come from afar:
    /// all of A meets them while they are near.
    template <std::size_t rows>
    static void dots(View<const T> a, View<const T> b, View<T> c, std::size_t high_rows, bool accumulate) {
        const auto columns_from = [&]<std::size_t columns>(std::size_t j, Count<columns>, std::size_t done) {
            dot_tiles<rows, columns>(a, b, c, 0, high_rows, j, done, accumulate);
            if constexpr (rows > 1)
                if (high_rows < c.rows) dot_tiles<rows - 1, columns>(a, b, c, high_rows, c.rows, j, done, accumulate);
        };
        constexpr std::size_t columns = columns_beside<rows>;
        std::size_t j = 0;
        for (; j + columns <= c.cols; j += columns) columns_from(j, Count<columns>(), 0);
        // One tile, for which some columns are computed again, takes less time than a narrow one for each that is left.
        if (j < c.cols && columns <= c.cols)
            return columns_from(c.cols - columns, Count<columns>(), j + columns - c.cols);
        for (; j < c.cols; ++j) columns_from(j, Count<1>(), 0);
    }

    /// C(i, j) = A(i, :) · B(j, :), or C += that, in tiles for the rows from i to `end`, but for a tile's columns that
    /// are `done`: packets run along the sums and are added up at the end. Unrolled by pragmas, and a function of its
    /// own, for the reasons that OuterGemm::tiles gives.
    template <std::size_t rows, std::size_t columns>
    [[gnu::noinline]] static void dot_tiles(View<const T> a, View<const T> b, View<T> c, std::size_t i, std::size_t end,
                                            std::size_t j, std::size_t done, bool accumulate) {
        const std::size_t whole = a.cols / lanes * lanes, stride = a.stride;
        const T *of_a = a.row(i), *const of_b = b.row(j);
        T* out = c.row(i) + j;
        for (; i < end; i += rows, of_a += rows * stride) {
            Packet<T> sums[rows * columns];
#pragma GCC unroll 32
            for (Packet<T>& sum : sums) sum = constant(T(0));
            for (std::size_t d = 0; d < whole; d += lanes) {
                // The barriers keep GCC from reading an operand anew for each product: the processor would wait.
                Packet<T> right[columns];
#pragma GCC unroll 16
                for (std::size_t s = 0; s < columns; ++s) {
                    right[s] = load<T>(of_b + s * b.stride + d);
                    if constexpr (rows > 1) {
                        EIGEN_OPTIMIZATION_BARRIER(right[s])
                    }
                }
#pragma GCC unroll 16
                for (std::size_t r = 0; r < rows; ++r) {
                    Packet<T> left = load<T>(of_a + r * stride + d);
                    EIGEN_OPTIMIZATION_BARRIER(left)
#pragma GCC unroll 16
                    for (std::size_t s = 0; s < columns; ++s) {
                        Packet<T>& sum = sums[r * columns + s];
                        sum = Eigen::internal::pmadd(left, right[s], sum);
                    }
                }
            }
            T totals[rows * columns + lanes];
            sums_of_lanes<T, rows * columns>(sums, totals);
            if (whole < a.cols)
                for (std::size_t r = 0; r < rows; ++r)
                    for (std::size_t s = 0; s < columns; ++s)
                        for (std::size_t d = whole; d < a.cols; ++d)
                            totals[r * columns + s] =
                                std::fma(of_a[r * stride + d], of_b[s * b.stride + d], totals[r * columns + s]);
            for (std::size_t r = 0; r < rows; ++r, out += c.stride)
                for (std::size_t s = done; s < columns; ++s)
                    out[s] = accumulate ? out[s] + totals[r * columns + s] : totals[r * columns + s];
        }
    }
};

}
