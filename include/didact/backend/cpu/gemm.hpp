#pragma once
#include <algorithm>

#include "didact/backend/cpu/eigen_gemm.hpp"
#include "didact/backend/cpu/thin_gemm.hpp"
#include "didact/core/error.hpp"
#if DIDACT_WITH_ONEDNN
#include "didact/backend/cpu/onednn_gemm.hpp"
#endif

namespace didact {

namespace cpu {

#if DIDACT_WITH_ONEDNN
/// Who multiplies matrices of T. A provider sets C to op(A) op(B), or adds that to it, on the calling thread,
/// all row-major, and its bits depend on nothing but the operands; where op(A) is A itself, not even on the other rows,
/// once incomplete_rows(rows) rows are filled up to row_panel(). Rows are cut at multiples of row_panel(), columns at
/// multiples of `column_panel`, into tiles of at most largest_tile().
template <class T>
using GemmProvider = std::conditional_t<std::is_same_v<T, float>, OneDnnGemm, EigenGemm<T>>;
#else
template <class T>
using GemmProvider = EigenGemm<T>;
#endif

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

/// C = op(A) op(B), or C += that, on the calling thread. C: (m, n), op(A): (m, k), op(B): (k, n), all
/// row-major.
template <class T>
void gemm_tile(Transpose transpose_a, View<const T> a, Transpose transpose_b, View<const T> b, View<T> c,
               bool accumulate) {
    if (c.rows == 0 || c.cols == 0) return;
    if ((transpose_a == Transpose::no ? a.cols : a.rows) > 0)
        GemmProvider<T>::product(transpose_a, a, transpose_b, b, c, accumulate);
    else if (!accumulate)
        fill_rows<T>(c, {});
}

/// C = A op(B), or C += that, in full panels of rows only, the last of them filled up with zeros: a row of C is a
/// function of its row of A alone, in whatever company it comes.
template <class T>
void gemm_full_panels(View<const T> a, Transpose transpose_b, View<const T> b, View<T> c, bool accumulate) {
    const std::size_t panel = GemmProvider<T>::row_panel(), rest = GemmProvider<T>::incomplete_rows(c.rows);
    if (rest == 0) return gemm_tile<T>(Transpose::no, a, transpose_b, b, c, accumulate);
    // A call packs all of B, which costs more than to copy a few rows.
    const std::size_t begin = c.rows <= 128 ? 0 : c.rows - rest, rows = c.rows - begin;
    if (begin > 0)
        gemm_tile<T>(Transpose::no, a.middle_rows(0, begin), transpose_b, b, c.middle_rows(0, begin), accumulate);
    const std::size_t filled = (rows + panel - 1) / panel * panel;
    T* const memory = thread_scratch<T, 3>(filled * (a.cols + c.cols));
    const View<T> x(memory, filled, a.cols), y(memory + filled * a.cols, filled, c.cols);
    for (std::size_t i = 0; i < rows; ++i) {
        std::copy_n(a.row(begin + i), a.cols, x.row(i));
        if (accumulate) std::copy_n(c.row(begin + i), c.cols, y.row(i));
    }
    std::fill(x.row(rows), x.row(filled), T(0));
    if (accumulate) std::fill(y.row(rows), y.row(filled), T(0));
    gemm_tile<T>(Transpose::no, x, transpose_b, b, y, accumulate);
    for (std::size_t i = 0; i < rows; ++i) std::copy_n(y.row(i), c.cols, c.row(begin + i));
}

}

/// C = op(A) op(B) + bias, or C += op(A) op(B). C: (m, n), op(A): (m, k), op(B): (k, n), bias: (1, n) or empty.
/// Cut into tiles of C whose size depends on the shape only, so the bits do not depend on the number of threads. Where
/// A is not transposed, a row of C has the same bits whatever the other rows are, and however many as long as they are
/// all within ThinGemm::most or all beyond it.
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
    // The longer side is cut: each tile packs all of the other operand.
    const bool by_rows = c.rows >= c.cols;
    const std::size_t extent = by_rows ? c.rows : c.cols;
    const bool small = c.rows * c.cols * k < std::size_t(64) * 64 * 64;
    // Cut where the provider's panels end, or a sum would depend on the cut.
    using Provider = cpu::GemmProvider<T>;
    const std::size_t unit = by_rows ? Provider::row_panel() : Provider::column_panel;
    const auto rounded_up = [&](std::size_t size) { return (size + unit - 1) / unit * unit; };
    const std::size_t most = Provider::largest_tile() / unit * unit;
    const std::size_t width = small ? extent : std::clamp(rounded_up(extent / 8), rounded_up(64), most);
    const bool thin = cpu::ThinGemm<T>::serves(transpose_a, transpose_b, a);
    const auto multiply = [&](View<const T> left, View<const T> right, View<T> part, View<const T> part_of_bias) {
        if (!part_of_bias.empty()) cpu::fill_rows(part, part_of_bias);
        const bool add = accumulate || !part_of_bias.empty();
        if (thin)
            cpu::ThinGemm<T>::product(transpose_a, left, transpose_b, right, part, add);
        else if (transpose_a == Transpose::no)
            cpu::gemm_full_panels<T>(left, transpose_b, right, part, add);
        else
            cpu::gemm_tile<T>(transpose_a, left, transpose_b, right, part, add);
    };
    context.pool.for_each_tile(tile_count(extent, std::max<std::size_t>(width, 1)), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, extent);
        if (by_rows) {
            const View<T> part = c.middle_rows(range.begin, range.size());
            multiply(transpose_a == Transpose::no ? a.middle_rows(range.begin, range.size())
                                                  : a.middle_cols(range.begin, range.size()),
                     b, part, bias);
        } else {
            const View<T> part = c.middle_cols(range.begin, range.size());
            multiply(a,
                     transpose_b == Transpose::no ? b.middle_cols(range.begin, range.size())
                                                  : b.middle_rows(range.begin, range.size()),
                     part, bias.empty() ? bias : bias.middle_cols(range.begin, range.size()));
        }
    });
}

}
