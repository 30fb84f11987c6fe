#pragma once
#include <array>

#include "didact/nn/absorbed_attention.hpp"
#include "didact/nn/gathered_rows.hpp"
#include "didact/nn/linear.hpp"

namespace didact::nn {

/// Multi-head self-attention over packed sequences (Vaswani et al. 2017, arXiv 1706.03762), from the normalised input
/// to the output projection. `projections` is 3 where a checkpoint keeps query, key and value apart, 1 where it joins
/// them in one weight of 3 · hidden outputs (GPT-2).
template <Backend B, class Adapter, std::size_t projections>
struct Attention {
    static_assert(projections == 1 || projections == 3);
    using S = Scalar<B>;
    using Projection = Linear<B, Adapter>;

    struct Saved {
        std::array<typename Projection::Saved, projections> projection;
        typename Projection::Saved output;
        typename AbsorbedAttention<B>::Saved absorbed;
        View<S> qkv, query, context;
        std::span<S> log_sums;
        AttentionShape shape;
    };

    std::array<Projection, projections> project;
    Projection output;
    std::size_t num_heads = 1;
    bool causal = false;
    double dropout = 0;

    std::size_t hidden_size() const { return output.in; }

    /// x: (tokens, hidden), y: (tokens, hidden), or a row for each token in `read`, in ascending order.
    void forward(Context<B>& context, std::span<const std::int32_t> cu_seqlens, View<const S> x, View<S> y,
                 Saved& saved, std::span<const std::int32_t> read = {}) const {
        const std::size_t hidden = hidden_size();
        const bool absorbs = can_absorb() && AbsorbedAttention<B>::serves(cu_seqlens, read);
        saved.absorbed = {};
        saved.context = context.scratch(y.rows, hidden);
        saved.log_sums = context.arena.template array<S>(y.rows * num_heads);
        if (!absorbs) saved.qkv = context.scratch(x.rows, 3 * hidden);
        const Arena::Mark before_input = context.arena.mark();
        const Factor<B> input = factor<B>(context, x, {.left = projections > 1 && !absorbs});
        if (projections == 3 && !read.empty()) {
            saved.query = context.scratch(y.rows, hidden);
            const OnlyTokens<B> only(context, read);
            project[0].forward(context, gathered_rows(context, x, read), saved.query, saved.projection[0]);
        } else {
            saved.query = head_input(saved.qkv, 0);
            project[0].forward(context, input, part(saved.qkv, 0), saved.projection[0]);
            if (!read.empty()) saved.query = gathered_rows<B>(context, saved.query, read);
        }
        saved.shape = {.cu_seqlens = cu_seqlens,
                       .num_heads = num_heads,
                       .causal = causal,
                       .scale = 1 / std::sqrt(double(hidden / num_heads)),
                       .dropout = context.training ? dropout : 0,
                       .dropout_key = mix_bits(context.dropout_key ^ context.dropout_site++),
                       .queries = read};
        if (absorbs) {
            AbsorbedAttention<B>::forward(context, saved.shape, key(), value(), x, saved.query, saved.context,
                                          saved.log_sums, saved.absorbed);
        } else {
            for (std::size_t i = 1; i < projections; ++i)
                project[i].forward(context, input, part(saved.qkv, i), saved.projection[i]);
            if (read.empty() && std::is_same_v<Adapter, NoAdapter>) context.arena.release(before_input);
            attention_forward(context, saved.shape, saved.query, head_input(saved.qkv, 1), head_input(saved.qkv, 2),
                              saved.context, saved.log_sums);
        }
        const OnlyTokens<B> only(context, read);
        output.forward(context, saved.context, y, saved.output);
    }

    /// Adds to dx, or writes it, or leaves it where it is empty. dx may be dy.
    void backward(Context<B>& context, View<const S> dy, View<S> dx, const Saved& saved, bool accumulate = true) const {
        const ArenaScope scope(context.arena);
        const View<S> dcontext = context.scratch(dy.rows, hidden_size());
        output.backward(context, dy, dcontext, saved.output);
        if (!saved.absorbed.asked.empty()) {
            const View<S> dquery = context.scratch(dy.rows, hidden_size());
            AbsorbedAttention<B>::backward(context, saved.shape, key(), value(), saved.query, dcontext,
                                           std::span<const S>(saved.log_sums), dquery, dx, accumulate, saved.absorbed);
            return query_backward(context, dquery, dx, saved);
        }
        const View<S> dqkv = context.scratch(saved.qkv.rows, 3 * hidden_size());
        const std::span<const std::int32_t> read = saved.shape.queries;
        const View<S> dquery = read.empty() ? head_input(dqkv, 0) : context.scratch(dy.rows, hidden_size());
        attention_backward(context, saved.shape, saved.query, head_input(saved.qkv, 1), head_input(saved.qkv, 2),
                           saved.context, std::span<const S>(saved.log_sums), dcontext, dquery, head_input(dqkv, 1),
                           head_input(dqkv, 2));
        if (projections == 1 && !read.empty()) {
            fill(context, S(0), head_input(dqkv, 0));
            scatter_add_rows(context, dquery, read, head_input(dqkv, 0));
        }
        const bool query_apart = projections == 3 && !read.empty();
        const Factor<B> input = factor<B>(context, saved.projection.back().x, uses_of_input(context, query_apart));
        for (std::size_t i = query_apart; i < projections; ++i) {
            typename Projection::Saved of_projection = saved.projection[i];
            of_projection.x = input;
            project[i].backward(context, part(dqkv, i), dx, of_projection, accumulate || i > query_apart);
        }
        if (query_apart) query_backward(context, dquery, dx, saved);
    }

  private:
    const Projection& key() const { return project[projections > 1]; }
    const Projection& value() const { return project[projections - 1]; }
    /// Keys and values each with a weight of its own, whose rows are the heads'. Not beside adapters, which would
    /// change the bits of the pretrained function where they begin.
    bool can_absorb() const {
        return projections == 3 && std::is_same_v<Adapter, NoAdapter> && key().layout == WeightLayout::out_in &&
               value().layout == WeightLayout::out_in;
    }

    FactorUses uses_of_input(Context<B>& context, bool query_apart) const {
        FactorUses all;
        for (std::size_t i = query_apart; i < projections; ++i) all |= project[i].uses_of_input(context.parameters);
        return all;
    }

    /// Of queries that have a projection of their own, a row for each token read: adds to dx.
    void query_backward(Context<B>& context, View<const S> dquery, View<S> dx, const Saved& saved) const {
        const View<S> down = dx.empty() ? dx : context.scratch(dquery.rows, hidden_size());
        project[0].backward(context, dquery, down, saved.projection[0]);
        if (!dx.empty()) scatter_add_rows(context, down, saved.shape.queries, dx);
    }

    View<S> part(View<S> qkv, std::size_t i) const {
        return qkv.middle_cols(i * hidden_size(), qkv.cols / projections);
    }
    View<S> head_input(View<S> qkv, std::size_t i) const { return qkv.middle_cols(i * hidden_size(), hidden_size()); }
};

}
