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

    /// x: (tokens, hidden), y: (tokens, hidden), or a row for each token in `read`, in ascending order; the others are
    /// then computed only as keys and values.
    void forward(Context<B>& context, std::span<const std::int32_t> cu_seqlens, View<const S> x, View<S> y,
                 Saved& saved, std::span<const std::int32_t> read = {}) const {
        const View<S> sum = context.scratch(y.rows, y.cols);
        const View<const S> own = read.empty() ? x : View<const S>(gathered_rows(context, x, read));
        if constexpr (place == NormPlace::post) {
            attention.forward(context, cu_seqlens, x, sum, saved.attention, read);
            const OnlyTokens<B> only(context, read);
            dropout.forward_add(context, sum, own, saved.attention_dropout);
            const View<S> middle = context.scratch(y.rows, y.cols), second = context.scratch(y.rows, y.cols);
            attention_norm.forward(context, sum, middle, saved.attention_norm);
            feed_forward.forward(context, middle, second, saved.feed_forward);
            dropout.forward_add(context, second, middle, saved.feed_forward_dropout);
            feed_forward_norm.forward(context, second, y, saved.feed_forward_norm);
        } else {
            const View<S> middle = context.scratch(x.rows, x.cols), normed = context.scratch(y.rows, y.cols);
            attention_norm.forward(context, x, middle, saved.attention_norm);
            attention.forward(context, cu_seqlens, middle, sum, saved.attention, read);
            const OnlyTokens<B> only(context, read);
            dropout.forward_add(context, sum, own, saved.attention_dropout);
            feed_forward_norm.forward(context, sum, normed, saved.feed_forward_norm);
            feed_forward.forward(context, normed, y, saved.feed_forward);
            dropout.forward_add(context, y, sum, saved.feed_forward_dropout);
        }
    }

    /// dy has forward's rows. Writes dx, (tokens, hidden), unless it is empty, which it is above a frozen block.
    void backward(Context<B>& context, View<const S> dy, View<S> dx, const Saved& saved) const {
        const ArenaScope scope(context.arena);
        const std::span<const std::int32_t> read = saved.attention.shape.queries;
        const View<S> scratch = context.scratch(dy.rows, dy.cols), dsum = context.scratch(dy.rows, dy.cols);
        const auto dropped = [&](View<const S> up, const typename Dropout<B>::Saved& kept) {
            return dropout.backward_in(context, up, scratch, kept);
        };
        if constexpr (place == NormPlace::post) {
            feed_forward_norm.backward(context, dy, dsum, saved.feed_forward_norm);
            feed_forward.backward(context, dropped(dsum, saved.feed_forward_dropout), dsum, saved.feed_forward);
            const View<S> below = dx.empty() || !read.empty() ? dsum : dx;
            attention_norm.backward(context, dsum, below, saved.attention_norm);
            attention.backward(context, dropped(below, saved.attention_dropout), dx, saved.attention, read.empty());
            if (!dx.empty() && !read.empty()) scatter_add_rows(context, below, read, dx);
        } else {
            const View<S> dnormed = context.scratch(dy.rows, dy.cols);
            feed_forward.backward(context, dropped(dy, saved.feed_forward_dropout), dnormed, saved.feed_forward, false);
            feed_forward_norm.backward(context, dnormed, dsum, saved.feed_forward_norm);
            add(context, dsum, dy, dsum);
            const View<S> below = read.empty() ? dnormed : context.scratch(saved.attention_norm.x.rows, dy.cols);
            attention.backward(context, dropped(dsum, saved.attention_dropout), below, saved.attention, false);
            attention_norm.backward(context, below, dx, saved.attention_norm);
            if (dx.empty()) return;
            if (read.empty())
                add(context, dx, dsum, dx);
            else
                scatter_add_rows(context, dsum, read, dx);
        }
    }
};

}
