#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include "didact/backend/cpu/dropout.hpp"
#include "didact/backend/cpu/outer_gemm.hpp"
#include "didact/backend/cpu/pack.hpp"
#include "didact/backend/cpu/scratch.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

namespace cpu {

/// Queries are taken this many rows at a time, so that scratch is rows × keys and never keys × keys.
inline constexpr std::size_t attention_rows = 64;

/// One head of one sequence: its rows and columns of the matrices, its queries, and this thread's memory for it.
template <class T>
class AttentionItem {
  public:
    AttentionItem(const AttentionShape& shape, std::size_t item, std::size_t size, T* memory)
        : first(std::size_t(shape.cu_seqlens[item / shape.num_heads])),
          length(std::size_t(shape.cu_seqlens[item / shape.num_heads + 1]) - first), head(item % shape.num_heads),
          size(size), causal(shape.causal), first_query(first), queries(length), rows_(shape.queries), memory_(memory) {
        if (rows_.empty()) return;
        const auto begin = std::ranges::lower_bound(rows_, std::int32_t(first));
        first_query = std::size_t(begin - rows_.begin());
        queries = std::size_t(std::ranges::lower_bound(rows_, std::int32_t(first + length)) - begin);
    }

    /// How much memory an item takes that keeps `matrices` of (length, size), and `blocks` of a block of queries by all
    /// keys.
    static std::size_t memory(std::size_t longest, std::size_t size, std::size_t matrices, std::size_t blocks) {
        const std::size_t queries = std::min(longest, attention_rows), width = in_packets<T>(size);
        return matrices * in_packets<T>(longest) * width + queries * (blocks * in_packets<T>(longest) + width);
    }

    /// This item's part of a matrix (tokens, hidden), and of one (queries, hidden).
    template <class U>
    View<U> of_tokens(View<U> x) const {
        return x.middle_rows(first, length).middle_cols(head * size, size);
    }
    template <class U>
    View<U> of_queries(View<U> x) const {
        return x.middle_rows(first_query, queries).middle_cols(head * size, size);
    }
    View<T> packed(View<const T> part, T factor = T(1)) { return take(pack_rows<T>(part, factor, memory_)); }
    View<T> transposed(View<const T> packed) { return take(pack_transpose<T>(packed, memory_)); }
    View<T> matrix(std::size_t rows, std::size_t cols) { return take(View<T>(memory_, rows, in_packets<T>(cols))); }

    /// Where a query stands in its sequence, how many keys it sees, and where its sum lies.
    std::size_t position(std::size_t query) const {
        return rows_.empty() ? query : std::size_t(rows_[first_query + query]) - first;
    }
    std::size_t seen(std::size_t query) const { return causal ? position(query) + 1 : length; }
    std::size_t sum(const AttentionShape& shape, std::size_t query) const {
        return (first_query + query) * shape.num_heads + head;
    }

    /// Calls body(begin, count, keys) for the blocks of queries, in order; the first `keys` keys are seen by them.
    template <class Body>
    void for_each_block(const Body& body) const {
        for (std::size_t begin = 0; begin < queries; begin += attention_rows) {
            const std::size_t count = std::min(attention_rows, queries - begin);
            body(begin, count, seen(begin + count - 1));
        }
    }

    std::size_t first, length, head, size;
    bool causal;
    std::size_t first_query, queries; ///< rows of q and of the output

  private:
    View<T> take(View<T> matrix) {
        memory_ += matrix.size();
        return matrix;
    }
    std::span<const std::int32_t> rows_;
    T* memory_;
};

/// The dropout mask of one row of probabilities, `seen` of `keys`, whichever queries there are beside it.
inline void attention_mask(const AttentionShape& shape, std::size_t item, std::size_t position, std::uint8_t* mask,
                           std::size_t seen, std::size_t keys) {
    dropout_mask(shape.dropout_key, (std::uint64_t(item) << 24) + position, shape.dropout, mask, seen);
    std::fill(mask + seen, mask + keys, std::uint8_t(0));
}

}

/// out = softmax(q kᵀ · scale) v, per sequence and head, never across sequences (Vaswani et al. 2017). k, v: (tokens,
/// hidden), q, out: (queries, hidden), where every token is a query unless the shape says which; head h in columns
/// [h d, (h + 1) d). log_sums (queries · heads, query-major) keeps log Σ exp of each row of scores, all that backward
/// needs to make the probabilities again (Dao et al. 2022, arXiv 2205.14135).
template <CpuBackend B>
void attention_forward(Context<B>& context, const AttentionShape& shape, View<const Scalar<B>> q,
                       View<const Scalar<B>> k, View<const Scalar<B>> v, View<Scalar<B>> out,
                       std::span<Scalar<B>> log_sums) {
    using T = Scalar<B>;
    using Gemm = cpu::OuterGemm<T>;
    using Item = cpu::AttentionItem<T>;
    const std::size_t size = out.cols / shape.num_heads, longest = shape.longest();
    context.pool.for_each_tile(shape.sequences() * shape.num_heads, [&](std::size_t number) {
        std::uint8_t* const mask = cpu::thread_scratch<std::uint8_t, 0>(longest);
        Item item(shape, number, size, cpu::thread_scratch<T, 0>(Item::memory(longest, size, 4, 1)));
        if (item.queries == 0) return;
        const View<const T> queries = item.packed(item.of_queries(q), T(shape.scale));
        const View<const T> values = item.packed(item.of_tokens(v));
        const View<const T> keys = item.transposed(item.packed(item.of_tokens(k)));
        const View<T> scores = item.matrix(std::min(item.length, cpu::attention_rows), item.length);
        const View<T> sums = item.matrix(scores.rows, size), to = item.of_queries(out);
        item.for_each_block([&](std::size_t begin, std::size_t count, std::size_t all) {
            const View<T> p(scores.data, count, cpu::in_packets<T>(all)), o = sums.middle_rows(0, count);
            Gemm::product(Gemm::left(queries.middle_rows(begin, count)), size, keys.middle_cols(0, p.cols), p, false);
            std::array<T, cpu::attention_rows> inverse;
            for (std::size_t i = 0; i < count; ++i) {
                T* const row = p.row(i);
                const std::size_t seen = item.seen(begin + i);
                const T top = cpu::largest<T>(seen, row), sum = cpu::shifted_exponentials<T>(seen, row, top, row);
                inverse[i] = T(1) / sum;
                log_sums[item.sum(shape, begin + i)] = top + std::log(sum);
                std::fill(row + seen, row + all, T(0));
                if (shape.dropout == 0) continue;
                cpu::attention_mask(shape, number, item.position(begin + i), mask, seen, all);
                const T factor = T(1 / (1 - shape.dropout));
                for (std::size_t j = 0; j < all; ++j) row[j] *= T(mask[j]) * factor;
            }
            Gemm::product(Gemm::left(p), all, values.middle_rows(0, all), o, false);
            for (std::size_t i = 0; i < count; ++i)
                for (std::size_t j = 0; j < size; ++j) to(begin + i, j) = o(i, j) * inverse[i];
        });
    });
}

/// Writes dq (queries, hidden), dk and dv (tokens, hidden). `out` and `log_sums` are forward's.
template <CpuBackend B>
void attention_backward(Context<B>& context, const AttentionShape& shape, View<const Scalar<B>> q,
                        View<const Scalar<B>> k, View<const Scalar<B>> v, View<const Scalar<B>> out,
                        std::span<const Scalar<B>> log_sums, View<const Scalar<B>> dout, View<Scalar<B>> dq,
                        View<Scalar<B>> dk, View<Scalar<B>> dv) {
    using T = Scalar<B>;
    using Gemm = cpu::OuterGemm<T>;
    using Item = cpu::AttentionItem<T>;
    const std::size_t size = out.cols / shape.num_heads, longest = shape.longest();
    context.pool.for_each_tile(shape.sequences() * shape.num_heads, [&](std::size_t number) {
        std::uint8_t* const mask = cpu::thread_scratch<std::uint8_t, 0>(longest);
        Item item(shape, number, size, cpu::thread_scratch<T, 0>(Item::memory(longest, size, 8, 2)));
        const View<const T> queries = item.packed(item.of_queries(q), T(shape.scale));
        const View<const T> up = item.packed(item.of_queries(dout)), keys = item.packed(item.of_tokens(k));
        const View<const T> keys_across = item.transposed(keys);
        const View<const T> values_across = item.transposed(item.packed(item.of_tokens(v)));
        const View<T> key_sums = item.matrix(item.length, size), value_sums = item.matrix(item.length, size);
        const View<T> scores = item.matrix(std::min(item.length, cpu::attention_rows), item.length);
        const View<T> slopes = item.matrix(scores.rows, item.length), sums = item.matrix(scores.rows, size);
        const View<const T> o = item.of_queries(out);
        for (const View<T>& zero : {key_sums, value_sums}) std::fill_n(zero.data, zero.size(), T(0));
        item.for_each_block([&](std::size_t begin, std::size_t count, std::size_t all) {
            const View<T> p(scores.data, count, cpu::in_packets<T>(all)), dp(slopes.data, count, p.cols);
            const View<const T> own = queries.middle_rows(begin, count), own_up = up.middle_rows(begin, count);
            Gemm::product(Gemm::left(own), size, keys_across.middle_cols(0, p.cols), p, false);
            Gemm::product(Gemm::left(own_up), size, values_across.middle_cols(0, p.cols), dp, false);
            for (std::size_t i = 0; i < count; ++i) {
                T *const row = p.row(i), *const drow = dp.row(i);
                const std::size_t seen = item.seen(begin + i);
                cpu::shifted_exponentials<T>(seen, row, log_sums[item.sum(shape, begin + i)], row);
                std::fill(row + seen, row + all, T(0));
                // Σⱼ pⱼ dpⱼ equals dout · out, with dropout too, because out is made from the dropped probabilities.
                const T *const upward = own_up.row(i), *const outward = o.row(begin + i);
                const T total = cpu::lane_sum<T>(size, [&](std::size_t j) { return upward[j] * outward[j]; });
                if (shape.dropout == 0) {
                    for (std::size_t j = 0; j < all; ++j) drow[j] = row[j] * (drow[j] - total);
                    continue;
                }
                cpu::attention_mask(shape, number, item.position(begin + i), mask, seen, all);
                const T factor = T(1 / (1 - shape.dropout));
                for (std::size_t j = 0; j < all; ++j) {
                    const T kept = T(mask[j]) * factor, probability = row[j];
                    row[j] = probability * kept;
                    drow[j] = probability * (drow[j] * kept - total);
                }
            }
            const View<T> value_part = value_sums.middle_rows(0, all), key_part = key_sums.middle_rows(0, all);
            const View<T> query_sums = sums.middle_rows(0, count), to = item.of_queries(dq).middle_rows(begin, count);
            Gemm::product(Gemm::transposed(p), count, own_up, value_part, true);
            Gemm::product(Gemm::transposed(dp), count, own, key_part, true);
            Gemm::product(Gemm::left(dp), all, keys.middle_rows(0, all), query_sums, false);
            for (std::size_t i = 0; i < count; ++i)
                for (std::size_t j = 0; j < size; ++j) to(i, j) = T(shape.scale) * query_sums(i, j);
        });
        const View<T> to_keys = item.of_tokens(dk), to_values = item.of_tokens(dv);
        for (std::size_t i = 0; i < item.length; ++i) {
            std::copy_n(key_sums.row(i), size, to_keys.row(i));
            std::copy_n(value_sums.row(i), size, to_values.row(i));
        }
    });
}

}
