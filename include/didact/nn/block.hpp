#pragma once
#include "didact/nn/attention.hpp"
#include "didact/nn/dropout.hpp"
#include "didact/nn/feed_forward.hpp"
#include "didact/nn/layer_norm.hpp"

namespace didact::nn {

/// Where a block normalises: after the residual sum (BERT) or before the sub-layer (GPT-2).
enum class NormPlace { post, pre };

/// One transformer block: attention and feed-forward, each with dropout, a residual sum and a norm.
/// post: h = norm₁(x + attention(x)), y = norm₂(h + feed_forward(h));
/// pre:  h = x + attention(norm₁(x)),  y = h + feed_forward(norm₂(h)).
template <Backend B, NormPlace place, class Adapter, std::size_t projections>
struct Block {
    using S = Scalar<B>;

    struct Saved {
        typename Attention<B, Adapter, projections>::Saved attention;
        typename FeedForward<B, Adapter>::Saved feed_forward;
        typename LayerNorm<B>::Saved attention_norm, feed_forward_norm;
        typename Dropout<B>::Saved attention_dropout, feed_forward_dropout;
    };

    Attention<B, Adapter, projections> attention;
    FeedForward<B, Adapter> feed_forward;
    LayerNorm<B> attention_norm, feed_forward_norm;
    Dropout<B> dropout;

    /// x, y: (tokens, hidden).
    void forward(Context<B>& context, std::span<const std::int32_t> cu_seqlens, View<const S> x, View<S> y,
                 Saved& saved) const {
        const View<S> sum = context.scratch(x.rows, x.cols), middle = context.scratch(x.rows, x.cols);
        if constexpr (place == NormPlace::post) {
            attention.forward(context, cu_seqlens, x, sum, saved.attention);
            dropout.forward(context, sum, saved.attention_dropout);
            add(context, sum, x, sum);
            attention_norm.forward(context, sum, middle, saved.attention_norm);
            const View<S> second = context.scratch(x.rows, x.cols);
            feed_forward.forward(context, middle, second, saved.feed_forward);
            dropout.forward(context, second, saved.feed_forward_dropout);
            add(context, second, middle, second);
            feed_forward_norm.forward(context, second, y, saved.feed_forward_norm);
        } else {
            attention_norm.forward(context, x, middle, saved.attention_norm);
            attention.forward(context, cu_seqlens, middle, sum, saved.attention);
            dropout.forward(context, sum, saved.attention_dropout);
            add(context, sum, x, sum);
            const View<S> normed = context.scratch(x.rows, x.cols);
            feed_forward_norm.forward(context, sum, normed, saved.feed_forward_norm);
            feed_forward.forward(context, normed, y, saved.feed_forward);
            dropout.forward(context, y, saved.feed_forward_dropout);
            add(context, y, sum, y);
        }
    }

    /// Writes dx unless it is empty, which it is above a frozen block.
    void backward(Context<B>& context, View<const S> dy, View<S> dx, const Saved& saved) const {
        const ArenaScope scope(context.arena);
        const View<S> dsum = context.scratch(dy.rows, dy.cols), branch = context.scratch(dy.rows, dy.cols);
        const View<S> dmiddle = context.scratch(dy.rows, dy.cols);
        if constexpr (place == NormPlace::post) {
            feed_forward_norm.backward(context, dy, dsum, saved.feed_forward_norm);
            dropout.backward(context, dsum, branch, saved.feed_forward_dropout);
            copy(context, dsum, dmiddle);
            feed_forward.backward(context, branch, dmiddle, saved.feed_forward);
            attention_norm.backward(context, dmiddle, dsum, saved.attention_norm);
            dropout.backward(context, dsum, branch, saved.attention_dropout);
            if (!dx.empty()) copy(context, dsum, dx);
            attention.backward(context, branch, dx, saved.attention);
        } else {
            dropout.backward(context, dy, branch, saved.feed_forward_dropout);
            fill(context, S(0), dmiddle);
            feed_forward.backward(context, branch, dmiddle, saved.feed_forward);
            feed_forward_norm.backward(context, dmiddle, dsum, saved.feed_forward_norm);
            add(context, dsum, dy, dsum);
            dropout.backward(context, dsum, branch, saved.attention_dropout);
            fill(context, S(0), dmiddle);
            attention.backward(context, branch, dmiddle, saved.attention);
            attention_norm.backward(context, dmiddle, dx, saved.attention_norm);
            if (!dx.empty()) add(context, dx, dsum, dx);
        }
    }
};

}
