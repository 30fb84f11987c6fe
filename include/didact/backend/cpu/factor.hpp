#pragma once
#include "didact/backend/cpu/activation.hpp"
#include "didact/backend/cpu/gemm.hpp"

namespace didact {

namespace cpu {

/// Whether factors of so many rows are more than the matrix itself.
template <CpuBackend B>
bool makes_factors([[maybe_unused]] std::size_t rows) {
    if constexpr (requires { Factor<B>::serves(rows); })
        return Factor<B>::serves(rows);
    else
        return false;
}

/// A factor without values: compute(i, cols, out) writes some columns of its row i.
template <CpuBackend B, class Compute>
Factor<B> computed_factor(Context<B>& context, std::size_t rows, std::size_t cols, FactorUses uses,
                          const Compute& compute) {
    const AmxFactorMaker<Scalar<B>> maker(context, View<const Scalar<B>>(nullptr, rows, cols), uses);
    context.pool.for_each_tile(tile_count(rows, maker.group_rows), [&](std::size_t group) {
        maker.add_computed(tile_range(group, maker.group_rows, rows), TileRange{0, cols}, compute);
    });
    return maker.factor();
}

}

/// `x` made ready, in the step's memory, for the products in `uses`. What is made already stays as it is.
template <CpuBackend B>
Factor<B> factor([[maybe_unused]] Context<B>& context, const Factor<B>& x, [[maybe_unused]] FactorUses uses) {
    if constexpr (requires { x.made(); })
        if (uses.any() && !x.made() && cpu::makes_factors<B>(x.rows)) {
            const cpu::AmxFactorMaker<Scalar<B>> maker(context, x, uses);
            context.pool.for_each_tile(tile_count(x.rows, maker.group_rows), [&](std::size_t group) {
                maker.add_rows_of(x, tile_range(group, maker.group_rows, x.rows));
            });
            return maker.factor();
        }
    return x;
}

/// activation(x) as a factor; its values are there too if `with_values`. x: (rows, cols).
template <CpuBackend B>
Factor<B> activated_factor(Context<B>& context, Activation kind, View<const Scalar<B>> x, FactorUses uses,
                           bool with_values) {
    using T = Scalar<B>;
    if constexpr (requires { Factor<B>().made(); })
        if (!with_values && cpu::makes_factors<B>(x.rows)) {
            const auto activate = cpu::activation_of_row<T>(kind);
            return cpu::computed_factor(context, x.rows, x.cols, uses, [&](std::size_t i, TileRange cols, T* out) {
                activate(cols.size(), x.row(i) + cols.begin, out);
            });
        }
    const View<T> values = context.scratch(x.rows, x.cols);
    activation_forward(context, kind, x, values);
    return factor<B>(context, values, uses);
}

/// dy ⊙ activation′(x) as a factor; overwrites dy. x, dy: (rows, cols).
template <CpuBackend B>
Factor<B> activation_gradient_factor(Context<B>& context, Activation kind, View<const Scalar<B>> x, View<Scalar<B>> dy,
                                     FactorUses uses) {
    using T = Scalar<B>;
    if constexpr (requires { Factor<B>().made(); })
        if (cpu::makes_factors<B>(x.rows)) {
            const auto gradient = cpu::activation_gradient_of_row<T>(kind);
            return cpu::computed_factor(context, x.rows, x.cols, uses, [&](std::size_t i, TileRange cols, T* out) {
                gradient(cols.size(), x.row(i) + cols.begin, dy.row(i) + cols.begin, out);
            });
        }
    activation_backward(context, kind, x, dy, dy);
    return factor<B>(context, dy, uses);
}

}
