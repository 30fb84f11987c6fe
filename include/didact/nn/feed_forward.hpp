#pragma once
#include "didact/nn/linear.hpp"

namespace didact::nn {

/// y = W₂ activation(W₁ x + b₁) + b₂. x, y: (rows, hidden); the inner width is W₁'s output size.
template <Backend B, class Adapter>
struct FeedForward {
    using S = Scalar<B>;

    struct Saved {
        typename Linear<B, Adapter>::Saved expand, contract;
        View<S> inner;
    };

    Linear<B, Adapter> expand, contract;
    Activation activation = Activation::gelu;

    void forward(Context<B>& context, View<const S> x, View<S> y, Saved& saved) const {
        saved.inner = context.scratch(x.rows, expand.out);
        const View<S> activated = context.scratch(x.rows, expand.out);
        expand.forward(context, x, saved.inner, saved.expand);
        activation_forward(context, activation, saved.inner, activated);
        contract.forward(context, activated, y, saved.contract);
    }

    /// Adds to dx, or writes it, or leaves it where it is empty. dx may be dy.
    void backward(Context<B>& context, View<const S> dy, View<S> dx, const Saved& saved, bool accumulate = true) const {
        const ArenaScope scope(context.arena);
        const View<S> dinner = context.scratch(dy.rows, expand.out);
        contract.backward(context, dy, dinner, saved.contract);
        activation_backward(context, activation, saved.inner, dinner, dinner);
        expand.backward(context, dinner, dx, saved.expand, accumulate);
    }
};

}
