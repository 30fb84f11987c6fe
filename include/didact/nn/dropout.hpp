#pragma once
#include "didact/core/parameter_store.hpp"

namespace didact::nn {

/// Dropout (Srivastava et al. 2014), scaled by 1 / (1 − p) in training and the identity otherwise. The mask is a
/// function of the step's key, of the place of the layer in the pass and of the element's token and column.
template <Backend B>
struct Dropout {
    using S = Scalar<B>;

    struct Saved {
        std::span<std::uint8_t> mask; ///< empty where nothing was dropped
    };

    double p = 0;

    /// In place.
    void forward(Context<B>& context, View<S> x, Saved& saved) const {
        const std::uint32_t site = context.dropout_site++;
        saved.mask = {};
        if (!context.training || p == 0) return;
        saved.mask = context.arena.template array<std::uint8_t>(x.size());
        dropout_forward(context, p, mix_bits(context.dropout_key ^ site), x, x, saved.mask);
    }

    /// x = residual + dropout(x).
    void forward_add(Context<B>& context, View<S> x, View<const S> residual, Saved& saved) const {
        const std::uint32_t site = context.dropout_site++;
        saved.mask = {};
        if (!context.training || p == 0) return add(context, x, residual, x);
        saved.mask = context.arena.template array<std::uint8_t>(x.size());
        dropout_forward(context, p, mix_bits(context.dropout_key ^ site), x, x, saved.mask, residual);
    }

    /// The gradient below this layer: dy itself where nothing was dropped, else made in `scratch`.
    View<const S> backward_in(Context<B>& context, View<const S> dy, View<S> scratch, const Saved& saved) const {
        if (saved.mask.empty()) return dy;
        dropout_backward(context, p, std::span<const std::uint8_t>(saved.mask), dy, scratch);
        return scratch;
    }

    /// dx may be dy.
    void backward(Context<B>& context, View<const S> dy, View<S> dx, const Saved& saved) const {
        if (!saved.mask.empty())
            dropout_backward(context, p, std::span<const std::uint8_t>(saved.mask), dy, dx);
        else if (dx.data != dy.data)
            copy(context, dy, dx);
    }
};

}
