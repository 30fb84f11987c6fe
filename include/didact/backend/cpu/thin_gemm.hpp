#pragma once
#include <Eigen/Core>
#include <algorithm>

#include "didact/backend/cpu/tag.hpp"

namespace didact::cpu {

/// Products of few rows (or, for A transposed, of few terms a sum) straight from where the operands lie. A library
/// packs a whole weight for them first, which takes longer than the product.
template <class T>
struct ThinGemm {
    using Packet = typename Eigen::internal::packet_traits<T>::type;
    static constexpr std::size_t lanes = std::size_t(Eigen::internal::unpacket_traits<Packet>::size);
    /// Up to how many rows, or terms, this is the faster way.
    static constexpr std::size_t most = 15;
    /// A tile of C that has room in the registers: rows × packets of columns.
    static constexpr std::size_t tile_rows = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 5 : 2, tile_packets = 4;

    static bool serves(Transpose transpose_a, Transpose transpose_b, View<const T> a) {
        return a.rows <= most && (transpose_a == Transpose::no || transpose_b == Transpose::no);
    }

    /// C += op(A) op(B) where `serves`. The bits of a row depend on its operands alone.
    static void add_product(Transpose transpose_a, View<const T> a, Transpose transpose_b, View<const T> b, View<T> c) {
        if (transpose_a == Transpose::no && transpose_b == Transpose::yes)
            return in_row_tiles(c.rows, [&]<std::size_t rows>(std::size_t i, Count<rows>) {
                std::size_t j = 0;
                for (; j + tile_packets <= c.cols; j += tile_packets) dot_tile<rows, tile_packets>(a, b, c, i, j);
                for (; j < c.cols; ++j) dot_tile<rows, 1>(a, b, c, i, j);
            });
        const Left left = transpose_a == Transpose::no ? Left{a.data, a.stride, 1} : Left{a.data, 1, a.stride};
        const std::size_t depth = transpose_a == Transpose::no ? a.cols : a.rows;
        in_row_tiles(c.rows, [&]<std::size_t rows>(std::size_t i, Count<rows>) {
            std::size_t j = 0;
            for (; j + tile_packets * lanes <= c.cols; j += tile_packets * lanes)
                outer_tile<rows, tile_packets>(left, depth, b, c, i, j);
            for (; j + lanes <= c.cols; j += lanes) outer_tile<rows, 1>(left, depth, b, c, i, j);
            for (; j < c.cols; ++j)
                for (std::size_t r = i; r < i + rows; ++r) {
                    T sum = c(r, j);
                    for (std::size_t d = 0; d < depth; ++d) sum = std::fma(left(r, d), b(d, j), sum);
                    c(r, j) = sum;
                }
        });
    }

  private:
    template <std::size_t count>
    using Count = std::integral_constant<std::size_t, count>;

    /// A or its transpose.
    struct Left {
        const T* data;
        std::size_t row_stride, depth_stride;
        const T& operator()(std::size_t i, std::size_t d) const { return data[i * row_stride + d * depth_stride]; }
    };

    template <class Call>
    static void in_row_tiles(std::size_t rows, const Call& call) {
        std::size_t i = 0;
        for (; i + tile_rows <= rows; i += tile_rows) call(i, Count<tile_rows>());
        for (; i < rows; ++i) call(i, Count<1>());
    }

    /// C(i, j) += A(i, :) · B(j, :) for a tile: packets run along the sums and are added up at the end.
    template <std::size_t rows, std::size_t columns>
    static void dot_tile(View<const T> a, View<const T> b, View<T> c, std::size_t i, std::size_t j) {
        using namespace Eigen::internal;
        Packet sums[rows][columns];
        for (auto& row : sums)
            for (Packet& sum : row) sum = pset1<Packet>(T(0));
        const std::size_t whole = a.cols / lanes * lanes;
        for (std::size_t d = 0; d < whole; d += lanes) {
            Packet right[columns];
            for (std::size_t s = 0; s < columns; ++s) right[s] = ploadu<Packet>(b.row(j + s) + d);
            for (std::size_t r = 0; r < rows; ++r) {
                const Packet left = ploadu<Packet>(a.row(i + r) + d);
                for (std::size_t s = 0; s < columns; ++s) sums[r][s] = pmadd(left, right[s], sums[r][s]);
            }
        }
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t s = 0; s < columns; ++s) {
                T sum = predux(sums[r][s]);
                for (std::size_t d = whole; d < a.cols; ++d) sum = std::fma(a(i + r, d), b(j + s, d), sum);
                c(i + r, j + s) += sum;
            }
    }

    /// C(i, j...) += Σ_d A(i, d) B(d, j...) for a tile: packets run along a row of C.
    template <std::size_t rows, std::size_t packets>
    static void outer_tile(const Left& a, std::size_t depth, View<const T> b, View<T> c, std::size_t i, std::size_t j) {
        using namespace Eigen::internal;
        Packet sums[rows][packets];
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t s = 0; s < packets; ++s) sums[r][s] = ploadu<Packet>(c.row(i + r) + j + s * lanes);
        for (std::size_t d = 0; d < depth; ++d) {
            Packet right[packets];
            for (std::size_t s = 0; s < packets; ++s) right[s] = ploadu<Packet>(b.row(d) + j + s * lanes);
            for (std::size_t r = 0; r < rows; ++r) {
                const Packet left = pset1<Packet>(a(i + r, d));
                for (std::size_t s = 0; s < packets; ++s) sums[r][s] = pmadd(left, right[s], sums[r][s]);
            }
        }
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t s = 0; s < packets; ++s) pstoreu(c.row(i + r) + j + s * lanes, sums[r][s]);
    }
};

}
