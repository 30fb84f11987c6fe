#pragma once
#include "didact/nn/linear.hpp"

namespace didact::nn {

/// y = W₂ activation(W₁ x + b₁) + b₂. x, y: (rows, hidden); the inner width is W₁'s output size.
template <Backend B, class Adapter>
struct FeedForward {
    using S = Scalar<B>;

    struct Saved {
        typename Linear<B, Adapter>::Saved expand, contract;
        BeforeActivation<B> inner;
    };

    Linear<B, Adapter> expand, contract;
    Activation activation = Activation::gelu;

    void forward(Context<B>& context, const Factor<B>& x, View<S> y, Saved& saved) const {
        FactorUses uses = context.keeps ? contract.uses_of_input(context.parameters) : FactorUses();
        uses.left = true;
        Factor<B> activated;
        if (adapts()) {
            saved.inner = {context.scratch(x.rows, expand.out)};
            expand.forward(context, x, saved.inner.values, saved.expand);
            activated = activated_factor<B>(context, activation, saved.inner.values, uses, contract.adapter.active());
        } else {
            activated = expand.forward_activated(context, activation, x, uses, saved.inner, saved.expand);
        }
        contract.forward(context, activated, y, saved.contract);
        saved.contract.x = activated;
    }

    /// Adds to dx, or writes it, or leaves it where it is empty. dx may be dy.
    void backward(Context<B>& context, View<const S> dy, View<S> dx, const Saved& saved, bool accumulate = true) const {
        const ArenaScope scope(context.arena);
        const FactorUses uses = expand.uses_of_gradient(context.parameters, !dx.empty());
        Factor<B> dinner;
        if (adapts()) {
            const View<S> dactivated = context.scratch(dy.rows, expand.out);
            contract.backward(context, dy, dactivated, saved.contract);
            dinner = activation_gradient_factor<B>(context, activation, saved.inner.values, dactivated, uses,
                                                   expand.adapter.active());
        } else {
            const Factor<B> gradient = factor<B>(context, dy, contract.uses_of_gradient(context.parameters, true));
            contract.backward(context, gradient, {}, saved.contract);
            dinner = contract.input_gradient_before(context, activation, gradient, saved.inner, uses);
        }
        expand.backward(context, dinner, dx, saved.expand, accumulate);
    }

  private:
    bool adapts() const { return expand.adapter.active() || contract.adapter.active(); }
};

}
