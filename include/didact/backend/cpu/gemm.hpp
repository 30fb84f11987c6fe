#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cstring>

#include "didact/backend/cpu/tag.hpp"
#include "didact/core/error.hpp"

namespace didact {

namespace cpu {

/// Uninitialised memory of the calling thread that only ever grows, one array for each `use`. It begins large, so that
/// the shapes of a usual step never make it grow.
template <class T, int use>
T* thread_scratch(std::size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    static thread_local std::size_t size = 0;
    static thread_local AlignedBytes memory;
    if (size < count) {
        size = std::max(count, std::size_t(1) << 19);
        memory = aligned_bytes(size * sizeof(T));
    }
    return reinterpret_cast<T*>(memory.get());
}

/// Blocking of one product for Eigen, in buffers of the calling thread that only ever grow: Eigen's own would come
/// from the heap at every call.
template <class T>
class GemmBlocking : public Eigen::internal::level3_blocking<T, T> {
  public:
    GemmBlocking(Eigen::Index rows, Eigen::Index cols, Eigen::Index depth) {
        this->m_mc = rows;
        this->m_nc = cols;
        this->m_kc = depth;
        Eigen::internal::computeProductBlockingSizes<T, T, 1>(this->m_kc, this->m_mc, this->m_nc, Eigen::Index(1));
        const std::size_t size_a = std::size_t(this->m_kc * this->m_mc), size_b = std::size_t(this->m_kc * this->m_nc);
        this->m_blockA = thread_scratch<T, 1>(size_a);
        this->m_blockB = thread_scratch<T, 2>(size_b);
    }
};

/// C += op(A) op(B) on the calling thread. C: (m, n), op(A): (m, k), op(B): (k, n), all row-major.
template <class T>
void gemm_tile(Transpose transpose_a, View<const T> a, Transpose transpose_b, View<const T> b, View<T> c,
               T factor = T(1)) {
    using Eigen::ColMajor;
    using Eigen::Index;
    using Eigen::RowMajor;
    const Index m = Index(c.rows), n = Index(c.cols), k = Index(transpose_a == Transpose::no ? a.cols : a.rows);
    if (m == 0 || n == 0 || k == 0) return;
    // Eigen's result is column-major, so it computes Cᵀ = op(B)ᵀ op(A)ᵀ.
    GemmBlocking<T> blocking(n, m, k);
    const auto run = [&]<int left, int right>(std::integral_constant<int, left>, std::integral_constant<int, right>) {
        Eigen::internal::general_matrix_matrix_product<Index, T, left, false, T, right, false, ColMajor, 1>::run(
            n, m, k, b.data, Index(b.stride), a.data, Index(a.stride), c.data, 1, Index(c.stride), factor, blocking,
            nullptr);
    };
    constexpr std::integral_constant<int, ColMajor> by_column;
    constexpr std::integral_constant<int, RowMajor> by_row;
    if (transpose_a == Transpose::no)
        transpose_b == Transpose::no ? run(by_column, by_column) : run(by_row, by_column);
    else
        transpose_b == Transpose::no ? run(by_column, by_row) : run(by_row, by_row);
}

/// Sets every row of `c` to `bias` (1, n), or to zero.
template <class T>
void fill_rows(View<T> c, View<const T> bias) {
    for (std::size_t i = 0; i < c.rows; ++i) {
        if (bias.empty())
            std::fill_n(c.row(i), c.cols, T(0));
        else
            std::copy_n(bias.data, c.cols, c.row(i));
    }
}

/// C += A op(B) in full panels of rows only. Eigen sums the rows of an incomplete panel in another order; filled up
/// with zeros, a row of C is a function of its row of A alone, in whatever company it comes.
template <class T>
void gemm_full_panels(View<const T> a, Transpose transpose_b, View<const T> b, View<T> c) {
    constexpr std::size_t panel = Eigen::internal::gebp_traits<T, T>::nr;
    const std::size_t rest = c.rows % panel;
    if (rest == 0) return gemm_tile<T>(Transpose::no, a, transpose_b, b, c);
    // A call packs all of B, which costs more than to copy a few rows.
    const std::size_t begin = c.rows <= 128 ? 0 : c.rows - rest, rows = c.rows - begin;
    if (begin > 0) gemm_tile<T>(Transpose::no, a.middle_rows(0, begin), transpose_b, b, c.middle_rows(0, begin));
    const std::size_t filled = (rows + panel - 1) / panel * panel;
    T* const memory = thread_scratch<T, 3>(filled * (a.cols + c.cols));
    const View<T> x(memory, filled, a.cols), y(memory + filled * a.cols, filled, c.cols);
    for (std::size_t i = 0; i < rows; ++i) {
        std::copy_n(a.row(begin + i), a.cols, x.row(i));
        std::copy_n(c.row(begin + i), c.cols, y.row(i));
    }
    std::fill(x.row(rows), x.row(filled), T(0));
    std::fill(y.row(rows), y.row(filled), T(0));
    gemm_tile<T>(Transpose::no, x, transpose_b, b, y);
    for (std::size_t i = 0; i < rows; ++i) std::copy_n(y.row(i), c.cols, c.row(begin + i));
}

}

/// C = op(A) op(B) + bias, or C += op(A) op(B). C: (m, n), op(A): (m, k), op(B): (k, n), bias: (1, n) or empty.
/// Cut into tiles of C whose size depends on the shape only, so the bits do not depend on the number of threads. Where
/// A is not transposed, a row of C has the same bits whatever the other rows are and however many.
template <class T>
void gemm(Context<Cpu<T>>& context, Transpose transpose_a, View<const std::type_identity_t<T>> a, Transpose transpose_b,
          View<const std::type_identity_t<T>> b, View<T> c, bool accumulate = false,
          View<const std::type_identity_t<T>> bias = {}) {
    const std::size_t k = transpose_a == Transpose::no ? a.cols : a.rows;
    if ((transpose_a == Transpose::no ? a.rows : a.cols) != c.rows ||
        (transpose_b == Transpose::no ? b.rows : b.cols) != k ||
        (transpose_b == Transpose::no ? b.cols : b.rows) != c.cols)
        fail("matrix product of (", a.rows, ", ", a.cols, ")", transpose_a == Transpose::yes ? "ᵀ" : "", " and (",
             b.rows, ", ", b.cols, ")", transpose_b == Transpose::yes ? "ᵀ" : "", " into (", c.rows, ", ", c.cols, ")");
    const bool by_rows = c.rows >= 64 || c.rows >= c.cols;
    const std::size_t extent = by_rows ? c.rows : c.cols;
    const bool small = c.rows * c.cols * k < std::size_t(64) * 64 * 64;
    // Columns are cut where Eigen's panels of them end, or a column's sum would depend on the cut.
    const std::size_t unit = by_rows ? 16 : Eigen::internal::gebp_traits<T, T>::mr;
    const auto rounded_up = [&](std::size_t size) { return (size + unit - 1) / unit * unit; };
    const std::size_t width = small ? extent : std::clamp(rounded_up(extent / 8), rounded_up(64), 512 / unit * unit);
    const auto multiply = [&](View<const T> left, View<const T> right, View<T> part) {
        if (transpose_a == Transpose::no)
            cpu::gemm_full_panels<T>(left, transpose_b, right, part);
        else
            cpu::gemm_tile<T>(transpose_a, left, transpose_b, right, part);
    };
    context.pool.for_each_tile(tile_count(extent, std::max<std::size_t>(width, 1)), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, extent);
        if (by_rows) {
            const View<T> part = c.middle_rows(range.begin, range.size());
            if (!accumulate) cpu::fill_rows(part, bias);
            multiply(transpose_a == Transpose::no ? a.middle_rows(range.begin, range.size())
                                                  : a.middle_cols(range.begin, range.size()),
                     b, part);
        } else {
            const View<T> part = c.middle_cols(range.begin, range.size());
            if (!accumulate) cpu::fill_rows(part, bias.empty() ? bias : bias.middle_cols(range.begin, range.size()));
            multiply(a,
                     transpose_b == Transpose::no ? b.middle_cols(range.begin, range.size())
                                                  : b.middle_rows(range.begin, range.size()),
                     part);
        }
    });
}

}
