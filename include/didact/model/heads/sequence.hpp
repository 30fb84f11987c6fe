#pragma once
#include "didact/model/heads/head.hpp"

namespace didact::heads {

/// How a sequence becomes one vector. first_token_tanh: BERT's pooler, tanh(W h₀ + b). first_token: h₀ as it is.
/// mean: the mean over its tokens. last_token: the last one's, the only one that has seen all others where attention is
/// causal, and a classifier without bias and dropout, as in Transformers' GPT2ForSequenceClassification.
enum class Pooling { first_token_tanh, first_token, mean, last_token };

/// Whether a token sees only those before it.
template <class Trunk>
inline constexpr bool is_causal = false;
template <class Trunk>
requires requires { Trunk::Architecture::causal; }
inline constexpr bool is_causal<Trunk> = Trunk::Architecture::causal;

/// A head with one output row a sequence: pooling, dropout, linear, loss. `Loss` says what the outputs mean; see
/// heads/sequence_losses.hpp.
template <class Loss, Pooling pooling = Pooling::first_token_tanh>
struct Sequence {
    static constexpr const char* problem_type = Loss::problem_type;

    template <class Trunk>
    struct Layer {
        using B = typename Trunk::BackendType;
        using S = Scalar<B>;
        static constexpr const char* problem_type = Loss::problem_type;
        static constexpr bool couples_samples = requires { requires Loss::couples_samples; };
        static constexpr const char* pooling_name = pooling == Pooling::first_token_tanh ? "first_token_tanh"
                                                    : pooling == Pooling::first_token    ? "first_token"
                                                    : pooling == Pooling::last_token     ? "last_token"
                                                                                         : "mean";
        static constexpr bool of_last_token = pooling == Pooling::last_token;
        static_assert(
            !(is_causal<Trunk> && (pooling == Pooling::first_token || pooling == Pooling::first_token_tanh)),
            "didact: under causal attention the first token sees no other, so a head that reads it would tell "
            "no two texts with the same first token apart: take Pooling::last_token or Pooling::mean");

        struct Saved {
            View<const S> pooled;
            View<S> logits;
            typename nn::Linear<B>::Saved pooler, classifier;
            typename nn::Dropout<B>::Saved dropout;
            typename Loss::template Saved<B> loss;
            std::vector<std::int32_t> last_tokens;
        };

        Layer(ParameterStore<B>& store, const Trunk& trunk, const HeadOptions& options, bool first)
            : options_(options) {
            if constexpr (!Loss::over_classes) {
                refuse_class_weights(options, problem_type);
                refuse_label_smoothing(options, problem_type);
            }
            options.check_labels();
            const std::size_t hidden = trunk.output_size();
            const Initializer normal = Initializer::normal(trunk.config().initializer_range);
            if constexpr (pooling == Pooling::first_token_tanh) {
                std::string name = "pooler.dense";
                if constexpr (requires { Trunk::Architecture::pooler; }) name = Trunk::Architecture::pooler;
                pooler_ = nn::Linear<B>(store, tensor_name(options, first, name), hidden, hidden, normal,
                                        nn::WeightLayout::out_in, true, false);
            }
            std::string name = "classifier";
            if constexpr (of_last_token)
                name = "score";
            else if constexpr (requires { Trunk::Architecture::classifier; })
                name = Trunk::Architecture::classifier;
            classifier_ = nn::Linear<B>(store, tensor_name(options, first, name), hidden, options.num_labels, normal,
                                        nn::WeightLayout::out_in, !of_last_token, false);
            dropout_.p = of_last_token ? 0 : trunk.config().classifier_dropout;
        }

        const HeadOptions& options() const { return options_; }

        /// The first or the last token of each sequence.
        std::span<const std::int32_t> tokens_read(Context<B>&, const Batch& batch, Saved& saved) const
            requires(pooling != Pooling::mean) {
            if constexpr (!of_last_token) return std::span(batch.cu_seqlens).first(batch.size());
            saved.last_tokens.assign(batch.cu_seqlens.begin() + 1, batch.cu_seqlens.end());
            for (std::int32_t& end : saved.last_tokens) --end;
            return saved.last_tokens;
        }

        /// Keeps logits of shape (sequences, num_labels).
        void logits(Context<B>& context, View<const S> hidden, const Batch& batch, Saved& saved) const {
            if constexpr (pooling == Pooling::mean) {
                check_every_token(batch, hidden, problem_type);
                const View<S> mean = context.scratch(batch.size(), hidden.cols);
                segment_mean(context, hidden, batch.cu_seqlens, mean);
                saved.pooled = mean;
            } else {
                saved.pooled = rows_read(context, batch, hidden, tokens_read(context, batch, saved));
            }
            if constexpr (pooling == Pooling::first_token_tanh) {
                const View<S> pooled = context.scratch(batch.size(), hidden.cols);
                pooler_.forward(context, saved.pooled, pooled, saved.pooler);
                activation_forward(context, Activation::tanh, pooled, pooled);
                saved.pooled = pooled;
            }
            // The pooled vector is kept for tanh's slope, or is the trunk's, so dropout works on a copy.
            View<const S> input = saved.pooled;
            saved.dropout = {};
            if (context.training && dropout_.p > 0) {
                const View<S> dropped = context.scratch(input.rows, input.cols);
                copy(context, input, dropped);
                dropout_.forward(context, dropped, saved.dropout);
                input = dropped;
            }
            saved.logits = context.scratch(batch.size(), classifier_.out);
            classifier_.forward(context, input, saved.logits, saved.classifier);
        }

        double units(const Batch& batch) const { return Loss::units(batch, options_); }

        double loss(Context<B>& context, const Batch& batch, Saved& saved, std::span<float> sample_losses) const {
            return Loss::template forward<B>(context, options_, batch, saved.logits, saved.loss, sample_losses);
        }

        void backward(Context<B>& context, View<const S>, const Batch& batch, Saved& saved, double scale,
                      View<S> dhidden) const {
            const ArenaScope scope(context.arena);
            const View<S> dlogits = context.scratch(saved.logits.rows, saved.logits.cols);
            Loss::template backward<B>(context, options_, batch, saved.logits, saved.loss, scale, dlogits);
            logits_backward(context, batch, saved, dlogits, dhidden);
        }

        /// From the gradient of the logits down: what a distillation loss needs too.
        void logits_backward(Context<B>& context, const Batch& batch, Saved& saved, View<const S> dlogits,
                             View<S> dhidden) const {
            const ArenaScope scope(context.arena);
            const bool pooler_trains =
                pooling == Pooling::first_token_tanh &&
                (context.parameters.trains(pooler_.weight) || context.parameters.trains(pooler_.bias));
            if (dhidden.empty() && !pooler_trains) {
                classifier_.backward(context, dlogits, {}, saved.classifier);
                return;
            }
            const View<S> dpooled = context.scratch(saved.pooled.rows, saved.pooled.cols);
            classifier_.backward(context, dlogits, dpooled, saved.classifier);
            dropout_.backward(context, dpooled, dpooled, saved.dropout);
            if constexpr (pooling == Pooling::mean) {
                segment_mean_backward(context, dpooled, batch.cu_seqlens, dhidden);
            } else if constexpr (pooling != Pooling::first_token_tanh) {
                rows_read_backward(context, dpooled, tokens_read(context, batch, saved), dhidden);
            } else {
                tanh_backward_from_output(context, saved.pooled, dpooled);
                const View<S> dfirst = dhidden.empty() ? View<S>() : context.scratch(dpooled.rows, dpooled.cols);
                pooler_.backward(context, dpooled, dfirst, saved.pooler);
                if (!dhidden.empty()) rows_read_backward(context, dfirst, tokens_read(context, batch, saved), dhidden);
            }
        }

        /// Adds, in the place of gradients, Σ weights[r] · (gradient of row r)², where `dlogits` has several rows for
        /// each sample of the pass; writes each row's gradient of the hidden state. For trunks that give one row a
        /// sample.
        void add_squared_gradients(Context<B>& context, const Saved& saved, View<const S> dlogits,
                                   std::span<const S> weights, View<S> dhidden) const
            requires(pooling != Pooling::first_token_tanh) {
            const ArenaScope scope(context.arena);
            const View<S> squares = context.scratch(saved.logits.rows, dlogits.cols);
            sum_weighted_squares(context, dlogits, weights, squares);
            classifier_.add_squared_gradients(context, squares, saved.classifier);
            classifier_.input_gradient(context, dlogits, dhidden);
        }

      private:
        HeadOptions options_;
        nn::Linear<B> pooler_, classifier_;
        nn::Dropout<B> dropout_;
    };
};

}
