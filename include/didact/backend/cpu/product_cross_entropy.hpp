#pragma once
#include "didact/backend/cpu/cross_entropy.hpp"
#include "didact/backend/cpu/factor.hpp"

namespace didact {

/// Of how many logits the gradient is best computed at once: 64 MB of floats, as each block of rows reads the whole
/// vocabulary and adds to its whole gradient. Four times as many, in as many bytes each, where they become factors:
/// those two then take the larger part of the time.
template <CpuBackend B>
std::size_t logits_at_once(B) {
    return std::size_t(1) << (cpu::makes_factors<B>(B::independent_rows) ? 26 : 24);
}

/// cross_entropy_forward of logits that are a product, a op(b) + bias, without class weights. a: (rows, terms), bias:
/// (1, C) or empty. The logits of at most `block_rows` rows are in memory at once, and none where makes_factors(rows).
template <CpuBackend B>
void product_cross_entropy_forward(Context<B>& context, const Factor<B>& a, Transpose transpose_b, const Factor<B>& b,
                                   View<const Scalar<B>> bias, std::span<const std::int32_t> labels, double smoothing,
                                   std::size_t block_rows, std::span<Scalar<B>> log_sums, std::span<Scalar<B>> losses) {
    using T = Scalar<B>;
    const ArenaScope scope(context.arena);
    const std::size_t classes = transpose_b == Transpose::yes ? b.rows : b.cols;
#if DIDACT_WITH_AMX
    if constexpr (!std::is_same_v<Factor<B>, View<const T>>)
        if (cpu::makes_factors<B>(a.rows)) {
            // Of each row's pieces: the largest logit, the sum of exponentials less that, and of the logits.
            using Maker = cpu::AmxFactorMaker<T>;
            const std::size_t across = tile_count(classes, Maker::piece_cols);
            const View<T> tops = context.scratch(a.rows, across), sums = context.scratch(a.rows, across);
            const View<T> totals = smoothing > 0 ? context.scratch(a.rows, across) : View<T>();
            const std::span<T> gold = context.arena.template array<T>(a.rows);
            const typename cpu::AmxGemm<T>::Pieces multiply(context, Transpose::no, a, transpose_b, b);
            Maker::for_each_piece(
                context, a.rows, classes, Maker::Order::down_columns, [&](TileRange rows, TileRange cols, T* buffer) {
                    const View<T> logits(buffer, rows.size(), cols.size());
                    multiply(rows, cols, logits, false, bias);
                    for (std::size_t r = 0; r < logits.rows; ++r) {
                        const std::size_t i = rows.begin + r, piece = cols.begin / Maker::piece_cols;
                        const std::size_t label = std::size_t(labels[i]);
                        const T* const z = logits.row(r);
                        tops(i, piece) = cpu::largest<T>(logits.cols, z);
                        sums(i, piece) = cpu::shifted_exponentials<T>(logits.cols, z, tops(i, piece), nullptr);
                        if (!totals.empty())
                            totals(i, piece) = cpu::lane_sum<T>(logits.cols, [&](std::size_t j) { return z[j]; });
                        if (label >= cols.begin && label < cols.end) gold[i] = z[label - cols.begin];
                    }
                });
            return cpu::for_each_row(context, a.rows, across, [&](std::size_t i) {
                const T top = cpu::largest<T>(across, tops.row(i));
                T sum = 0, total = 0;
                for (std::size_t p = 0; p < across; ++p) sum += sums(i, p) * std::exp(tops(i, p) - top);
                log_sums[i] = top + std::log(sum);
                losses[i] = T(1 - smoothing) * (log_sums[i] - gold[i]);
                if (totals.empty()) return;
                for (std::size_t p = 0; p < across; ++p) total += totals(i, p);
                losses[i] += T(smoothing) * (log_sums[i] - total / T(classes));
            });
        }
#endif
    for (std::size_t begin = 0; begin < a.rows; begin += block_rows) {
        const ArenaScope block(context.arena);
        const std::size_t count = std::min(block_rows, a.rows - begin);
        const View<T> logits = context.scratch(count, classes);
        gemm(context, Transpose::no, View<const T>(a).middle_rows(begin, count), transpose_b, b, logits, false, bias);
        cross_entropy_forward(context, logits, labels.subspan(begin, count), smoothing, log_sums.subspan(begin, count),
                              losses.subspan(begin, count));
    }
}

/// cross_entropy_backward of those logits, as a factor; its values are there where products of so many rows take them.
template <CpuBackend B>
Factor<B> product_cross_entropy_gradient(Context<B>& context, const Factor<B>& a, Transpose transpose_b,
                                         const Factor<B>& b, View<const Scalar<B>> bias,
                                         std::span<const std::int32_t> labels, double smoothing,
                                         std::span<const Scalar<B>> log_sums, std::span<const Scalar<B>> weights,
                                         FactorUses uses) {
    using T = Scalar<B>;
    const std::size_t classes = transpose_b == Transpose::yes ? b.rows : b.cols;
#if DIDACT_WITH_AMX
    if constexpr (!std::is_same_v<Factor<B>, View<const T>>)
        if (cpu::makes_factors<B>(a.rows))
            return cpu::factor_of_product<B>(
                context, a, transpose_b, b, a.rows, classes, uses,
                [&](const auto& multiply, TileRange rows, TileRange cols, View<T> piece) -> View<const T> {
                    multiply(rows, cols, piece, false, bias);
                    for (std::size_t r = 0; r < piece.rows; ++r) {
                        const std::size_t i = rows.begin + r;
                        cpu::cross_entropy_gradient_row<T>(cols.begin, piece.cols, piece.row(r), log_sums[i],
                                                           weights[i], T(smoothing / double(classes)),
                                                           std::size_t(labels[i]), T(1 - smoothing), piece.row(r));
                    }
                    return piece;
                });
#endif
    const View<T> logits = context.scratch(a.rows, classes);
    gemm(context, Transpose::no, a, transpose_b, b, logits, false, bias);
    cross_entropy_backward(context, logits, labels, smoothing, log_sums, weights, logits);
    return factor<B>(context, logits, uses);
}

}
