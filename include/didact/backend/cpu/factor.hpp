#pragma once
#include <type_traits>

#include "didact/backend/cpu/activation.hpp"
#include "didact/backend/cpu/gemm.hpp"

namespace didact {

namespace cpu {

/// Whether factors of so many rows are more than the matrix itself.
template <CpuBackend B>
bool makes_factors([[maybe_unused]] std::size_t rows) {
    if constexpr (std::is_same_v<Factor<B>, View<const Scalar<B>>>)
        return false;
    else
        return Factor<B>::serves(rows);
}

/// A factor of pieces, where makes_factors(rows): see AmxFactorMaker::make.
template <CpuBackend B, class Piece>
Factor<B> factor_of_pieces([[maybe_unused]] Context<B>& context, View<const Scalar<B>> values,
                           [[maybe_unused]] FactorUses uses, [[maybe_unused]] const Piece& piece) {
#if DIDACT_WITH_AMX
    if constexpr (!std::is_same_v<Factor<B>, View<const Scalar<B>>>)
        return AmxFactorMaker<Scalar<B>>(context, values, uses).make(context, piece);
#endif
    return values;
}

/// One without values, of which compute(i, cols, out) writes some columns of row i.
template <CpuBackend B, class Compute>
Factor<B> computed_factor(Context<B>& context, std::size_t rows, std::size_t cols, FactorUses uses,
                          const Compute& compute) {
    using T = Scalar<B>;
    return factor_of_pieces(context, View<const T>(nullptr, rows, cols), uses,
                            [&](TileRange rows, TileRange cols, T* buffer) {
                                const View<T> piece(buffer, rows.size(), cols.size());
                                for (std::size_t i = 0; i < piece.rows; ++i)
                                    compute(rows.begin + i, cols, piece.row(i));
                                return View<const T>(piece);
                            });
}

}

/// `x` made ready, in the step's memory, for the products in `uses`. What is made already stays as it is.
template <CpuBackend B>
Factor<B> factor(Context<B>& context, const Factor<B>& x, FactorUses uses) {
    if constexpr (requires { x.made(); })
        if (x.made()) return x;
    if (!uses.any() || !cpu::makes_factors<B>(x.rows)) return x;
    return cpu::factor_of_pieces(
        context, View<const Scalar<B>>(x), uses, [&](TileRange rows, TileRange cols, Scalar<B>*) {
            return View<const Scalar<B>>(x).middle_rows(rows.begin, rows.size()).middle_cols(cols.begin, cols.size());
        });
}

/// activation(x) as a factor; its values are there too if `with_values`. x: (rows, cols).
template <CpuBackend B>
Factor<B> activated_factor(Context<B>& context, Activation kind, View<const Scalar<B>> x, FactorUses uses,
                           bool with_values) {
    using T = Scalar<B>;
    if (!with_values && cpu::makes_factors<B>(x.rows)) {
        const auto activate = cpu::activation_of_row<B>(kind);
        return cpu::computed_factor(context, x.rows, x.cols, uses, [&](std::size_t i, TileRange cols, T* out) {
            activate(cols.size(), x.row(i) + cols.begin, out);
        });
    }
    const View<T> values = context.scratch(x.rows, x.cols);
    activation_forward(context, kind, x, values);
    return factor<B>(context, values, uses);
}

/// dy ⊙ activation′(x) as a factor; overwrites dy, by the factor's values if `with_values`. x, dy: (rows, cols).
template <CpuBackend B>
Factor<B> activation_gradient_factor(Context<B>& context, Activation kind, View<const Scalar<B>> x, View<Scalar<B>> dy,
                                     FactorUses uses, bool with_values) {
    using T = Scalar<B>;
    if (!with_values && cpu::makes_factors<B>(x.rows)) {
        const auto gradient = cpu::activation_gradient_of_row<B>(kind);
        return cpu::computed_factor(context, x.rows, x.cols, uses, [&](std::size_t i, TileRange cols, T* out) {
            gradient(cols.size(), x.row(i) + cols.begin, dy.row(i) + cols.begin, out);
        });
    }
    activation_backward(context, kind, x, dy, dy);
    return factor<B>(context, dy, uses);
}

namespace cpu {

#if DIDACT_WITH_AMX
/// A factor of (rows, cols) made of pieces of a op(b), where makes_factors(rows). piece(multiply, rows, cols, buffer)
/// gives a piece, in the buffer or elsewhere; multiply is AmxGemm::Pieces of a op(b). Only the factor stays in memory.
template <CpuBackend B, class Piece>
Factor<B> factor_of_product(Context<B>& context, const Factor<B>& a, Transpose transpose_b, const Factor<B>& b,
                            std::size_t rows, std::size_t cols, FactorUses uses, const Piece& piece) {
    using T = Scalar<B>;
    using Order = typename AmxFactorMaker<T>::Order;
    // Where b is far larger than a, its parts are read once.
    const Order order = cols > 16 * rows ? Order::down_columns : Order::along_rows;
    const AmxFactorMaker<T> maker(context, View<const T>(nullptr, rows, cols), uses);
    const ArenaScope scope(context.arena);
    const typename AmxGemm<T>::Pieces multiply(context, Transpose::no, a, transpose_b, b);
    return maker.make(
        context,
        [&](TileRange rows, TileRange cols, T* buffer) {
            return piece(multiply, rows, cols, View<T>(buffer, rows.size(), cols.size()));
        },
        order);
}
#endif

}

/// activation(a op(b) + bias), as by gemm, as a factor without its values, and what the gradient needs `before` it, in
/// the step's memory, where context.keeps. (rows, cols)
template <CpuBackend B>
Factor<B> activated_product_factor(Context<B>& context, Activation kind, const Factor<B>& a, Transpose transpose_b,
                                   const Factor<B>& b, View<const Scalar<B>> bias, std::size_t cols, FactorUses uses,
                                   BeforeActivation<B>& before) {
    before = {};
#if DIDACT_WITH_AMX
    if constexpr (!std::is_same_v<Factor<B>, View<const Scalar<B>>>)
        if (cpu::makes_factors<B>(a.rows)) {
            using T = Scalar<B>;
            const auto activate = cpu::activation_of_row<B>(kind);
            const auto slope = cpu::activation_slope_of_row<B>(kind);
            if (context.keeps) before.slopes = context.arena.template matrix<bf16>(a.rows, cols);
            return cpu::factor_of_product<B>(
                context, a, transpose_b, b, a.rows, cols, uses,
                [&](const auto& multiply, TileRange rows, TileRange columns, View<T> piece) -> View<const T> {
                    multiply(rows, columns, piece, false, bias);
                    for (std::size_t i = 0; i < piece.rows; ++i) {
                        if (!before.slopes.empty()) {
                            T slopes[cpu::AmxFactorMaker<T>::piece_cols];
                            slope(piece.cols, piece.row(i), slopes);
                            cpu::AmxTiles<T>::round_row(piece.cols, slopes,
                                                        before.slopes.row(rows.begin + i) + columns.begin);
                        }
                        activate(piece.cols, piece.row(i), piece.row(i));
                    }
                    return piece;
                });
        }
#endif
    before.values = context.scratch(a.rows, cols);
    gemm(context, Transpose::no, a, transpose_b, b, before.values, false, bias);
    return activated_factor<B>(context, kind, before.values, uses, false);
}

/// (a op(b)) ⊙ activation′ as a factor without its values. before: (rows, cols), of activated_product_factor.
template <CpuBackend B>
Factor<B> activation_gradient_product_factor(Context<B>& context, Activation kind, const Factor<B>& a,
                                             Transpose transpose_b, const Factor<B>& b,
                                             const BeforeActivation<B>& before, FactorUses uses) {
    using T = Scalar<B>;
#if DIDACT_WITH_AMX
    if constexpr (!std::is_same_v<Factor<B>, View<const T>>)
        if (!before.slopes.empty())
            return cpu::factor_of_product<B>(
                context, a, transpose_b, b, before.slopes.rows, before.slopes.cols, uses,
                [&](const auto& multiply, TileRange rows, TileRange cols, View<T> dy) -> View<const T> {
                    multiply(rows, cols, dy, false, {});
                    for (std::size_t i = 0; i < dy.rows; ++i)
                        cpu::AmxTiles<T>::multiply_row(dy.cols, before.slopes.row(rows.begin + i) + cols.begin,
                                                       dy.row(i));
                    return dy;
                });
#endif
    const View<T> dy = context.scratch(before.values.rows, before.values.cols);
    gemm(context, Transpose::no, a, transpose_b, b, dy);
    return activation_gradient_factor<B>(context, kind, before.values, dy, uses, false);
}

}
