#pragma once
#include "didact/core/parameter_store.hpp"

namespace didact::nn {

/// Cross-entropy over a vocabulary, logits = x Eᵀ + b with E the (tied) embedding table. All logits of a batch never
/// stand in memory at once: they are computed in blocks of rows or, where a backend makes factors, in pieces that stay
/// in cache. Backward computes them again and turns them into their gradient in place.
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
    /// Of a block of rows.
    std::size_t most_logits = logits_at_once(B());

    /// Rows at a time, as many for any number of threads.
    std::size_t block_rows(std::size_t vocabulary) const { return std::max(fewest_rows, most_logits / vocabulary); }

    /// Logits of x. x: (rows, hidden), out: (rows, vocabulary).
    void logits(Context<B>& context, View<const S> x, View<S> out) const {
        gemm(context, Transpose::no, x, Transpose::yes, forward_table(context, x.rows), out, false,
             bias_value(context));
    }

    /// Keeps the loss of each row. x: (rows, hidden); labels in [0, vocabulary).
    void forward(Context<B>& context, View<const S> x, std::span<const std::int32_t> labels, Saved& saved) const {
        saved = {x, context.arena.template array<S>(x.rows), context.arena.template array<S>(x.rows)};
        if (x.rows > 0)
            product_cross_entropy_forward<B>(context, x, Transpose::yes, forward_table(context, x.rows),
                                             bias_value(context), labels, label_smoothing, width(context, x.rows),
                                             saved.log_sums, saved.losses);
    }

    /// dx is written unless empty; the table's and the bias's gradients are added to.
    void backward(Context<B>& context, std::span<const std::int32_t> labels, std::span<const S> weights, View<S> dx,
                  const Saved& saved) const {
        auto& store = context.parameters;
        const FactorUses uses{.left = !dx.empty(),
                              .left_transposed = store.trains(table),
                              .column_sums = bias != no_parameter && store.trains(bias)};
        const std::size_t width = this->width(context, saved.x.rows);
        for (std::size_t begin = 0; begin < saved.x.rows; begin += width) {
            const ArenaScope scope(context.arena);
            const std::size_t count = std::min(width, saved.x.rows - begin);
            const View<const S> rows = saved.x.middle_rows(begin, count);
            const Factor<B> dlogits = product_cross_entropy_gradient<B>(
                context, rows, Transpose::yes, forward_table(context, count), bias_value(context),
                labels.subspan(begin, count), label_smoothing, saved.log_sums.subspan(begin, count),
                weights.subspan(begin, count), uses);
            if (store.trains(table)) {
                const auto [dtable, accumulate] = store.gradient_target(table);
                gemm(context, Transpose::yes, dlogits, Transpose::no, rows, dtable, accumulate);
            }
            if (uses.column_sums) add_column_sums(context, dlogits, store.gradient(bias));
            if (!dx.empty())
                gemm(context, Transpose::no, dlogits, Transpose::no,
                     weight_factor<B>(context, table, Transpose::no, count, count < saved.x.rows),
                     dx.middle_rows(begin, count));
        }
    }

  private:
    static constexpr std::size_t fewest_rows = 16; ///< of a block that others follow

    /// Rows of a block: no more blocks than needed, of about the same size.
    std::size_t width(const Context<B>& context, std::size_t rows) const {
        const std::size_t most = block_rows(context.parameters[table].rows);
        return std::max(fewest_rows, tile_count(rows, std::max<std::size_t>(tile_count(rows, most), 1)));
    }
    Factor<B> forward_table(Context<B>& context, std::size_t rows) const {
        constexpr bool often = true; // each block's, and backward's once more
        return weight_factor<B>(context, table, Transpose::yes, rows, often);
    }
    View<const S> bias_value(const Context<B>& context) const {
        return bias == no_parameter ? View<const S>() : std::as_const(context.parameters).value(bias);
    }
};

}
