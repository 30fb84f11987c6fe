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
    static constexpr std::size_t most = 15;
    /// A tile of C that has room in the registers: rows × packets of columns.
    static constexpr std::size_t tile_rows = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 5 : 2, tile_packets = 4;

    static bool serves(Transpose transpose_a, Transpose transpose_b, std::size_t rows_of_a) {
        return rows_of_a <= most && (transpose_a == Transpose::no || transpose_b == Transpose::no);
    }

    /// C = op(A) op(B), or C += that, where `serves`. The bits of a row depend on its operands alone.
    static void product(Transpose transpose_a, View<const T> a, Transpose transpose_b, View<const T> b, View<T> c,
                        bool accumulate) {
        if (transpose_a == Transpose::no && transpose_b == Transpose::yes) {
            // Rows of B, a weight, come from afar: all of A meets them while they are near.
            const auto columns_from = [&]<std::size_t columns>(std::size_t j, Count<columns>) {
                in_row_tiles(c.rows, [&]<std::size_t rows>(std::size_t i, Count<rows>) {
                    dot_tile<rows, columns>(a, b, c, i, j, accumulate);
                });
            };
            std::size_t j = 0;
            for (; j + tile_packets <= c.cols; j += tile_packets) columns_from(j, Count<tile_packets>());
            for (; j < c.cols; ++j) columns_from(j, Count<1>());
            return;
        }
        OuterGemm<T>::product(transpose_a == Transpose::no ? OuterGemm<T>::left(a) : OuterGemm<T>::transposed(a),
                              transpose_a == Transpose::no ? a.cols : a.rows, b, c, accumulate);
    }

  private:
    template <std::size_t count>
    using Count = std::integral_constant<std::size_t, count>;

    template <class Call>
    static void in_row_tiles(std::size_t rows, const Call& call) {
        std::size_t i = 0;
        for (; i + tile_rows <= rows; i += tile_rows) call(i, Count<tile_rows>());
        for (; i < rows; ++i) call(i, Count<1>());
    }

    /// C(i, j) = A(i, :) · B(j, :), or C += that, for a tile: packets run along the sums and are added up at the end.
    /// Unrolled by pragmas, and a function of its own, for the reasons that OuterGemm::tile gives.
    template <std::size_t rows, std::size_t columns>
    [[gnu::noinline]] static void dot_tile(View<const T> a, View<const T> b, View<T> c, std::size_t i, std::size_t j,
                                           bool accumulate) {
        Packet<T> sums[rows * columns];
#pragma GCC unroll 32
        for (Packet<T>& sum : sums) sum = constant(T(0));
        const std::size_t whole = a.cols / lanes * lanes;
        for (std::size_t d = 0; d < whole; d += lanes) {
            Packet<T> right[columns];
#pragma GCC unroll 16
            for (std::size_t s = 0; s < columns; ++s) right[s] = load<T>(b.row(j + s) + d);
#pragma GCC unroll 16
            for (std::size_t r = 0; r < rows; ++r) {
                Packet<T> left = load<T>(a.row(i + r) + d);
                // Or GCC reads A anew for each column, and the processor waits for what it reads.
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
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t s = 0; s < columns; ++s) {
                T sum = totals[r * columns + s];
                for (std::size_t d = whole; d < a.cols; ++d) sum = std::fma(a(i + r, d), b(j + s, d), sum);
                c(i + r, j + s) = accumulate ? c(i + r, j + s) + sum : sum;
            }
    }
};

}
