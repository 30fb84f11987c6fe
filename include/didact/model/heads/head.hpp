#pragma once
#include <string>
#include <vector>

#include "didact/core/parameter_store.hpp"
#include "didact/data/batch.hpp"
#include "didact/nn/dropout.hpp"
#include "didact/nn/gathered_rows.hpp"
#include "didact/nn/linear.hpp"

namespace didact {

/// What a head is made with.
struct HeadOptions {
    std::string name = {};                 ///< of the task; tensors of a second head are called heads.<name>.…
    std::size_t num_labels = 0;            ///< classes, labels or outputs
    std::vector<std::string> labels = {};  ///< their names, for config.json and reports; may be empty
    double label_smoothing = 0;            ///< of cross-entropy over classes or a vocabulary
    std::vector<float> class_weights = {}; ///< of cross-entropy over classes; empty: 1 each

    /// Throws Error where a loss could not be made so.
    void check() const {
        require(label_smoothing >= 0 && label_smoothing < 1, "task '", name, "': label_smoothing is ", label_smoothing,
                ", it must lie in [0, 1)");
        double sum = 0;
        for (const float weight : class_weights) {
            require_not_negative("task '" + name + "'", "a class weight", double(weight));
            sum += double(weight);
        }
        require(class_weights.empty() || sum > 0, "task '", name, "': all class weights are 0");
    }
    /// Throws Error where a head over labels has none.
    void check_labels() const { require(num_labels > 0, "task '", name, "' has neither labels nor num_labels"); }
};

namespace heads {

/// A head turns the trunk's hidden states into logits and losses:
///   logits(context, hidden, batch, saved)          computes and keeps the logits
///   units(batch)                                   the weight by which a sum of losses is divided to give the mean
///   loss(context, batch, saved, sample_losses)     the weighted sum of losses, and each sample's own mean loss
///                                                  (of pairs half their sum)
///   backward(context, hidden, batch, saved, scale, dhidden)   gradient of scale · loss, added to dhidden
/// and, where it does not read every token of the batch,
///   tokens_read(context, batch, saved)             their rows, ascending, or none if it reads all; `hidden` and its
///                                                  gradient then have a row for each of these, or for every token
template <class H, class B, class Trunk>
concept Head = requires(const typename H::template Layer<Trunk>& layer, Context<B>& context, View<Scalar<B>> hidden,
                        const Batch& batch, typename H::template Layer<Trunk>::Saved& saved, std::span<float> losses) {
    { H::problem_type } -> std::convertible_to<const char*>;
    layer.logits(context, hidden, batch, saved);
    { layer.units(batch) } -> std::same_as<double>;
    { layer.loss(context, batch, saved, losses) } -> std::same_as<double>;
    layer.backward(context, hidden, batch, saved, 1.0, hidden);
};

/// A kind of head, for any trunk: Layer<Trunk> is the head itself.
template <class H, class Trunk>
concept Kind = requires {
    typename H::template Layer<Trunk>;
    { H::problem_type } -> std::convertible_to<const char*>;
};

/// A kind of head that keeps its logits, which distillation and Fisher information read.
template <class H, class Trunk>
concept KeepsLogits = requires(typename H::template Layer<Trunk>::Saved saved) {
    saved.logits;
};

/// The name of a head's tensor in a checkpoint: Transformers' name for the first head, heads.<task>.<name> after it.
inline std::string tensor_name(const HeadOptions& options, bool first, const std::string& name) {
    return first ? name : "heads." + options.name + "." + name;
}

/// The weight of a label's class.
inline double class_weight(const HeadOptions& options, std::int32_t label) {
    return options.class_weights.empty() ? 1 : double(options.class_weights[std::size_t(label)]);
}

/// Refuses the states of tokens that another head read.
template <class S>
void check_every_token(const Batch& batch, View<const S> hidden, const char* problem_type) {
    require(hidden.rows == batch.tokens(), "a head for ", problem_type, " got the hidden states of ", hidden.rows,
            " tokens, it reads all ", batch.tokens(), " of the batch");
}

/// The states of the tokens that a head reads: `hidden` itself where it has as many rows, else it must have every
/// token's.
template <Backend B>
View<const Scalar<B>> rows_read(Context<B>& context, const Batch& batch, View<const Scalar<B>> hidden,
                                std::span<const std::int32_t> rows) {
    if (hidden.rows == rows.size()) return hidden;
    require(hidden.rows == batch.tokens(), "a head that reads ", rows.size(), " tokens of a batch of ", batch.tokens(),
            " got the hidden states of ", hidden.rows,
            ": another head's; a context whose every_token is set has them for all heads");
    return nn::gathered_rows(context, hidden, rows);
}
/// Adds the gradient of `rows_read` to that of the hidden states.
template <Backend B>
void rows_read_backward(Context<B>& context, View<const Scalar<B>> dread, std::span<const std::int32_t> rows,
                        View<Scalar<B>> dhidden) {
    if (dhidden.rows == rows.size())
        add(context, dhidden, dread, dhidden);
    else
        scatter_add_rows(context, dread, rows, dhidden);
}

/// Refuses what a head without classes would leave unused.
inline void refuse_class_weights(const HeadOptions& options, const char* problem_type) {
    require(options.class_weights.empty(), "task '", options.name, "': a head for ", problem_type,
            " has no classes that class weights could weigh");
}
inline void refuse_label_smoothing(const HeadOptions& options, const char* problem_type) {
    require(options.label_smoothing == 0, "task '", options.name, "': a head for ", problem_type,
            " has no label smoothing");
}

/// Throws an error about a sequence that has not a label for each of its tokens.
inline void check_label_count(const Batch& batch, std::size_t sequence, const std::string& task) {
    const std::size_t labels = batch.labels_of(sequence).size();
    const std::size_t tokens = std::size_t(batch.cu_seqlens[sequence + 1] - batch.cu_seqlens[sequence]);
    if (labels != tokens)
        fail("task '", task, "': sample ", batch.samples[sequence].index, " has ", labels, " labels for ", tokens,
             " tokens");
}

/// Throws an error about a label that is no class of the head.
inline void check_label(const Batch& batch, std::size_t sequence, std::int32_t label, std::size_t num_labels,
                        const std::string& task) {
    if (label < 0 || std::size_t(label) >= num_labels)
        fail("task '", task, "': sample ", batch.samples[sequence].index, " has label ", label,
             ", the head has labels 0 to ", num_labels - 1);
}

}
}
