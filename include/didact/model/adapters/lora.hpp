#pragma once
#include "didact/nn/dropout.hpp"
#include "didact/nn/linear.hpp"

namespace didact::adapters {

/// LoRA (Hu et al. 2022, arXiv 2106.09685): y += (α / r) · dropout(x) Aᵀ Bᵀ. A: (r, in), uniform in ±1/√in as PEFT's
/// Kaiming-uniform with a = √5; B: (out, r), zero, so that training starts at the pretrained function. A template
/// argument of the model: `Transformer<arch::Bert, Cpu<float>, adapters::Lora>`; which layers have one is decided by
/// freeze::Lora at run time.
struct Lora {
    template <Backend B>
    struct Layer {
        using S = Scalar<B>;

        struct Saved {
            View<S> x, down;
            typename nn::Dropout<B>::Saved dropout;
        };

        ParameterId a = no_parameter, b = no_parameter;
        S factor = 0;
        nn::Dropout<B> dropout;

        bool active() const { return a != no_parameter; }

        void attach(ParameterStore<B>& store, const std::string& name, std::size_t in, std::size_t out,
                    std::size_t rank, double alpha, double dropout_probability) {
            require(!active(), "'", name, "' has a LoRA adapter already");
            a = store.add_matrix(name + ".lora_A.weight", rank, in, Initializer::uniform(1 / std::sqrt(double(in))));
            b = store.add_matrix(name + ".lora_B.weight", out, rank, Initializer::zeros());
            factor = S(alpha / double(rank));
            dropout.p = dropout_probability;
        }

        void forward(Context<B>& context, const Factor<B>& x, View<S> y, Saved& saved) const {
            const auto& store = std::as_const(context.parameters);
            saved.x = {};
            Factor<B> input = x;
            if (context.training && dropout.p > 0) {
                saved.x = context.scratch(x.rows, x.cols);
                copy(context, x, saved.x);
                dropout.forward(context, saved.x, saved.dropout);
                input = saved.x;
            }
            saved.down = context.scratch(x.rows, store[a].rows);
            gemm(context, Transpose::no, input, Transpose::yes, store.value(a), saved.down);
            scale(context, factor, saved.down, saved.down);
            gemm(context, Transpose::no, saved.down, Transpose::yes, store.value(b), y, true);
        }

        /// Adds to dx unless it is empty.
        void backward(Context<B>& context, const Factor<B>& dy, View<S> dx, const Factor<B>& x,
                      const Saved& saved) const {
            auto& store = context.parameters;
            const ArenaScope scope(context.arena);
            if (store.trains(b)) gemm(context, Transpose::yes, dy, Transpose::no, saved.down, store.gradient(b), true);
            const View<S> ddown = context.scratch(dy.rows, store[a].rows);
            gemm(context, Transpose::no, dy, Transpose::no, std::as_const(store).value(b), ddown);
            scale(context, factor, ddown, ddown);
            const Factor<B> input = saved.x.empty() ? x : Factor<B>(saved.x);
            if (store.trains(a)) gemm(context, Transpose::yes, ddown, Transpose::no, input, store.gradient(a), true);
            if (dx.empty()) return;
            if (saved.x.empty()) {
                gemm(context, Transpose::no, ddown, Transpose::no, std::as_const(store).value(a), dx, true);
            } else {
                const View<S> dropped = context.scratch(dx.rows, dx.cols);
                gemm(context, Transpose::no, ddown, Transpose::no, std::as_const(store).value(a), dropped);
                dropout.backward(context, dropped, dropped, saved.dropout);
                add(context, dx, dropped, dx);
            }
        }

        /// Adds the adapter's product to the layer's weight: the merged layer computes the same without it.
        void merge_into(Context<B>& context, View<S> weight, nn::WeightLayout layout, S sign = S(1)) const {
            const auto& store = std::as_const(context.parameters);
            const ArenaScope scope(context.arena);
            const View<S> scaled = context.scratch(store[b].rows, store[b].cols);
            scale(context, sign * factor, store.value(b), scaled);
            if (layout == nn::WeightLayout::out_in)
                gemm(context, Transpose::no, scaled, Transpose::no, store.value(a), weight, true);
            else
                gemm(context, Transpose::yes, store.value(a), Transpose::yes, scaled, weight, true);
        }
    };
};

}
