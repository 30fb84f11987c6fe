#pragma once
#include <algorithm>

#include "didact/model/heads/head.hpp"
#include "didact/nn/layer_norm.hpp"
#include "didact/nn/vocabulary_loss.hpp"

namespace didact::heads {

/// Language modelling over the tied token embedding. `masked`: labels_of(s) has one entry a token, ignored_label where
/// nothing is predicted, and BERT's transform (dense, activation, norm) and output bias stand before the product.
/// Otherwise causal: token t predicts token t + 1 of its sequence and no labels are needed. Logits exist only for
/// predicted positions, and only a block at a time.
template <bool masked>
struct LanguageModel {
    static constexpr const char* problem_type = masked ? "masked_language_model" : "causal_language_model";

    template <class Trunk>
    struct Layer {
        static_assert(
            requires(const Trunk& trunk) { trunk.token_embedding(); },
            "didact: a language-model head needs a trunk with a token embedding, e.g. Transformer<arch::Gpt2, "
            "Cpu<float>>");
        using B = typename Trunk::BackendType;
        using S = Scalar<B>;
        static constexpr const char* problem_type = LanguageModel::problem_type;

        struct Saved {
            std::vector<std::int32_t> rows, labels, sequences; ///< predicted positions, what they are, whose they are
            View<S> transformed, activated;
            View<const S> normed;
            typename nn::Linear<B>::Saved dense;
            typename nn::LayerNorm<B>::Saved norm;
            typename nn::VocabularyLoss<B>::Saved vocabulary;
        };

        Layer(ParameterStore<B>& store, const Trunk& trunk, const HeadOptions& options, bool) : options_(options) {
            refuse_class_weights(options, problem_type);
            vocabulary_.table = trunk.token_embedding();
            vocabulary_.label_smoothing = options.label_smoothing;
            if constexpr (masked) {
                const std::size_t hidden = trunk.output_size();
                dense_ = nn::Linear<B>(store, "cls.predictions.transform.dense", hidden, hidden,
                                       Initializer::normal(trunk.config().initializer_range), nn::WeightLayout::out_in,
                                       true, false);
                norm_ = nn::LayerNorm<B>(store, "cls.predictions.transform.LayerNorm", hidden,
                                         trunk.config().layer_norm_epsilon, false);
                vocabulary_.bias =
                    store.add_vector("cls.predictions.bias", trunk.config().vocab_size, Initializer::zeros(), false);
                activation_ = Trunk::Architecture::activation(trunk.config());
            }
        }

        const HeadOptions& options() const { return options_; }
        const nn::VocabularyLoss<B>& vocabulary() const { return vocabulary_; }

        /// The positions that are predicted, of a masked model.
        std::span<const std::int32_t> tokens_read(Context<B>& context, const Batch& batch, Saved& saved) const
            requires(masked) {
            find_positions(batch, std::as_const(context.parameters)[vocabulary_.table].rows, saved);
            return saved.rows;
        }

        /// Keeps the transformed hidden states of the predicted positions; the logits themselves are never kept.
        void logits(Context<B>& context, View<const S> hidden, const Batch& batch, Saved& saved) const {
            find_positions(batch, std::as_const(context.parameters)[vocabulary_.table].rows, saved);
            saved.normed = rows_read(context, batch, hidden, saved.rows);
            if constexpr (masked) {
                saved.transformed = context.scratch(saved.rows.size(), hidden.cols);
                saved.activated = context.scratch(saved.rows.size(), hidden.cols);
                const View<S> normed = context.scratch(saved.rows.size(), hidden.cols);
                dense_.forward(context, saved.normed, saved.transformed, saved.dense);
                activation_forward(context, activation_, saved.transformed, saved.activated);
                norm_.forward(context, saved.activated, normed, saved.norm);
                saved.normed = normed;
            }
        }

        double units(const Batch& batch) const {
            double sum = 0;
            for (std::size_t s = 0; s < batch.size(); ++s) sum += predicted(batch, s) * double(batch.weights[s]);
            return sum;
        }

        double loss(Context<B>& context, const Batch& batch, Saved& saved, std::span<float> sample_losses) const {
            vocabulary_.forward(context, saved.normed, saved.labels, saved.vocabulary);
            std::fill(sample_losses.begin(), sample_losses.end(), 0.0f);
            double total = 0;
            for (std::size_t i = 0; i < saved.rows.size(); ++i) {
                const std::size_t s = std::size_t(saved.sequences[i]);
                total += double(saved.vocabulary.losses[i]) * double(batch.weights[s]);
                sample_losses[s] += float(double(saved.vocabulary.losses[i]) / predicted(batch, s));
            }
            return total;
        }

        void backward(Context<B>& context, View<const S>, const Batch& batch, Saved& saved, double scale,
                      View<S> dhidden) const {
            if (saved.rows.empty()) return;
            const ArenaScope scope(context.arena);
            const std::span<S> weights = context.arena.template array<S>(saved.rows.size());
            for (std::size_t i = 0; i < weights.size(); ++i)
                weights[i] = S(scale * double(batch.weights[std::size_t(saved.sequences[i])]));
            const bool below = !dhidden.empty() || (masked && head_trains(context.parameters));
            const View<S> dx = below ? context.scratch(saved.rows.size(), saved.normed.cols) : View<S>();
            vocabulary_.backward(context, saved.labels, std::span<const S>(weights), dx, saved.vocabulary);
            if (!below) return;
            if constexpr (masked) {
                norm_.backward(context, dx, dx, saved.norm);
                activation_backward(context, activation_, saved.transformed, dx, dx);
                const View<S> dgathered = dhidden.empty() ? View<S>() : context.scratch(dx.rows, dx.cols);
                dense_.backward(context, dx, dgathered, saved.dense);
                if (!dhidden.empty()) rows_read_backward(context, dgathered, saved.rows, dhidden);
            } else {
                rows_read_backward(context, dx, saved.rows, dhidden);
            }
        }

      private:
        /// How many tokens of sequence s are. Throws Error where a masked model has not a label for each token.
        double predicted(const Batch& batch, std::size_t s) const {
            if constexpr (masked) {
                check_label_count(batch, s, options_.name);
                const std::span<const std::int32_t> labels = batch.labels_of(s);
                return double(labels.size()) - double(std::count(labels.begin(), labels.end(), ignored_label));
            } else {
                return double(std::max(batch.cu_seqlens[s + 1] - batch.cu_seqlens[s] - 1, 0));
            }
        }

        bool head_trains(const ParameterStore<B>& store) const {
            return store.trains(dense_.weight) || store.trains(dense_.bias) || store.trains(norm_.weight) ||
                   store.trains(norm_.bias);
        }

        void find_positions(const Batch& batch, std::size_t vocab_size, Saved& saved) const {
            saved.rows.clear();
            saved.labels.clear();
            saved.sequences.clear();
            for (std::size_t s = 0; s < batch.size(); ++s) {
                const std::int32_t begin = batch.cu_seqlens[s], end = batch.cu_seqlens[s + 1];
                if constexpr (masked) check_label_count(batch, s, options_.name);
                for (std::int32_t t = begin; t < (masked ? end : end - 1); ++t) {
                    const std::int32_t label =
                        masked ? batch.labels[std::size_t(t)] : batch.token_ids[std::size_t(t) + 1];
                    if (label == ignored_label) continue;
                    check_label(batch, s, label, vocab_size, options_.name);
                    saved.rows.push_back(t);
                    saved.labels.push_back(label);
                    saved.sequences.push_back(std::int32_t(s));
                }
            }
        }

        HeadOptions options_;
        nn::Linear<B> dense_;
        nn::LayerNorm<B> norm_;
        nn::VocabularyLoss<B> vocabulary_;
        Activation activation_ = Activation::gelu;
    };
};

using MaskedLanguageModel = LanguageModel<true>;
using CausalLanguageModel = LanguageModel<false>;

}
