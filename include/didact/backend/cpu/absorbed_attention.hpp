#pragma once
#include "didact/backend/cpu/attention.hpp"
#include "didact/backend/cpu/thin_gemm.hpp"

namespace didact {

// Attention of one query a sequence, with the projections of keys and values taken over to the queries' side. A key is
// W_k x + b_k, so its score with q is (W_kᵀ q) · x, but for what is the same for all keys; and Σ p (W_v x + b_v) is
// W_v (Σ p x) + (Σ p) b_v. No token's key or value is computed (DeepSeek-AI 2024, arXiv 2405.04434, section 2.1.2,
// "absorbed"). Σ p is 1, unless probabilities are dropped.

namespace cpu {

/// One sequence, its query, and this thread's memory for a row of scores of each head.
template <class T>
struct AbsorbedItem {
    std::size_t first, position, seen; ///< the sequence's first row; its query's place in it; how many rows that sees
    View<T> scores, slopes;            ///< (heads, seen)

    AbsorbedItem(const AttentionShape& shape, std::size_t sequence)
        : first(std::size_t(shape.cu_seqlens[sequence])),
          position(std::size_t(shape.queries[sequence] - shape.cu_seqlens[sequence])),
          seen(shape.causal ? position + 1 : std::size_t(shape.cu_seqlens[sequence + 1]) - first) {
        const std::size_t width = in_packets<T>(seen);
        T* const memory = thread_scratch<T, 0>(2 * shape.num_heads * width);
        scores = View<T>(memory, shape.num_heads, seen, width);
        slopes = View<T>(memory + shape.num_heads * width, shape.num_heads, seen, width);
    }

    View<const T> keys(View<const T> x) const { return x.middle_rows(first, seen); }
    /// The row of a sequence, (1, heads · hidden), with a row for each head.
    template <class U>
    static View<U> heads(const AttentionShape& shape, View<U> rows, std::size_t sequence) {
        return {rows.row(sequence), shape.num_heads, rows.cols / shape.num_heads};
    }
};

}

/// c = Σ p x for each query and head, p being the softmax of scale · u · x over the sequence's rows, with dropout; and
/// `weights`, Σ p. u, c: (sequences, heads · hidden), x: (tokens, hidden), weights: (sequences, heads), log_sums
/// (sequences · heads) as in attention_forward. The shape's queries are one a sequence.
template <CpuBackend B>
void absorbed_attention_forward(Context<B>& context, const AttentionShape& shape, View<const Scalar<B>> u,
                                View<const Scalar<B>> x, View<Scalar<B>> c, View<Scalar<B>> weights,
                                std::span<Scalar<B>> log_sums) {
    using T = Scalar<B>;
    using Item = cpu::AbsorbedItem<T>;
    context.pool.for_each_tile(shape.sequences(), [&](std::size_t s) {
        const Item item(shape, s);
        T* const mask = cpu::thread_scratch<T, 8>(item.seen);
        cpu::ThinGemm<T>::product(Transpose::no, Item::heads(shape, u, s), Transpose::yes, item.keys(x), item.scores,
                                  false);
        for (std::size_t h = 0; h < shape.num_heads; ++h) {
            T* const row = item.scores.row(h);
            cpu::map_elements(item.seen, row, [&](std::size_t j) { return row[j] * T(shape.scale); });
            const T top = cpu::largest<T>(item.seen, row);
            const T sum = cpu::shifted_exponentials<T>(item.seen, row, top, row);
            log_sums[s * shape.num_heads + h] = top + std::log(sum);
            const T factor = T(1 / (1 - shape.dropout)) / sum;
            weights(s, h) = T(1);
            if (shape.dropout == 0) {
                cpu::map_elements(item.seen, row, [&](std::size_t j) { return row[j] * factor; });
                continue;
            }
            cpu::attention_mask(shape, s * shape.num_heads + h, item.position, factor, mask, item.seen, item.seen);
            cpu::map_packets<T>(item.seen, row, cpu::times, row, mask);
            weights(s, h) = cpu::lane_sum<T>(item.seen, [&](std::size_t j) { return row[j]; });
        }
        cpu::OuterGemm<T>::product(cpu::OuterGemm<T>::left(item.scores), item.seen, item.keys(x),
                                   Item::heads(shape, c, s), false);
    });
}

/// Writes du (sequences, heads · hidden), and dx (tokens, hidden), or adds to the latter; an empty dx is not computed.
/// c, weights and log_sums are forward's.
template <CpuBackend B>
void absorbed_attention_backward(Context<B>& context, const AttentionShape& shape, View<const Scalar<B>> u,
                                 View<const Scalar<B>> x, View<const Scalar<B>> c, View<const Scalar<B>> weights,
                                 std::span<const Scalar<B>> log_sums, View<const Scalar<B>> dc,
                                 View<const Scalar<B>> dweights, View<Scalar<B>> du, View<Scalar<B>> dx,
                                 bool accumulate) {
    using T = Scalar<B>;
    using Gemm = cpu::OuterGemm<T>;
    using Item = cpu::AbsorbedItem<T>;
    context.pool.for_each_tile(shape.sequences(), [&](std::size_t s) {
        const Item item(shape, s);
        T* const mask = cpu::thread_scratch<T, 8>(item.seen);
        const View<const T> own = Item::heads(shape, u, s), up = Item::heads(shape, dc, s), keys = item.keys(x);
        const View<const T> out = Item::heads(shape, c, s);
        cpu::ThinGemm<T>::product(Transpose::no, own, Transpose::yes, keys, item.scores, false);
        cpu::ThinGemm<T>::product(Transpose::no, up, Transpose::yes, keys, item.slopes, false);
        for (std::size_t h = 0; h < shape.num_heads; ++h) {
            T *const row = item.scores.row(h), *const drow = item.slopes.row(h);
            const T slope = dweights(s, h), scale = T(shape.scale), factor = T(1 / (1 - shape.dropout));
            cpu::map_elements(item.seen, row, [&](std::size_t j) { return row[j] * scale; });
            cpu::shifted_exponentials<T>(item.seen, row, log_sums[s * shape.num_heads + h], row);
            if (shape.dropout > 0)
                cpu::attention_mask(shape, s * shape.num_heads + h, item.position, factor, mask, item.seen, item.seen);
            else
                std::fill_n(mask, item.seen, factor);
            const T *const upward = up.row(h), *const outward = out.row(h);
            const T total =
                cpu::lane_sum<T>(x.cols, [&](std::size_t j) { return upward[j] * outward[j]; }) + slope * weights(s, h);
            cpu::map_elements(item.seen, drow,
                              [&](std::size_t j) { return scale * row[j] * ((drow[j] + slope) * mask[j] - total); });
            cpu::map_packets<T>(item.seen, row, cpu::times, row, mask);
        }
        Gemm::product(Gemm::left(item.slopes), item.seen, keys, Item::heads(shape, du, s), false);
        if (dx.empty()) return;
        const View<T> to = dx.middle_rows(item.first, item.seen);
        Gemm::product(Gemm::transposed(item.scores), shape.num_heads, up, to, accumulate);
        Gemm::product(Gemm::transposed(item.slopes), shape.num_heads, own, to, true);
        const std::size_t end = std::size_t(shape.cu_seqlens[s + 1]);
        for (std::size_t i = item.first + item.seen; i < end && !accumulate; ++i) std::fill_n(dx.row(i), dx.cols, T(0));
    });
}

/// out(s, h d + j) += weights(s, h) · bias(h d + j), d columns a head. out: (sequences, hidden), weights: (sequences,
/// heads), bias: (1, hidden).
template <CpuBackend B>
void add_weighted_bias(Context<B>& context, View<const Scalar<B>> weights, View<const Scalar<B>> bias,
                       View<Scalar<B>> out) {
    const std::size_t size = out.cols / weights.cols;
    cpu::for_each_row(context, out.rows, out.cols, [&](std::size_t i) {
        for (std::size_t j = 0; j < out.cols; ++j) out(i, j) += weights(i, j / size) * bias(0, j);
    });
}

/// Adds to dbias (1, hidden), unless it is empty, and writes dweights (sequences, heads).
template <CpuBackend B>
void weighted_bias_backward(Context<B>& context, View<const Scalar<B>> weights, View<const Scalar<B>> bias,
                            View<const Scalar<B>> dout, View<Scalar<B>> dbias, View<Scalar<B>> dweights) {
    using T = Scalar<B>;
    const std::size_t size = dout.cols / weights.cols;
    cpu::for_each_row(context, dout.rows, dout.cols, [&](std::size_t i) {
        for (std::size_t h = 0; h < weights.cols; ++h)
            dweights(i, h) =
                cpu::lane_sum<T>(size, [&](std::size_t j) { return dout(i, h * size + j) * bias(0, h * size + j); });
    });
    if (dbias.empty()) return;
    for (std::size_t i = 0; i < dout.rows; ++i)
        for (std::size_t j = 0; j < dout.cols; ++j) dbias(0, j) += weights(i, j / size) * dout(i, j);
}

}
