#pragma once
#include <cmath>

#include "didact/backend/cpu.hpp"
#include "didact/nn/deferred_gradients.hpp"

namespace didact {

/// ‖leftᵀ right‖² = Σₙₘ (left leftᵀ ⊙ right rightᵀ)ₙₘ, without the product: the "ghost norm" of Li et al. 2022 (arXiv
/// 2110.05679), or not a number where so little is left of that sum that its digits would be too few.
template <CpuBackend B>
double squared_product_norm(Context<B>& context, View<const Scalar<B>> left, View<const Scalar<B>> right) {
    using S = Scalar<B>;
    const ArenaScope scope(context.arena);
    const View<S> of_left = context.scratch(left.rows, left.rows), of_right = context.scratch(left.rows, left.rows);
    // Both are symmetric: the products of the later rows with the earlier ones are left out.
    const std::size_t half = left.rows / 2;
    const auto multiply_rows = [&](View<const S> x, View<S> products, TileRange rows) {
        cpu::ThinGemm<S>::product(
            Transpose::no, x.middle_rows(rows.begin, rows.size()), Transpose::yes,
            x.middle_rows(rows.begin, x.rows - rows.begin),
            products.middle_rows(rows.begin, rows.size()).middle_cols(rows.begin, x.rows - rows.begin), false);
    };
    for (const TileRange rows : {TileRange{0, half}, TileRange{half, left.rows}}) {
        multiply_rows(left, of_left, rows);
        multiply_rows(right, of_right, rows);
    }
    double sum = 0, magnitudes = 0;
    for (std::size_t n = 0; n < left.rows; ++n)
        for (std::size_t m = n; m < left.rows; ++m) {
            const double term = double(of_left(n, m)) * double(of_right(n, m)) * (n == m ? 1 : 2);
            sum += term;
            magnitudes += std::abs(term);
        }
    return sum >= 0.01 * magnitudes ? sum : std::nan("");
}

/// The norm of all gradients. Deferred ones stay deferred, but for those whose norm needs them.
template <CpuBackend B>
double gradient_norm(Context<B>& context) {
    auto& store = context.parameters;
    double sum = 0;
    for (std::size_t i = 0; i < store.deferred().ids().size();) {
        const ParameterId id = store.deferred().ids()[i];
        const auto [left, right] = store.deferred().of(id, store[id]);
        const double squared = squared_product_norm(context, left, right);
        if (std::isfinite(squared)) {
            sum += squared;
            ++i;
        } else {
            nn::compute_deferred(context, id);
        }
    }
    const std::span<const Scalar<B>> gradients = std::as_const(store).gradients();
    std::size_t begin = 0;
    for (const ParameterId id : store.deferred().ids()) {
        sum += squared_norm(context, gradients.subspan(begin, store[id].trainable_offset - begin));
        begin = store[id].trainable_offset + store[id].size();
    }
    return std::sqrt(sum + squared_norm(context, gradients.subspan(begin)));
}

}
