#pragma once
#include "didact/core/parameter_store.hpp"

namespace didact::nn {

/// Cross-entropy over a vocabulary, logits = x Eᵀ + b with E the (tied) embedding table, computed in blocks of rows:
/// all logits of a batch never stand in memory at once. Backward computes each block again and turns it into its
/// gradient in place.
template <Backend B>
struct VocabularyLoss {
    using S = Scalar<B>;

    struct Saved {
        View<const S> x;
        std::span<S> log_sums, losses;
    };

    ParameterId table = no_parameter; ///< (vocabulary, hidden)
    ParameterId bias = no_parameter;  ///< (1, vocabulary) or none
    double label_smoothing = 0;
    /// Of a block: 64 MB of floats, so that the table, which each block reads as a whole, is not read for a few rows.
    std::size_t most_logits = std::size_t(1) << 24;

    /// Rows at a time, as many for any number of threads.
    std::size_t block_rows(std::size_t vocabulary) const { return std::max(fewest_rows, most_logits / vocabulary); }

    /// Logits of rows [begin, begin + count) of x.
    void logits(Context<B>& context, View<const S> x, View<S> out) const {
        const auto& store = std::as_const(context.parameters);
        constexpr bool often = true; // each block's, and backward's once more
        gemm(context, Transpose::no, x, Transpose::yes, weight_factor<B>(context, table, Transpose::yes, x.rows, often),
             out, false, bias == no_parameter ? View<const S>() : store.value(bias));
    }

    /// Keeps the loss of each row. x: (rows, hidden); labels in [0, vocabulary).
    void forward(Context<B>& context, View<const S> x, std::span<const std::int32_t> labels, Saved& saved) const {
        saved = {x, context.arena.template array<S>(x.rows), context.arena.template array<S>(x.rows)};
        for_each_block(context, saved, [&](std::size_t begin, View<const S> rows, View<S> block) {
            logits(context, rows, block);
            cross_entropy_forward(context, block, labels.subspan(begin, rows.rows), label_smoothing,
                                  saved.log_sums.subspan(begin, rows.rows), saved.losses.subspan(begin, rows.rows));
        });
    }

    /// dx is written unless empty; the table's and the bias's gradients are added to.
    void backward(Context<B>& context, std::span<const std::int32_t> labels, std::span<const S> weights, View<S> dx,
                  const Saved& saved) const {
        auto& store = context.parameters;
        for_each_block(context, saved, [&](std::size_t begin, View<const S> rows, View<S> block) {
            logits(context, rows, block);
            cross_entropy_backward(context, block, labels.subspan(begin, rows.rows), label_smoothing,
                                   std::span<const S>(saved.log_sums.subspan(begin, rows.rows)),
                                   weights.subspan(begin, rows.rows), block);
            if (store.trains(table)) {
                const auto [dtable, accumulate] = store.gradient_target(table);
                gemm(context, Transpose::yes, block, Transpose::no, rows, dtable, accumulate);
            }
            if (bias != no_parameter && store.trains(bias)) add_column_sums(context, block, store.gradient(bias));
            if (!dx.empty())
                gemm(context, Transpose::no, block, Transpose::no,
                     weight_factor<B>(context, table, Transpose::no, rows.rows, rows.rows < saved.x.rows),
                     dx.middle_rows(begin, rows.rows));
        });
    }

  private:
    static constexpr std::size_t fewest_rows = 16; ///< of a block that others follow

    template <class Body>
    void for_each_block(Context<B>& context, const Saved& saved, const Body& body) const {
        const std::size_t vocabulary = context.parameters[table].rows;
        // No more blocks than needed, of about the same size.
        const std::size_t most = block_rows(vocabulary), blocks = tile_count(saved.x.rows, most);
        const std::size_t width = std::max(fewest_rows, tile_count(saved.x.rows, std::max<std::size_t>(blocks, 1)));
        for (std::size_t begin = 0; begin < saved.x.rows; begin += width) {
            const ArenaScope scope(context.arena);
            const View<const S> rows = saved.x.middle_rows(begin, std::min(width, saved.x.rows - begin));
            body(begin, rows, context.scratch(rows.rows, vocabulary));
        }
    }
};

}
