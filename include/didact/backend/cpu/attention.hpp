#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include "didact/backend/cpu/dropout.hpp"
#include "didact/backend/cpu/gemm.hpp"
#include "didact/backend/cpu/math.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

namespace cpu {

/// Queries are taken this many rows at a time, so that scratch is rows × keys and never keys × keys.
inline constexpr std::size_t attention_rows = 64;

/// One block of queries of one head of one sequence.
struct AttentionBlock {
    std::size_t first; ///< row of the sequence's first token
    std::size_t begin; ///< first query, counted within the sequence
    std::size_t queries, keys;
    std::size_t stream; ///< number of this (sequence, head), for dropout
};

/// Calls body(block) for the blocks of one (sequence, head), in order.
template <class Body>
void for_each_query_block(const AttentionShape& shape, std::size_t item, const Body& body) {
    const std::size_t s = item / shape.num_heads;
    const std::size_t first = std::size_t(shape.cu_seqlens[s]);
    const std::size_t length = std::size_t(shape.cu_seqlens[s + 1]) - first;
    for (std::size_t begin = 0; begin < length; begin += attention_rows) {
        const std::size_t queries = std::min(attention_rows, length - begin);
        body(AttentionBlock{first, begin, queries, shape.causal ? begin + queries : length, item});
    }
}

/// Applies dropout to row `row` of a block of probabilities.
template <class T>
void drop_probabilities(const AttentionShape& shape, const AttentionBlock& block, std::size_t row, T* p,
                        std::uint8_t* mask) {
    dropout_mask(shape.dropout_key, (std::uint64_t(block.stream) << 24) + block.begin + row, shape.dropout, mask,
                 block.keys);
    const T factor = T(1 / (1 - shape.dropout));
    for (std::size_t j = 0; j < block.keys; ++j) p[j] *= T(mask[j]) * factor;
}

}

/// out = softmax(q kᵀ · scale) v, per sequence and head, never across sequences (Vaswani et al. 2017). q, k, v, out:
/// (tokens, hidden), head h in columns [h d, (h + 1) d). log_sums (tokens · heads, token-major) keeps log Σ exp of each
/// row of scores, all that backward needs to make the probabilities again (Dao et al. 2022, arXiv 2205.14135).
template <class T>
void attention_forward(Context<Cpu<T>>& context, const AttentionShape& shape, View<const std::type_identity_t<T>> q,
                       View<const std::type_identity_t<T>> k, View<const std::type_identity_t<T>> v, View<T> out,
                       std::span<T> log_sums) {
    const std::size_t size = out.cols / shape.num_heads, longest = shape.longest();
    const std::size_t items = shape.sequences() * shape.num_heads;
    const std::size_t area = std::min(longest, cpu::attention_rows) * longest;
    context.pool.for_each_tile(items, [&](std::size_t item) {
        const std::size_t column = item % shape.num_heads * size;
        T* const scratch = cpu::thread_scratch<T, 0>(area);
        std::uint8_t* const mask = cpu::thread_scratch<std::uint8_t, 0>(longest);
        cpu::for_each_query_block(shape, item, [&](const cpu::AttentionBlock& block) {
            const auto rows_of = [&](View<const T> x, std::size_t begin, std::size_t count) {
                return x.middle_rows(block.first + begin, count).middle_cols(column, size);
            };
            View<T> p(scratch, block.queries, block.keys);
            cpu::gemm_tile<T>(Transpose::no, rows_of(q, block.begin, block.queries), Transpose::yes,
                              rows_of(k, 0, block.keys), p, T(shape.scale), false);
            std::array<T, cpu::attention_rows> inverse_sums;
            for (std::size_t i = 0; i < block.queries; ++i) {
                T* row = p.row(i);
                const std::size_t keys = shape.causal ? block.begin + i + 1 : block.keys;
                const T top = cpu::lane_max<T>(keys, row[0], [&](std::size_t j) { return row[j]; });
                for (std::size_t j = 0; j < keys; ++j) row[j] = cpu::exponential(row[j] - top);
                const T sum = cpu::lane_sum<T>(keys, [&](std::size_t j) { return row[j]; });
                inverse_sums[i] = T(1) / sum;
                for (std::size_t j = keys; j < block.keys; ++j) row[j] = 0;
                log_sums[(block.first + block.begin + i) * shape.num_heads + item % shape.num_heads] =
                    top + std::log(sum);
                if (shape.dropout > 0) cpu::drop_probabilities(shape, block, i, row, mask);
            }
            View<T> o = out.middle_rows(block.first + block.begin, block.queries).middle_cols(column, size);
            cpu::gemm_tile<T>(Transpose::no, p, Transpose::no, rows_of(v, 0, block.keys), o, T(1), false);
            for (std::size_t i = 0; i < block.queries; ++i)
                for (std::size_t j = 0; j < size; ++j) o(i, j) *= inverse_sums[i];
        });
    });
}

/// Writes dq, dk and dv. `out` and `log_sums` are forward's.
template <class T>
void attention_backward(Context<Cpu<T>>& context, const AttentionShape& shape, View<const std::type_identity_t<T>> q,
                        View<const std::type_identity_t<T>> k, View<const std::type_identity_t<T>> v,
                        View<const std::type_identity_t<T>> out, std::span<const T> log_sums,
                        View<const std::type_identity_t<T>> dout, View<T> dq, View<T> dk, View<T> dv) {
    const std::size_t size = out.cols / shape.num_heads, longest = shape.longest();
    const std::size_t items = shape.sequences() * shape.num_heads;
    const std::size_t area = std::min(longest, cpu::attention_rows) * longest;
    context.pool.for_each_tile(items, [&](std::size_t item) {
        T* const scratch = cpu::thread_scratch<T, 0>(2 * area);
        std::uint8_t* const mask = cpu::thread_scratch<std::uint8_t, 0>(longest);
        const std::size_t s = item / shape.num_heads, head = item % shape.num_heads, column = head * size;
        const std::size_t begin = std::size_t(shape.cu_seqlens[s]);
        const std::size_t length = std::size_t(shape.cu_seqlens[s + 1]) - begin;
        for (const View<T>& gradient : {dq, dk, dv})
            cpu::fill_rows<T>(gradient.middle_rows(begin, length).middle_cols(column, size), {});
        cpu::for_each_query_block(shape, item, [&](const cpu::AttentionBlock& block) {
            const auto rows_of = [&]<class U>(View<U> x, std::size_t first, std::size_t count) {
                return x.middle_rows(block.first + first, count).middle_cols(column, size);
            };
            const View<const T> queries = rows_of(q, block.begin, block.queries), keys = rows_of(k, 0, block.keys);
            const View<const T> up = rows_of(dout, block.begin, block.queries);
            const View<const T> o = rows_of(out, block.begin, block.queries);
            View<T> p(scratch, block.queries, block.keys);
            View<T> dp(scratch + area, block.queries, block.keys);
            cpu::gemm_tile<T>(Transpose::no, queries, Transpose::yes, keys, p, T(shape.scale), false);
            cpu::gemm_tile<T>(Transpose::no, up, Transpose::yes, rows_of(v, 0, block.keys), dp, T(1), false);
            for (std::size_t i = 0; i < block.queries; ++i) {
                T *row = p.row(i), *drow = dp.row(i);
                const std::size_t seen = shape.causal ? block.begin + i + 1 : block.keys;
                const T log_sum = log_sums[(block.first + block.begin + i) * shape.num_heads + head];
                for (std::size_t j = 0; j < seen; ++j) row[j] = cpu::exponential(row[j] - log_sum);
                for (std::size_t j = seen; j < block.keys; ++j) row[j] = 0;
                // Σⱼ pⱼ dpⱼ equals dout · out, with dropout too, because out is made from the dropped probabilities.
                const T* upward = up.row(i);
                const T* outward = o.row(i);
                const T total = cpu::lane_sum<T>(size, [&](std::size_t j) { return upward[j] * outward[j]; });
                if (shape.dropout > 0) {
                    cpu::dropout_mask(shape.dropout_key, (std::uint64_t(block.stream) << 24) + block.begin + i,
                                      shape.dropout, mask, block.keys);
                    const T factor = T(1 / (1 - shape.dropout));
                    for (std::size_t j = 0; j < block.keys; ++j) {
                        const T kept = T(mask[j]) * factor;
                        const T probability = row[j];
                        row[j] = probability * kept;
                        drow[j] = probability * (drow[j] * kept - total);
                    }
                } else {
                    for (std::size_t j = 0; j < block.keys; ++j) drow[j] = row[j] * (drow[j] - total);
                }
            }
            cpu::gemm_tile<T>(Transpose::yes, p, Transpose::no, up, rows_of(dv, 0, block.keys));
            cpu::gemm_tile<T>(Transpose::no, dp, Transpose::no, keys, rows_of(dq, block.begin, block.queries),
                              T(shape.scale));
            cpu::gemm_tile<T>(Transpose::yes, dp, Transpose::no, queries, rows_of(dk, 0, block.keys), T(shape.scale));
        });
    });
}

}
