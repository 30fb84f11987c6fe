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

    void forward(Context<B>& context, const Factor<B>& x, View<S> y, Saved& saved) const {
        saved.inner = context.scratch(x.rows, expand.out);
        expand.forward(context, x, saved.inner, saved.expand);
        const bool adapts = contract.adapter.active();
        FactorUses uses = context.keeps ? contract.uses_of_input(context.parameters) : FactorUses();
        uses.left = true;
        const Factor<B> activated = activated_factor<B>(context, activation, saved.inner, uses, adapts);
        contract.forward(context, activated, y, saved.contract);
        saved.contract.x = activated;
    }

    /// Adds to dx, or writes it, or leaves it where it is empty. dx may be dy.
    void backward(Context<B>& context, View<const S> dy, View<S> dx, const Saved& saved, bool accumulate = true) const {
        const ArenaScope scope(context.arena);
        const View<S> dactivated = context.scratch(dy.rows, expand.out);
        contract.backward(context, dy, dactivated, saved.contract);
        const Factor<B> dinner = activation_gradient_factor<B>(context, activation, saved.inner, dactivated,
                                                               expand.uses_of_gradient(context.parameters, !dx.empty()),
                                                               expand.adapter.active());
        expand.backward(context, dinner, dx, saved.expand, accumulate);
    }
};

}
