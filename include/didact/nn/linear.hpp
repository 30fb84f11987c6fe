#pragma once
#include "didact/nn/deferred_gradients.hpp"

namespace didact::nn {

/// How a checkpoint stores a weight: (out, in) as PyTorch's Linear, or (in, out) as GPT-2's Conv1D.
enum class WeightLayout { out_in, in_out };

/// No adapter: takes no room and no instruction.
struct NoAdapter {
    template <Backend B>
    struct Layer {
        struct Saved {};
        static constexpr bool active() { return false; }
    };
};

/// y = x Wᵀ + b, plus the adapter's contribution where there is one.
/// x: (rows, in), y: (rows, out), weight: (out, in) or (in, out) by layout, bias: (1, out).
template <Backend B, class Adapter = NoAdapter>
struct Linear {
    using S = Scalar<B>;

    struct Saved {
        Factor<B> x;
        [[no_unique_address]] typename Adapter::template Layer<B>::Saved adapter;
    };

    ParameterId weight = no_parameter;
    ParameterId bias = no_parameter;
    std::size_t in = 0, out = 0;
    WeightLayout layout = WeightLayout::out_in;
    [[no_unique_address]] typename Adapter::template Layer<B> adapter;

    Linear() = default;
    /// Adds `<name>.weight` and, unless `with_bias` is false, `<name>.bias` to the store.
    Linear(ParameterStore<B>& store, const std::string& name, std::size_t in, std::size_t out, Initializer initializer,
           WeightLayout layout = WeightLayout::out_in, bool with_bias = true, bool shared = true)
        : in(in), out(out), layout(layout) {
        weight = layout == WeightLayout::out_in ? store.add_matrix(name + ".weight", out, in, initializer, shared)
                                                : store.add_matrix(name + ".weight", in, out, initializer, shared);
        if (with_bias) bias = store.add_vector(name + ".bias", out, Initializer::zeros(), shared);
    }

    /// Keeps the values of x for backward; who has made more of x for `uses_of_input` sets saved.x to that.
    void forward(Context<B>& context, const Factor<B>& x, View<S> y, Saved& saved) const {
        const auto& store = std::as_const(context.parameters);
        saved.x = View<const S>(x);
        gemm(context, Transpose::no, x, transpose_forward(), weight_for(context, transpose_forward(), x.rows), y, false,
             bias_value(store));
        if (adapter.active()) {
            if constexpr (requires { adapter.forward(context, x, y, saved.adapter); })
                adapter.forward(context, x, y, saved.adapter);
        }
    }

    /// activation(y) as a factor without its values, and what its gradient needs. For layers without an active adapter.
    Factor<B> forward_activated(Context<B>& context, Activation kind, const Factor<B>& x, FactorUses uses,
                                BeforeActivation<B>& before, Saved& saved) const {
        const auto& store = std::as_const(context.parameters);
        saved.x = View<const S>(x);
        return activated_product_factor<B>(context, kind, x, transpose_forward(),
                                           weight_for(context, transpose_forward(), x.rows), bias_value(store), out,
                                           uses, before);
    }

    /// What backward takes x, and the gradient of y, for; an adapter may take x for more.
    FactorUses uses_of_input(const ParameterStore<B>& store) const {
        const bool trains = store.trains(weight), out_in = layout == WeightLayout::out_in;
        return {.left_transposed = trains && !out_in, .right = trains && out_in};
    }
    FactorUses uses_of_gradient(const ParameterStore<B>& store, bool input_gradient) const {
        const bool trains = store.trains(weight), out_in = layout == WeightLayout::out_in;
        return {.left = input_gradient || adapter.active(),
                .left_transposed = (trains && out_in) || adapter.active(),
                .right = trains && !out_in,
                .column_sums = store.trains(bias)};
    }

    /// Adds to the gradients of what trains. Writes dx, or adds to it; an empty dx is not computed.
    void backward(Context<B>& context, const Factor<B>& gradient, View<S> dx, const Saved& saved,
                  bool accumulate = false) const {
        auto& store = context.parameters;
        const ArenaScope scope(context.arena);
        const Factor<B> dy = factor<B>(context, gradient, uses_of_gradient(store, !dx.empty()));
        if (store.trains(weight)) weight_gradient(context, dy, saved.x);
        if (store.trains(bias)) add_column_sums(context, dy, store.gradient(bias));
        if (!dx.empty()) input_gradient(context, dy, dx, accumulate);
        if (adapter.active()) {
            if constexpr (requires { adapter.backward(context, dy, dx, saved.x, saved.adapter); })
                adapter.backward(context, dy, dx, saved.x, saved.adapter);
        }
    }

    /// dx = dy W, or dx += dy W, without the adapter's contribution.
    void input_gradient(Context<B>& context, const Factor<B>& dy, View<S> dx, bool accumulate = false) const {
        gemm(context, Transpose::no, dy, transpose_backward(), weight_for(context, transpose_backward(), dy.rows), dx,
             accumulate);
    }
    /// dx ⊙ activation′, with that dx, as a factor without its values; x was the activation of what was `before`.
    Factor<B> input_gradient_before(Context<B>& context, Activation kind, const Factor<B>& dy,
                                    const BeforeActivation<B>& before, FactorUses uses) const {
        return activation_gradient_product_factor<B>(context, kind, dy, transpose_backward(),
                                                     weight_for(context, transpose_backward(), dy.rows), before, uses);
    }

    /// Adds, in the place of gradients, the squares of each row's own: Σ_n (dyₙ ⊗ xₙ)² is (dy²)ᵀ x² (Goodfellow 2015,
    /// arXiv 1510.01799). dy_squares: (rows, out), already squared.
    void add_squared_gradients(Context<B>& context, View<const S> dy_squares, const Saved& saved) const {
        auto& store = context.parameters;
        const ArenaScope scope(context.arena);
        if (store.trains(weight)) {
            require(!saved.x.empty(), "squared gradients need the values of the layer's input");
            const View<S> x_squares = context.scratch(saved.x.rows, saved.x.cols);
            multiply(context, saved.x, saved.x, x_squares);
            weight_gradient(context, dy_squares, x_squares);
        }
        if (store.trains(bias)) add_column_sums(context, dy_squares, store.gradient(bias));
    }

  private:
    Transpose transpose_forward() const { return layout == WeightLayout::out_in ? Transpose::yes : Transpose::no; }
    Transpose transpose_backward() const { return layout == WeightLayout::out_in ? Transpose::no : Transpose::yes; }
    Factor<B> weight_for(Context<B>& context, Transpose transpose, std::size_t rows) const {
        return weight_factor<B>(context, weight, transpose, rows);
    }
    View<const S> bias_value(const ParameterStore<B>& store) const {
        return bias == no_parameter ? View<const S>() : store.value(bias);
    }

    void weight_gradient(Context<B>& context, const Factor<B>& dy, const Factor<B>& x) const {
        if (layout == WeightLayout::out_in)
            add_product_gradient<B>(context, weight, dy, x);
        else
            add_product_gradient<B>(context, weight, x, dy);
    }
};

}
