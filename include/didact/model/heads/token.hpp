#pragma once
#include "didact/model/heads/head.hpp"

namespace didact::heads {

/// Dropout and a linear layer on every token: what tagging and span heads share.
template <class Trunk>
struct TokenLogits {
    using B = typename Trunk::BackendType;
    using S = Scalar<B>;

    struct Saved {
        View<S> logits;
        typename nn::Linear<B>::Saved linear;
        typename nn::Dropout<B>::Saved dropout;
    };

    nn::Linear<B> linear;
    nn::Dropout<B> dropout;

    void forward(Context<B>& context, View<const S> hidden, Saved& saved) const {
        View<const S> x = hidden;
        const std::uint32_t site = context.dropout_site;
        if (context.training && dropout.p > 0) {
            const View<S> dropped = context.scratch(hidden.rows, hidden.cols);
            copy(context, hidden, dropped);
            dropout.forward(context, dropped, saved.dropout);
            x = dropped;
        } else {
            saved.dropout.mask = {};
        }
        context.dropout_site = site + 1;
        saved.logits = context.scratch(hidden.rows, linear.out);
        linear.forward(context, x, saved.logits, saved.linear);
    }

    /// Adds to dhidden unless it is empty.
    void backward(Context<B>& context, View<const S> dlogits, Saved& saved, View<S> dhidden) const {
        if (dhidden.empty()) return linear.backward(context, dlogits, {}, saved.linear);
        const ArenaScope scope(context.arena);
        const View<S> dx = context.scratch(dhidden.rows, dhidden.cols);
        linear.backward(context, dlogits, dx, saved.linear);
        dropout.backward(context, dx, dx, saved.dropout);
        add(context, dhidden, dx, dhidden);
    }
};

/// One label a token, e.g. named entities. labels_of(s) has one entry for each token of s; ignored_label (−100) marks
/// special tokens and all but the first piece of a word. The mean is over labelled tokens, as in Transformers, each
/// weighted by its class.
struct TokenClassification {
    static constexpr const char* problem_type = "token_classification";

    template <class Trunk>
    struct Layer {
        using B = typename Trunk::BackendType;
        using S = Scalar<B>;
        static constexpr const char* problem_type = TokenClassification::problem_type;

        struct Saved : TokenLogits<Trunk>::Saved {
            std::vector<std::int32_t> labels;
            std::span<S> log_sums;
        };

        Layer(ParameterStore<B>& store, const Trunk& trunk, const HeadOptions& options, bool first)
            : options_(options) {
            options.check_labels();
            std::string name = "classifier";
            if constexpr (requires { Trunk::Architecture::classifier; }) name = Trunk::Architecture::classifier;
            tokens_.linear = nn::Linear<B>(store, tensor_name(options, first, name), trunk.output_size(),
                                           options.num_labels, Initializer::normal(trunk.config().initializer_range),
                                           nn::WeightLayout::out_in, true, false);
            tokens_.dropout.p = trunk.config().classifier_dropout;
        }

        const HeadOptions& options() const { return options_; }

        /// Keeps logits of shape (tokens, num_labels).
        void logits(Context<B>& context, View<const S> hidden, const Batch& batch, Saved& saved) const {
            check_every_token(batch, hidden, problem_type);
            tokens_.forward(context, hidden, saved);
        }

        double units(const Batch& batch) const {
            double sum = 0;
            for (std::size_t s = 0; s < batch.size(); ++s) sum += units_of(batch, s) * double(batch.weights[s]);
            return sum;
        }

        double loss(Context<B>& context, const Batch& batch, Saved& saved, std::span<float> sample_losses) const {
            units(batch); // checks the labels
            saved.labels.assign(batch.labels.begin(), batch.labels.end());
            for (std::int32_t& label : saved.labels) label = std::max(label, 0);
            saved.log_sums = context.arena.template array<S>(batch.tokens());
            const std::span<S> losses = context.arena.template array<S>(batch.tokens());
            cross_entropy_forward(context, saved.logits, saved.labels, options_.label_smoothing, saved.log_sums, losses,
                                  options_.class_weights);
            double total = 0;
            for (std::size_t s = 0; s < batch.size(); ++s) {
                double sum = 0;
                for (std::int32_t t = batch.cu_seqlens[s]; t < batch.cu_seqlens[s + 1]; ++t)
                    if (batch.labels[std::size_t(t)] != ignored_label) sum += double(losses[std::size_t(t)]);
                total += sum * double(batch.weights[s]);
                const double units = units_of(batch, s);
                sample_losses[s] = units > 0 ? float(sum / units) : 0.0f;
            }
            return total;
        }

        void backward(Context<B>& context, View<const S>, const Batch& batch, Saved& saved, double scale,
                      View<S> dhidden) const {
            const ArenaScope scope(context.arena);
            const std::span<S> weights = context.arena.template array<S>(batch.tokens());
            for (std::size_t s = 0; s < batch.size(); ++s)
                for (std::int32_t t = batch.cu_seqlens[s]; t < batch.cu_seqlens[s + 1]; ++t)
                    weights[std::size_t(t)] =
                        batch.labels[std::size_t(t)] == ignored_label ? S(0) : S(scale * double(batch.weights[s]));
            const View<S> dlogits = context.scratch(batch.tokens(), options_.num_labels);
            cross_entropy_backward(context, saved.logits, saved.labels, options_.label_smoothing,
                                   std::span<const S>(saved.log_sums), std::span<const S>(weights), dlogits,
                                   options_.class_weights);
            tokens_.backward(context, dlogits, saved, dhidden);
        }

        void logits_backward(Context<B>& context, const Batch&, Saved& saved, View<const S> dlogits,
                             View<S> dhidden) const {
            tokens_.backward(context, dlogits, saved, dhidden);
        }

      private:
        /// The weights of the classes of a sequence's labelled tokens. Throws Error where it has not a label for each.
        double units_of(const Batch& batch, std::size_t s) const {
            check_label_count(batch, s, options_.name);
            double sum = 0;
            for (const std::int32_t label : batch.labels_of(s)) {
                if (label == ignored_label) continue;
                check_label(batch, s, label, options_.num_labels, options_.name);
                sum += class_weight(options_, label);
            }
            return sum;
        }

        HeadOptions options_;
        TokenLogits<Trunk> tokens_;
    };
};

/// Extractive question answering: labels_of(s) = {first token, last token} of the answer, counted within the sequence.
/// The loss is the mean of the two cross-entropies over the tokens of the sequence (Devlin et al. 2019, section 4.2).
struct Span {
    static constexpr const char* problem_type = "question_answering";

    template <class Trunk>
    struct Layer {
        using B = typename Trunk::BackendType;
        using S = Scalar<B>;
        static constexpr const char* problem_type = Span::problem_type;

        struct Saved : TokenLogits<Trunk>::Saved {
            std::vector<double> log_sums; ///< of the begin and the end scores of each sequence
        };

        Layer(ParameterStore<B>& store, const Trunk& trunk, const HeadOptions& options, bool first)
            : options_(options) {
            require(options.num_labels == 2, "task '", options.name, "': a span head has 2 outputs, not ",
                    options.num_labels);
            refuse_class_weights(options, problem_type);
            refuse_label_smoothing(options, problem_type);
            tokens_.linear = nn::Linear<B>(store, tensor_name(options, first, "qa_outputs"), trunk.output_size(), 2,
                                           Initializer::normal(trunk.config().initializer_range),
                                           nn::WeightLayout::out_in, true, false);
        }

        const HeadOptions& options() const { return options_; }

        /// Keeps logits of shape (tokens, 2): begin and end.
        void logits(Context<B>& context, View<const S> hidden, const Batch& batch, Saved& saved) const {
            check_every_token(batch, hidden, problem_type);
            tokens_.forward(context, hidden, saved);
        }

        double units(const Batch& batch) const {
            double sum = 0;
            for (const float weight : batch.weights) sum += double(weight);
            return sum;
        }

        double loss(Context<B>&, const Batch& batch, Saved& saved, std::span<float> sample_losses) const {
            saved.log_sums.resize(2 * batch.size());
            double total = 0;
            for (std::size_t s = 0; s < batch.size(); ++s) {
                const std::size_t begin = std::size_t(batch.cu_seqlens[s]);
                const std::size_t length = std::size_t(batch.cu_seqlens[s + 1]) - begin;
                require(batch.labels_of(s).size() == 2, "task '", options_.name, "': sample ", batch.samples[s].index,
                        " has ", batch.labels_of(s).size(), " labels, a span has 2");
                double loss = 0;
                for (std::size_t side = 0; side < 2; ++side) {
                    check_label(batch, s, batch.labels_of(s)[side], length, options_.name);
                    double top = double(saved.logits(begin, side)), sum = 0;
                    for (std::size_t t = 1; t < length; ++t) top = std::max(top, double(saved.logits(begin + t, side)));
                    for (std::size_t t = 0; t < length; ++t)
                        sum += std::exp(double(saved.logits(begin + t, side)) - top);
                    saved.log_sums[2 * s + side] = top + std::log(sum);
                    loss += 0.5 * (saved.log_sums[2 * s + side] -
                                   double(saved.logits(begin + std::size_t(batch.labels_of(s)[side]), side)));
                }
                sample_losses[s] = float(loss);
                total += loss * double(batch.weights[s]);
            }
            return total;
        }

        void backward(Context<B>& context, View<const S>, const Batch& batch, Saved& saved, double scale,
                      View<S> dhidden) const {
            const ArenaScope scope(context.arena);
            const View<S> dlogits = context.scratch(batch.tokens(), 2);
            for (std::size_t s = 0; s < batch.size(); ++s) {
                const std::size_t begin = std::size_t(batch.cu_seqlens[s]), end = std::size_t(batch.cu_seqlens[s + 1]);
                const double factor = 0.5 * scale * double(batch.weights[s]);
                for (std::size_t side = 0; side < 2; ++side)
                    for (std::size_t t = begin; t < end; ++t) {
                        const bool target = t - begin == std::size_t(batch.labels_of(s)[side]);
                        const double p = std::exp(double(saved.logits(t, side)) - saved.log_sums[2 * s + side]);
                        dlogits(t, side) = S(factor * (p - (target ? 1.0 : 0.0)));
                    }
            }
            tokens_.backward(context, dlogits, saved, dhidden);
        }

        void logits_backward(Context<B>& context, const Batch&, Saved& saved, View<const S> dlogits,
                             View<S> dhidden) const {
            tokens_.backward(context, dlogits, saved, dhidden);
        }

      private:
        HeadOptions options_;
        TokenLogits<Trunk> tokens_;
    };
};

}
