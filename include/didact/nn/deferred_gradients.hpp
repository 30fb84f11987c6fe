#pragma once
#include <functional>

#include "didact/core/parameter_store.hpp"

namespace didact::nn {

/// Adds leftᵀ right to the gradient of a weight in the store.
template <Backend B>
void compute_product_gradient(Context<B>& context, ParameterId id, const Factor<B>& left, const Factor<B>& right) {
    const auto [gradient, accumulate] = context.parameters.gradient_target(id);
    gemm(context, Transpose::yes, left, Transpose::no, right, gradient, accumulate);
}

/// Computes the gradient of a weight that is kept as its factors, in its place in the store.
template <Backend B>
void compute_deferred(Context<B>& context, ParameterId id) {
    auto& store = context.parameters;
    if (!store.deferred().has(id)) return;
    const auto [left, right] = store.deferred().of(id, store[id]);
    compute_product_gradient<B>(context, id, left, right);
    store.deferred().remove(id);
}

/// The same for all weights.
template <Backend B>
void compute_deferred(Context<B>& context) {
    while (!context.parameters.deferred().ids().empty())
        compute_deferred(context, context.parameters.deferred().ids().front());
}

/// Adds leftᵀ right to the gradient of a weight, or keeps it as its factors where the context allows that and the
/// products are of few terms, which a backend computes by itself. left: (terms, rows of the weight), right: (terms, its
/// columns).
template <Backend B>
void add_product_gradient(Context<B>& context, ParameterId id, const Factor<B>& left, const Factor<B>& right) {
    auto& store = context.parameters;
    const auto& lasting = context.lasting;
    const std::less<const Scalar<B>*> before;
    const bool right_stays = !before(right.data, lasting.data()) && before(right.data, lasting.data() + lasting.size());
    if (context.defers_gradients && left.rows < B::independent_rows &&
        store.defer_gradient(id, left, right, right_stays))
        return;
    compute_deferred(context, id);
    compute_product_gradient(context, id, left, right);
}

}
