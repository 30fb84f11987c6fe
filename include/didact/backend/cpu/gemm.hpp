#pragma once
#include <algorithm>
#include <type_traits>

#include "didact/backend/cpu/amx_gemm.hpp"
#include "didact/backend/cpu/eigen_gemm.hpp"
#include "didact/backend/cpu/elements.hpp"
#include "didact/backend/cpu/thin_gemm.hpp"
#include "didact/core/error.hpp"
#if DIDACT_WITH_ONEDNN
#include "didact/backend/cpu/onednn_bf16_gemm.hpp"
#include "didact/backend/cpu/onednn_gemm.hpp"
#endif

namespace didact {

namespace cpu {

/// Who multiplies matrices of T. A provider sets C to op(A) op(B), or adds that to it, on the calling thread,
/// all row-major, and its bits depend on nothing but the operands; where op(A) is A itself, not even on the other rows,
/// once incomplete_rows(rows) rows are filled up to row_panel(). Rows are cut at multiples of row_panel(), columns at
/// multiples of `column_panel`, into tiles of at most largest_tile(). A and B are of the provider's `Operand`.
#if DIDACT_WITH_ONEDNN
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

/// One of the operands of a product.
template <class Provider>
using GemmOperand = View<const typename Provider::Operand>;

/// C = op(A) op(B), or C += that, on the calling thread. C: (m, n), op(A): (m, k), op(B): (k, n), all
/// row-major.
template <class Provider, class T>
void gemm_tile(Transpose transpose_a, GemmOperand<Provider> a, Transpose transpose_b, GemmOperand<Provider> b,
               View<T> c, bool accumulate) {
    if (c.rows == 0 || c.cols == 0) return;
    if ((transpose_a == Transpose::no ? a.cols : a.rows) > 0)
        Provider::product(transpose_a, a, transpose_b, b, c, accumulate);
    else if (!accumulate)
        fill_rows<T>(c, {});
}

/// C = A op(B), or C += that, in full panels of rows only, the last of them filled up with zeros: a row of C is a
/// function of its row of A alone, in whatever company it comes.
template <class Provider, class T>
void gemm_full_panels(GemmOperand<Provider> a, Transpose transpose_b, GemmOperand<Provider> b, View<T> c,
                      bool accumulate) {
    using Operand = typename Provider::Operand;
    const std::size_t panel = Provider::row_panel(), rest = Provider::incomplete_rows(c.rows);
    if (rest == 0) return gemm_tile<Provider>(Transpose::no, a, transpose_b, b, c, accumulate);
    // A call packs all of B, which costs more than to copy a few rows.
    const std::size_t begin = c.rows <= 128 ? 0 : c.rows - rest, rows = c.rows - begin;
    if (begin > 0)
        gemm_tile<Provider>(Transpose::no, a.middle_rows(0, begin), transpose_b, b, c.middle_rows(0, begin),
                            accumulate);
    const std::size_t filled = (rows + panel - 1) / panel * panel;
    const View<Operand> x(thread_scratch<Operand, 3>(filled * a.cols), filled, a.cols);
    const View<T> y(thread_scratch<T, 6>(filled * c.cols), filled, c.cols);
    for (std::size_t i = 0; i < rows; ++i) {
        std::copy_n(a.row(begin + i), a.cols, x.row(i));
        if (accumulate) std::copy_n(c.row(begin + i), c.cols, y.row(i));
    }
    std::fill(x.row(rows), x.row(filled), Operand{});
    if (accumulate) std::fill(y.row(rows), y.row(filled), T(0));
    gemm_tile<Provider>(Transpose::no, x, transpose_b, b, y, accumulate);
    for (std::size_t i = 0; i < rows; ++i) std::copy_n(y.row(i), c.cols, c.row(begin + i));
}

/// C = op(A) op(B) + bias, or C += op(A) op(B), cut into tiles of C whose size depends on the shape only.
template <class Provider, CpuBackend B>
void gemm_in_tiles(Context<B>& context, Transpose transpose_a, GemmOperand<Provider> a, Transpose transpose_b,
                   GemmOperand<Provider> b, View<Scalar<B>> c, bool accumulate, View<const Scalar<B>> bias) {
    using T = Scalar<B>;
    using Operand = GemmOperand<Provider>;
    const std::size_t k = transpose_a == Transpose::no ? a.cols : a.rows;
    // The longer side is cut: each tile packs all of the other operand.
    const bool by_rows = c.rows >= c.cols;
    const std::size_t extent = by_rows ? c.rows : c.cols;
    const bool small = c.rows * c.cols * k < std::size_t(64) * 64 * 64;
    const bool thin =
        std::is_same_v<typename Provider::Operand, T> && ThinGemm<T>::serves(transpose_a, transpose_b, a.rows);
    // Cut where the provider's panels end, or a sum would depend on the cut. Without a provider none does.
    const std::size_t unit = thin ? 64 : by_rows ? Provider::row_panel() : Provider::column_panel;
    const auto rounded_up = [&](std::size_t size) { return (size + unit - 1) / unit * unit; };
    const std::size_t most = Provider::largest_tile() / unit * unit;
    const std::size_t width = small ? extent : std::clamp(rounded_up(extent / 8), rounded_up(64), most);
    const auto multiply = [&](Operand left, Operand right, View<T> part, View<const T> part_of_bias) {
        if (!part_of_bias.empty()) fill_rows(part, part_of_bias);
        const bool add = accumulate || !part_of_bias.empty();
        if constexpr (std::is_same_v<typename Provider::Operand, T>)
            if (thin) return ThinGemm<T>::product(transpose_a, left, transpose_b, right, part, add);
        if (transpose_a == Transpose::no)
            gemm_full_panels<Provider>(left, transpose_b, right, part, add);
        else
            gemm_tile<Provider>(transpose_a, left, transpose_b, right, part, add);
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

/// `x`, each number rounded to bf16 and kept as an Operand, with rows of zeros up to a multiple of `panel`. In the
/// step's memory.
template <class Operand, CpuBackend B>
View<const Operand> rounded(Context<B>& context, View<const Scalar<B>> x, std::size_t panel) {
    const std::size_t rows = (x.rows + panel - 1) / panel * panel;
    const View<Operand> out = context.arena.template matrix<Operand>(rows, x.cols);
    for_each_row(context, rows, x.cols, [&](std::size_t i) {
        Operand* const to = out.row(i);
        if (i < x.rows)
            map_elements(x.cols, to, [from = x.row(i)](std::size_t j) { return Operand(bf16::nearest(from[j])); });
        else
            std::fill_n(to, x.cols, Operand{});
    });
    return out;
}

}

/// C = op(A) op(B) + bias, or C += op(A) op(B). C: (m, n), op(A): (m, k), op(B): (k, n), bias: (1, n) or empty.
/// The bits do not depend on the number of threads. Where A is not transposed, a row of C has the same bits whatever
/// the other rows are, and however many as long as they are all within ThinGemm::most or all beyond it. With Cpu<bf16>
/// those beyond it are sums in float of products of operands rounded to bf16. A factor without values is an Error where
/// it is not made for the product, and in products of few rows.
template <CpuBackend B>
void gemm(Context<B>& context, Transpose transpose_a, const Factor<B>& a, Transpose transpose_b, const Factor<B>& b,
          View<Scalar<B>> c, bool accumulate = false, View<const Scalar<B>> bias = {}) {
    using T = Scalar<B>;
    const std::size_t k = transpose_a == Transpose::no ? a.cols : a.rows;
    if ((transpose_a == Transpose::no ? a.rows : a.cols) != c.rows ||
        (transpose_b == Transpose::no ? b.rows : b.cols) != k ||
        (transpose_b == Transpose::no ? b.cols : b.rows) != c.cols)
        fail("matrix product of (", a.rows, ", ", a.cols, ")", transpose_a == Transpose::yes ? "ᵀ" : "", " and (",
             b.rows, ", ", b.cols, ")", transpose_b == Transpose::yes ? "ᵀ" : "", " into (", c.rows, ", ", c.cols, ")");
    if constexpr (std::is_same_v<typename B::Operand, T>) {
        cpu::gemm_in_tiles<cpu::GemmProvider<T>>(context, transpose_a, a, transpose_b, b, c, accumulate, bias);
    } else {
        if (cpu::ThinGemm<T>::serves(transpose_a, transpose_b, a.rows)) {
#if DIDACT_WITH_AMX
            require(a.has_values() && b.has_values(), "a product of ", a.rows, " rows needs the values of its factors");
#endif
            return cpu::gemm_in_tiles<cpu::GemmProvider<T>>(context, transpose_a, a, transpose_b, b, c, accumulate,
                                                            bias);
        }
#if DIDACT_WITH_AMX
        if (cpu::AmxGemm<T>::serves())
            return cpu::AmxGemm<T>::product(context, transpose_a, a, transpose_b, b, c, accumulate, bias);
#endif
        const ArenaScope scope(context.arena);
        const auto multiply_rounded = [&]<class Provider>(Provider) {
            using Operand = typename Provider::Operand;
            // A provider that generates code for each shape meets few numbers of terms.
            const bool fills_up = std::is_same_v<Operand, bf16> && transpose_a == Transpose::yes;
            const std::size_t panel = fills_up && transpose_b == Transpose::no ? 64 : 1;
            const View<const Operand> left = cpu::rounded<Operand>(context, a, panel);
            const View<const Operand> right = cpu::rounded<Operand>(context, b, panel);
            cpu::gemm_in_tiles<Provider>(context, transpose_a, left, transpose_b, right, c, accumulate, bias);
        };
#if DIDACT_WITH_ONEDNN
        if (cpu::OneDnnBf16Gemm<T>::serves()) return multiply_rounded(cpu::OneDnnBf16Gemm<T>());
#endif
        multiply_rounded(cpu::GemmProvider<T>());
    }
}

}
