#pragma once
#include "didact/core/parameter_store.hpp"

namespace didact::nn {

/// Layer normalisation (Ba et al. 2016, arXiv 1607.06450) over the last dimension. x, y: (rows, hidden).
template <Backend B>
struct LayerNorm {
    using S = Scalar<B>;

    struct Saved {
        View<const S> x;
        std::span<S> mean, rstd;
    };

    ParameterId weight = no_parameter, bias = no_parameter;
    double epsilon = 1e-12;

    LayerNorm() = default;
    LayerNorm(ParameterStore<B>& store, const std::string& name, std::size_t size, double epsilon, bool shared = true)
        : weight(store.add_vector(name + ".weight", size, Initializer::ones(), shared)),
          bias(store.add_vector(name + ".bias", size, Initializer::zeros(), shared)), epsilon(epsilon) {}

    void forward(Context<B>& context, View<const S> x, View<S> y, Saved& saved) const {
        const auto& store = std::as_const(context.parameters);
        saved = {x, context.arena.template array<S>(x.rows), context.arena.template array<S>(x.rows)};
        layer_norm_forward(context, x, store.value(weight), store.value(bias), epsilon, y, saved.mean, saved.rstd);
    }

    /// dx may be dy, or empty.
    void backward(Context<B>& context, View<const S> dy, View<S> dx, const Saved& saved) const {
        auto& store = context.parameters;
        layer_norm_backward(context, saved.x, std::as_const(store).value(weight), std::span<const S>(saved.mean),
                            std::span<const S>(saved.rstd), dy, dx, store.gradient(weight), store.gradient(bias));
    }
};

}
