#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include "didact/backend/cpu/amx_head_products.hpp"
#include "didact/backend/cpu/dropout.hpp"
#include "didact/backend/cpu/head_products.hpp"
#include "didact/backend/cpu/scratch.hpp"
#include "didact/backend/cpu/stream.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

namespace cpu {

/// One head of one sequence: its rows and columns of the matrices, and its queries.
class AttentionItem {
  public:
    AttentionItem(const AttentionShape& shape, std::size_t item, std::size_t size)
        : first(std::size_t(shape.cu_seqlens[item / shape.num_heads])),
          length(std::size_t(shape.cu_seqlens[item / shape.num_heads + 1]) - first), head(item % shape.num_heads),
          size(size), causal(shape.causal), first_query(first), queries(length), rows_(shape.queries) {
        if (rows_.empty()) return;
        const auto begin = std::ranges::lower_bound(rows_, std::int32_t(first));
        first_query = std::size_t(begin - rows_.begin());
        queries = std::size_t(std::ranges::lower_bound(rows_, std::int32_t(first + length)) - begin);
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
    /// Fetches a part that is needed later, to read or to write it: its rows are too short for the processor to
    /// foresee.
    template <bool writes, class T>
    static void fetch(View<T> part) {
        constexpr std::size_t line = 64 / sizeof(T);
        for (std::size_t i = 0; i < part.rows; ++i)
            for (std::size_t j = 0; j < part.cols; j += line) __builtin_prefetch(part.row(i) + j, writes);
    }

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
    void for_each_block(std::size_t queries_at_once, const Body& body) const {
        for (std::size_t begin = 0; begin < queries; begin += queries_at_once) {
            const std::size_t count = std::min(queries_at_once, queries - begin);
            body(begin, count, seen(begin + count - 1));
        }
    }

    /// Calls body(key, count) for the blocks of the first `all` keys, at most `keys_at_once` each, in order.
    template <class Body>
    static void for_each_key_block(std::size_t all, std::size_t keys_at_once, const Body& body) {
        for (std::size_t key = 0, count = 0; key < all; key += count)
            body(key, count = std::min(keys_at_once, all - key));
    }
    /// How many of a block of keys a query sees.
    std::size_t seen(std::size_t query, std::size_t key, std::size_t count) const {
        const std::size_t all = seen(query);
        return std::min(all - std::min(all, key), count);
    }

    std::size_t first, length, head, size;
    bool causal;
    std::size_t first_query, queries; ///< rows of q and of the output

  private:
    std::span<const std::int32_t> rows_;
};

/// What dropout multiplies one row of probabilities by, `factor` or 0, from `key` on, `seen` of `keys`, whichever
/// queries there are beside it.
template <class T>
void attention_mask(const AttentionShape& shape, std::size_t item, std::size_t position, T factor, T* mask,
                    std::size_t seen, std::size_t keys, std::size_t key = 0) {
    dropout_mask(shape.dropout_key, (std::uint64_t(item) << 24) + position, shape.dropout, factor, mask, key + seen,
                 key);
    std::fill(mask + seen, mask + keys, T(0));
}

/// attention_forward by the products of a head.
template <class Products, CpuBackend B>
void attention_forward_by(Context<B>& context, const AttentionShape& shape, View<const Scalar<B>> q,
                          View<const Scalar<B>> k, View<const Scalar<B>> v, View<Scalar<B>> out,
                          std::span<Scalar<B>> log_sums) {
    using T = Scalar<B>;
    using Operand = typename Products::Operand;
    const std::size_t size = out.cols / shape.num_heads, longest = shape.longest();
    const T kept = T(1 / (1 - shape.dropout));
    context.pool.for_each_tile(shape.sequences() * shape.num_heads, [&](std::size_t number) {
        T* const mask = thread_scratch<T, 8>(longest);
        const AttentionItem item(shape, number, size);
        if (item.queries == 0) return;
        const bool past_caches = outgrows_cache(out);
        if (!past_caches) item.fetch<true>(item.of_queries(out));
        const AttentionBlock block = Products::block_of(item.length);
        Products products(thread_scratch<T, 0>(Products::memory(longest, size, 4, 0, 1)), item.length);
        const Operand queries = products.left(item.of_queries(q), T(shape.scale));
        const Operand values = products.right(item.of_tokens(v));
        const Operand keys = products.right_transposed(item.of_tokens(k));
        const View<T> scores = products.matrix(block.queries, block.keys);
        const View<T> sums = products.matrix(block.queries, size), to = item.of_queries(out);
        item.for_each_block(block.queries, [&](std::size_t begin, std::size_t count, std::size_t all) {
            const View<T> o = sums.middle_rows(0, count);
            std::array<T, AttentionBlock::most_queries> tops, totals, logarithms;
            item.for_each_key_block(all, block.keys, [&](std::size_t key, std::size_t keys_here) {
                const View<T> p = Products::block(scores.data, count, keys_here);
                products.scores(queries, begin, size, keys, key, p);
                for (std::size_t i = 0; i < count; ++i) {
                    T* const row = p.row(i);
                    const std::size_t seen = item.seen(begin + i, key, keys_here);
                    if (key == 0) {
                        tops[i] = largest<T>(seen, row);
                        totals[i] = 0;
                    } else if (seen > 0) {
                        // What was summed so far is relative to the largest score so far (Milakov and Gimelshein
                        // 2018, arXiv 1805.02867).
                        const T top = std::max(tops[i], largest<T>(seen, row)), factor = std::exp(tops[i] - top);
                        tops[i] = top;
                        totals[i] *= factor;
                        for (std::size_t j = 0; j < size; ++j) o(i, j) *= factor;
                    }
                    totals[i] += shifted_exponentials<T>(seen, row, tops[i], row);
                    std::fill(row + seen, row + keys_here, T(0));
                    if (shape.dropout == 0) continue;
                    attention_mask(shape, number, item.position(begin + i), kept, mask, seen, keys_here, key);
                    map_packets<T>(keys_here, row, times, row, mask);
                }
                products.weighted(p.middle_cols(0, keys_here), values, key, o);
            });
            map_packets(count, logarithms.data(), logarithm<T>, totals.data());
            for (std::size_t i = 0; i < count; ++i) {
                log_sums[item.sum(shape, begin + i)] = tops[i] + logarithms[i];
                stream_row(size, T(1) / totals[i], o.row(i), to.row(begin + i), past_caches);
            }
        });
        stream_done();
    });
}

/// attention_backward by the products of a head.
template <class Products, CpuBackend B>
void attention_backward_by(Context<B>& context, const AttentionShape& shape, View<const Scalar<B>> q,
                           View<const Scalar<B>> k, View<const Scalar<B>> v, View<const Scalar<B>> out,
                           std::span<const Scalar<B>> log_sums, View<const Scalar<B>> dout, View<Scalar<B>> dq,
                           View<Scalar<B>> dk, View<Scalar<B>> dv) {
    using T = Scalar<B>;
    const std::size_t size = out.cols / shape.num_heads, longest = shape.longest();
    const T kept = T(1 / (1 - shape.dropout));
    context.pool.for_each_tile(shape.sequences() * shape.num_heads, [&](std::size_t number) {
        T* const mask = thread_scratch<T, 8>(longest);
        const AttentionItem item(shape, number, size);
        item.fetch<false>(item.of_queries(out));
        const bool past_caches = outgrows_cache(dk);
        if (!past_caches) {
            for (const View<T>& written : {dk, dv}) item.fetch<true>(item.of_tokens(written));
            item.fetch<true>(item.of_queries(dq));
        }
        const AttentionBlock block = Products::block_of(item.length);
        Products products(thread_scratch<T, 0>(Products::memory(longest, size, 7, 2, 2)), item.length);
        const auto queries = products.left_and_right(item.of_queries(q), T(shape.scale));
        const auto up = products.left_and_right(item.of_queries(dout), T(1));
        const auto keys = products.right_and_transposed(item.of_tokens(k));
        const auto values_transposed = products.right_transposed(item.of_tokens(v));
        const View<T> key_sums = products.matrix(item.length, size), value_sums = products.matrix(item.length, size);
        const View<T> scores = products.matrix(block.queries, block.keys);
        const View<T> slopes = products.matrix(block.queries, block.keys), sums = products.matrix(block.queries, size);
        const View<const T> o = item.of_queries(out), upward = item.of_queries(dout);
        for (const View<T>& zero : {key_sums, value_sums}) std::fill_n(zero.data, zero.rows * zero.stride, T(0));
        item.for_each_block(block.queries, [&](std::size_t begin, std::size_t count, std::size_t all) {
            const View<T> query_sums = sums.middle_rows(0, count), to = item.of_queries(dq).middle_rows(begin, count);
            using Eigen::internal::pmadd, Eigen::internal::pmul, Eigen::internal::psub;
            // Σⱼ pⱼ dpⱼ equals dout · out, with dropout too, because out is made from the dropped probabilities.
            std::array<T, AttentionBlock::most_queries> totals;
            for (std::size_t i = 0; i < count; ++i)
                totals[i] = sum_packets<T>(size, times, upward.row(begin + i), o.row(begin + i));
            item.for_each_key_block(all, block.keys, [&](std::size_t key, std::size_t keys_here) {
                const View<T> p = Products::block(scores.data, count, keys_here),
                              dp = Products::block(slopes.data, count, keys_here);
                products.scores(queries.left, begin, size, keys.transposed, key, p);
                products.scores(up.left, begin, size, values_transposed, key, dp);
                for (std::size_t i = 0; i < count; ++i) {
                    T *const row = p.row(i), *const drow = dp.row(i);
                    const std::size_t seen = item.seen(begin + i, key, keys_here);
                    shifted_exponentials<T>(seen, row, log_sums[item.sum(shape, begin + i)], row);
                    std::fill(row + seen, row + keys_here, T(0));
                    if (shape.dropout == 0) {
                        const auto slope = [shift = constant(totals[i])](const auto& probability, const auto& up) {
                            return pmul(probability, psub(up, shift));
                        };
                        map_packets(keys_here, drow, slope, row, drow);
                        continue;
                    }
                    attention_mask(shape, number, item.position(begin + i), kept, mask, seen, keys_here, key);
                    const auto slope = [shift = constant(-totals[i])](const auto& probability, const auto& up,
                                                                      const auto& factor) {
                        return pmul(probability, pmadd(up, factor, shift));
                    };
                    map_packets(keys_here, drow, slope, row, drow, mask);
                    map_packets<T>(keys_here, row, times, row, mask);
                }
                const View<const T> probabilities = p.middle_cols(0, keys_here), slope = dp.middle_cols(0, keys_here);
                products.add_weighted_transposed(probabilities, up.right, begin, key, value_sums);
                products.add_weighted_transposed(slope, queries.right, begin, key, key_sums);
                products.weighted(slope, keys.right, key, query_sums);
            });
            for (std::size_t i = 0; i < count; ++i)
                stream_row(size, T(shape.scale), query_sums.row(i), to.row(i), past_caches);
        });
        const View<T> to_keys = item.of_tokens(dk), to_values = item.of_tokens(dv);
        for (std::size_t i = 0; i < item.length; ++i) {
            stream_row(size, T(1), key_sums.row(i), to_keys.row(i), past_caches);
            stream_row(size, T(1), value_sums.row(i), to_values.row(i), past_caches);
        }
        stream_done();
    });
}

/// Calls attend.operator()<Products>() with the class of products that is the fastest here.
template <CpuBackend B, class Attend>
void with_head_products(const Attend& attend) {
    using T = Scalar<B>;
#if DIDACT_WITH_AMX
    if constexpr (std::is_same_v<typename B::Operand, bf16>)
        if (AmxGemm<T>::serves()) return attend.template operator()<AmxHeadProducts<T>>();
#endif
    attend.template operator()<HeadProducts<T>>();
}

}

/// out = softmax(q kᵀ · scale) v, per sequence and head, never across sequences (Vaswani et al. 2017). k, v: (tokens,
/// hidden), q, out: (queries, hidden), where every token is a query unless the shape says which; head h in columns
/// [h d, (h + 1) d). log_sums (queries · heads, query-major) keeps log Σ exp of each row of scores, all that backward
/// needs to make the probabilities again (Dao et al. 2022, arXiv 2205.14135). With Cpu<bf16> the operands of its
/// products are rounded where AMX makes them, and elsewhere not.
template <CpuBackend B>
void attention_forward(Context<B>& context, const AttentionShape& shape, View<const Scalar<B>> q,
                       View<const Scalar<B>> k, View<const Scalar<B>> v, View<Scalar<B>> out,
                       std::span<Scalar<B>> log_sums) {
    cpu::with_head_products<B>(
        [&]<class Products>() { cpu::attention_forward_by<Products>(context, shape, q, k, v, out, log_sums); });
}

/// Writes dq (queries, hidden), dk and dv (tokens, hidden). `out` and `log_sums` are forward's.
template <CpuBackend B>
void attention_backward(Context<B>& context, const AttentionShape& shape, View<const Scalar<B>> q,
                        View<const Scalar<B>> k, View<const Scalar<B>> v, View<const Scalar<B>> out,
                        std::span<const Scalar<B>> log_sums, View<const Scalar<B>> dout, View<Scalar<B>> dq,
                        View<Scalar<B>> dk, View<Scalar<B>> dv) {
    cpu::with_head_products<B>([&]<class Products>() {
        cpu::attention_backward_by<Products>(context, shape, q, k, v, out, log_sums, dout, dq, dk, dv);
    });
}

}
