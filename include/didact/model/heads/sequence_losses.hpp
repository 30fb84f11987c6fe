#pragma once
#include "didact/model/heads/head.hpp"
#include "didact/model/heads/sequence.hpp"

namespace didact::heads {

/// One class a sequence: labels_of(s) = {class}. The mean is weighted by sample weight times class weight, as PyTorch's
/// cross_entropy with `weight`.
struct CrossEntropy {
    static constexpr const char* problem_type = "single_label_classification";
    static constexpr bool over_classes = true;

    template <Backend B>
    struct Saved {
        std::span<Scalar<B>> log_sums, weights;
    };

    static double weight(const Batch& batch, const HeadOptions& options, std::size_t s) {
        require(batch.labels_of(s).size() == 1, "task '", options.name, "': sample ", batch.samples[s].index, " has ",
                batch.labels_of(s).size(), " labels, a sequence has one class");
        check_label(batch, s, batch.labels_of(s)[0], options.num_labels, options.name);
        return class_weight(options, batch.labels_of(s)[0]) * double(batch.weights[s]);
    }
    static double units(const Batch& batch, const HeadOptions& options) {
        double sum = 0;
        for (std::size_t s = 0; s < batch.size(); ++s) sum += weight(batch, options, s);
        return sum;
    }
    template <Backend B>
    static double forward(Context<B>& context, const HeadOptions& options, const Batch& batch,
                          View<const Scalar<B>> logits, Saved<B>& saved, std::span<float> sample_losses) {
        using S = Scalar<B>;
        saved.log_sums = context.arena.template array<S>(batch.size());
        const std::span<S> losses = context.arena.template array<S>(batch.size());
        for (std::size_t s = 0; s < batch.size(); ++s) weight(batch, options, s);
        cross_entropy_forward(context, logits, batch.labels, options.label_smoothing, saved.log_sums, losses,
                              options.class_weights);
        double sum = 0;
        for (std::size_t s = 0; s < batch.size(); ++s) {
            const double own = class_weight(options, batch.labels_of(s)[0]);
            sample_losses[s] = own > 0 ? float(double(losses[s]) / own) : 0.0f;
            sum += double(batch.weights[s]) * double(losses[s]);
        }
        return sum;
    }
    template <Backend B>
    static void backward(Context<B>& context, const HeadOptions& options, const Batch& batch,
                         View<const Scalar<B>> logits, Saved<B>& saved, double scale, View<Scalar<B>> dlogits) {
        using S = Scalar<B>;
        saved.weights = context.arena.template array<S>(batch.size());
        for (std::size_t s = 0; s < batch.size(); ++s) saved.weights[s] = S(scale * double(batch.weights[s]));
        cross_entropy_backward(context, logits, batch.labels, options.label_smoothing,
                               std::span<const S>(saved.log_sums), std::span<const S>(saved.weights), dlogits,
                               options.class_weights);
    }
};

/// Losses whose targets are num_labels numbers a sequence: values_of(s). `Formula` has the loss of each row and its
/// slope.
template <class Formula>
struct ValueLoss {
    static constexpr const char* problem_type = Formula::problem_type;
    static constexpr bool over_classes = false;

    template <Backend B>
    struct Saved {};

    static double units(const Batch& batch, const HeadOptions&) {
        double sum = 0;
        for (const float weight : batch.weights) sum += double(weight);
        return sum;
    }
    template <Backend B>
    static double forward(Context<B>& context, const HeadOptions& options, const Batch& batch,
                          View<const Scalar<B>> logits, Saved<B>&, std::span<float> sample_losses) {
        using S = Scalar<B>;
        for (std::size_t s = 0; s < batch.size(); ++s)
            require(batch.values_of(s).size() == options.num_labels, "task '", options.name, "': sample ",
                    batch.samples[s].index, " has ", batch.values_of(s).size(), " target values, the head has ",
                    options.num_labels, " outputs");
        const std::span<S> losses = context.arena.template array<S>(batch.size());
        Formula::losses(context, logits, batch.values, losses);
        double sum = 0;
        for (std::size_t s = 0; s < batch.size(); ++s) {
            sample_losses[s] = float(losses[s]);
            sum += double(batch.weights[s]) * double(losses[s]);
        }
        return sum;
    }
    template <Backend B>
    static void backward(Context<B>& context, const HeadOptions&, const Batch& batch, View<const Scalar<B>> logits,
                         Saved<B>&, double scale, View<Scalar<B>> dlogits) {
        using S = Scalar<B>;
        const std::span<S> weights = context.arena.template array<S>(batch.size());
        for (std::size_t s = 0; s < batch.size(); ++s) weights[s] = S(scale * double(batch.weights[s]));
        Formula::slopes(context, logits, batch.values, std::span<const S>(weights), dlogits);
    }
};

struct BinaryCrossEntropyFormula {
    static constexpr const char* problem_type = "multi_label_classification";
    static void losses(auto& context, auto logits, std::span<const float> targets, auto out) {
        binary_cross_entropy_forward(context, logits, targets, out);
    }
    static void slopes(auto& context, auto logits, std::span<const float> targets, auto weights, auto dlogits) {
        binary_cross_entropy_backward(context, logits, targets, weights, dlogits);
    }
};

struct SquaredErrorFormula {
    static constexpr const char* problem_type = "regression";
    static void losses(auto& context, auto logits, std::span<const float> targets, auto out) {
        squared_error_forward(context, logits, targets, out);
    }
    static void slopes(auto& context, auto logits, std::span<const float> targets, auto weights, auto dlogits) {
        squared_error_backward(context, logits, targets, weights, dlogits);
    }
};

/// Several labels a sequence, each present or not: values are 0 or 1.
using BinaryCrossEntropy = ValueLoss<BinaryCrossEntropyFormula>;
/// Real-valued outputs under the squared error.
using SquaredError = ValueLoss<SquaredErrorFormula>;

/// Order within a group: labels_of(s) = {group}, values_of(s) = {relevance}; RankNet over the pairs of a batch. The
/// sampler keeps a group's samples together; one that ends in the next batch loses the pairs between the two. A
/// curriculum's and a memory's draws know no groups.
struct PairwiseLogistic {
    static constexpr const char* problem_type = "ranking";
    static constexpr bool over_classes = false;
    static constexpr bool couples_samples = true;

    template <Backend B>
    struct Saved {};

    static void check(const Batch& batch, const HeadOptions& options) {
        require(options.num_labels == 1, "task '", options.name, "': a ranking head has one output, not ",
                options.num_labels);
        for (std::size_t s = 0; s < batch.size(); ++s)
            require(batch.labels_of(s).size() == 1 && batch.values_of(s).size() == 1, "task '", options.name,
                    "': sample ", batch.samples[s].index, " needs one label (group) and one value (relevance)");
    }
    static double units(const Batch& batch, const HeadOptions& options) {
        check(batch, options);
        double pairs = 0;
        for (std::size_t i = 0; i < batch.size(); ++i)
            for (std::size_t j = 0; j < batch.size(); ++j)
                if (batch.labels[i] == batch.labels[j] && batch.values[i] > batch.values[j])
                    pairs += std::sqrt(double(batch.weights[i]) * double(batch.weights[j]));
        return pairs;
    }
    template <Backend B>
    static double forward(Context<B>& context, const HeadOptions& options, const Batch& batch,
                          View<const Scalar<B>> logits, Saved<B>&, std::span<float> sample_losses) {
        check(batch, options);
        const std::span<Scalar<B>> losses = context.arena.template array<Scalar<B>>(batch.size());
        const double sum = pairwise_logistic(context, logits, batch.labels, batch.values, batch.weights, losses, 1.0,
                                             View<Scalar<B>>());
        for (std::size_t s = 0; s < batch.size(); ++s) sample_losses[s] = float(losses[s]);
        return sum;
    }
    template <Backend B>
    static void backward(Context<B>& context, const HeadOptions&, const Batch& batch, View<const Scalar<B>> logits,
                         Saved<B>&, double scale, View<Scalar<B>> dlogits) {
        const std::span<Scalar<B>> losses = context.arena.template array<Scalar<B>>(batch.size());
        pairwise_logistic(context, logits, batch.labels, batch.values, batch.weights, losses, scale, dlogits);
    }
};

template <Pooling pooling = Pooling::first_token_tanh>
using SequenceClassification = Sequence<CrossEntropy, pooling>;
template <Pooling pooling = Pooling::first_token_tanh>
using MultiLabelClassification = Sequence<BinaryCrossEntropy, pooling>;
template <Pooling pooling = Pooling::first_token_tanh>
using Regression = Sequence<SquaredError, pooling>;
template <Pooling pooling = Pooling::first_token_tanh>
using Ranking = Sequence<PairwiseLogistic, pooling>;

}
