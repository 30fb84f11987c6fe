#pragma once
#include "didact/nn/deferred_gradients.hpp"
#include "didact/nn/linear.hpp"

namespace didact::nn {

/// Attention of one query a sequence, as of a classifier's last block, without keys and values: their projections are
/// applied to the query and to what it gathers (backend/cpu/absorbed_attention.hpp), a row a sequence instead of a row
/// a token. The gradient of the keys' bias, which moves no probability, is exactly zero.
template <Backend B>
struct AbsorbedAttention {
    using S = Scalar<B>;

    struct Saved {
        View<S> asked, gathered, weights; ///< u, c and Σ p; empty where keys and values were computed
        View<const S> x;
    };

    /// Where it can be: each sequence has one row in `read`.
    static bool serves(std::span<const std::int32_t> cu_seqlens, std::span<const std::int32_t> read) {
        if (read.empty() || read.size() + 1 != cu_seqlens.size()) return false;
        for (std::size_t s = 0; s < read.size(); ++s)
            if (read[s] < cu_seqlens[s] || read[s] >= cu_seqlens[s + 1]) return false;
        return true;
    }

    /// x: (tokens, hidden), query, out: (sequences, hidden).
    template <class Projection>
    static void forward(Context<B>& context, const AttentionShape& shape, const Projection& key,
                        const Projection& value, View<const S> x, View<const S> query, View<S> out,
                        std::span<S> log_sums, Saved& saved) {
        const auto& store = std::as_const(context.parameters);
        const Heads heads{shape.num_heads, query.cols};
        saved.x = x;
        saved.asked = context.scratch(query.rows, heads.count * x.cols);
        saved.gathered = context.scratch(query.rows, heads.count * x.cols);
        saved.weights = context.scratch(query.rows, heads.count);
        for (std::size_t h = 0; h < heads.count; ++h)
            gemm(context, Transpose::no, heads.columns(query, h), Transpose::no, heads.rows(store.value(key.weight), h),
                 heads.wide_columns(saved.asked, h));
        absorbed_attention_forward(context, shape, saved.asked, x, saved.gathered, saved.weights, log_sums);
        for (std::size_t h = 0; h < heads.count; ++h)
            gemm(context, Transpose::no, heads.wide_columns(saved.gathered, h), Transpose::yes,
                 heads.rows(store.value(value.weight), h), heads.columns(out, h));
        if (value.bias != no_parameter) add_weighted_bias(context, saved.weights, store.value(value.bias), out);
    }

    /// Writes dquery (sequences, hidden) and dx (tokens, hidden), or adds to the latter, unless it is empty.
    template <class Projection>
    static void backward(Context<B>& context, const AttentionShape& shape, const Projection& key,
                         const Projection& value, View<const S> query, View<const S> dout, std::span<const S> log_sums,
                         View<S> dquery, View<S> dx, bool accumulate, const Saved& saved) {
        const ArenaScope scope(context.arena);
        auto& store = context.parameters;
        const Heads heads{shape.num_heads, query.cols};
        const View<S> dasked = context.scratch(query.rows, saved.asked.cols);
        const View<S> dgathered = context.scratch(query.rows, saved.asked.cols);
        const View<S> dweights = context.scratch(query.rows, heads.count);
        if (value.bias != no_parameter)
            weighted_bias_backward(context, saved.weights, std::as_const(store).value(value.bias), dout,
                                   store.trains(value.bias) ? store.gradient(value.bias) : View<S>(), dweights);
        else
            fill(context, S(0), dweights);
        for (std::size_t h = 0; h < heads.count; ++h)
            gemm(context, Transpose::no, heads.columns(dout, h), Transpose::no,
                 heads.rows(std::as_const(store).value(value.weight), h), heads.wide_columns(dgathered, h));
        add_weight_gradient(context, heads, value.weight, dout, saved.gathered);
        absorbed_attention_backward(context, shape, saved.asked, saved.x, saved.gathered, saved.weights, log_sums,
                                    dgathered, dweights, dasked, dx, accumulate);
        for (std::size_t h = 0; h < heads.count; ++h)
            gemm(context, Transpose::no, heads.wide_columns(dasked, h), Transpose::yes,
                 heads.rows(std::as_const(store).value(key.weight), h), heads.columns(dquery, h));
        add_weight_gradient(context, heads, key.weight, query, dasked);
    }

  private:
    /// A head's part of a row of all heads, of a weight's rows, and of a row of (heads · hidden).
    struct Heads {
        std::size_t count, hidden;
        std::size_t size() const { return hidden / count; }
        template <class U>
        View<U> columns(View<U> x, std::size_t h) const {
            return x.middle_cols(h * size(), size());
        }
        template <class U>
        View<U> rows(View<U> x, std::size_t h) const {
            return x.middle_rows(h * size(), size());
        }
        template <class U>
        View<U> wide_columns(View<U> x, std::size_t h) const {
            return x.middle_cols(h * hidden, hidden);
        }
    };

    /// dW of head h += narrowᵀ wide, both of that head.
    static void add_weight_gradient(Context<B>& context, const Heads& heads, ParameterId weight, View<const S> narrow,
                                    View<const S> wide) {
        auto& store = context.parameters;
        if (!store.trains(weight)) return;
        compute_deferred(context, weight);
        const auto [gradient, accumulate] = store.gradient_target(weight);
        for (std::size_t h = 0; h < heads.count; ++h)
            gemm(context, Transpose::yes, heads.columns(narrow, h), Transpose::no, heads.wide_columns(wide, h),
                 heads.rows(gradient, h), accumulate);
    }
};

}
