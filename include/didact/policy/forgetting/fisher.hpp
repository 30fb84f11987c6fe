#pragma once
#include <algorithm>
#include <string_view>

#include "didact/data/stream.hpp"
#include "didact/train/engine.hpp"

namespace didact::forgetting {

/// The probabilities of `count` outcomes with these logits.
std::vector<double> softmax(std::size_t count, const auto& logit) {
    std::vector<double> p(count);
    double top = logit(0), sum = 0;
    for (std::size_t c = 0; c < count; ++c) top = std::max(top, logit(c));
    for (std::size_t c = 0; c < count; ++c) sum += p[c] = std::exp(logit(c) - top);
    for (double& x : p) x /= sum;
    return p;
}

/// Draws an outcome with these probabilities.
inline std::size_t draw(Random& random, const std::vector<double>& p) {
    double rest = random.uniform();
    std::size_t drawn = 0;
    while (drawn + 1 < p.size() && (rest -= p[drawn]) >= 0) ++drawn;
    return drawn;
}

/// Sets the slope of the log probability of an outcome by the logits that gave the probabilities p.
void set_slope(const std::vector<double>& p, std::size_t outcome, const auto& slope) {
    for (std::size_t c = 0; c < p.size(); ++c)
        slope(c) = std::remove_reference_t<decltype(slope(c))>((c == outcome) - p[c]);
}

/// Throws Error where a task's head keeps no logits to take Fisher information over, or, where it is to be empirical,
/// its labels have no probability sample by sample.
template <class Model>
void check_fisher(Model& model, std::size_t task, bool empirical) {
    typename Model::Saved saved;
    model.with_head(task, saved, [&](const auto& head, auto& kept) {
        require(
            requires { kept.logits; }, "Fisher information of task '", model.task_name(task),
            "': a language-model head keeps no logits to take it over");
        require(!empirical || head.problem_type != std::string_view("ranking"),
                "empirical Fisher information of task '", model.task_name(task),
                "': the labels of a ranking head have no probability sample by sample");
    });
}

/// Whether trunk and head can add the squares of many samples' gradients at once.
template <class Model, class Head>
inline constexpr bool by_rows = requires(const Model& model, const Head& head, typename Head::Saved& kept,
                                         typename Model::Trunk::Saved& saved, Context<typename Model::B>& context,
                                         View<typename Model::S> view, std::span<const typename Model::S> weights) {
    head.add_squared_gradients(context, kept, view, weights, view);
    model.trunk().add_squared_gradients(context, view, weights, saved);
};

/// How many samples a pass takes: one where their gradients cannot be told apart by rows. Multiples of 96 fill the
/// panels of every provider's products. The fewer rows each sample has, one for each label, the more samples.
template <class Model>
std::size_t samples_at_once(Engine<Model>& engine, std::size_t task, bool empirical) {
    return engine.model().with_head(task, [&](const auto& head) -> std::size_t {
        if constexpr (by_rows<Model, std::remove_cvref_t<decltype(head)>>)
            if (head.problem_type == std::string_view("single_label_classification")) {
                const std::size_t rows = empirical ? 1 : std::max<std::size_t>(head.options().num_labels, 1);
                return 96 * std::clamp<std::size_t>(20 / rows, 1, 4);
            }
        return 1;
    });
}

/// Label k of the batch's sample s, one of `count`.
template <class Head>
std::size_t given_label(const Batch& batch, std::size_t s, std::size_t k, std::size_t count, const Head& head) {
    const std::string& task = head.options().name;
    require(batch.labels_of(s).size() > k, "task '", task, "': sample ", batch.samples[s].index, " has ",
            batch.labels_of(s).size(), " labels, Fisher information over given ones needs more");
    heads::check_label(batch, s, batch.labels_of(s)[k], count, task);
    return std::size_t(batch.labels_of(s)[k]);
}

/// Sets the slopes of the log probability of one outcome of each row of `logits`, or of each column for a span: of
/// those that the sample of `batch` has where the information is empirical, else of some that are drawn.
template <class Head, class S>
void set_slopes(const Batch& batch, const Head& head, View<const S> logits, Random& random, bool empirical,
                View<S> slopes) {
    const std::string_view type = head.problem_type;
    // Of the sample's k-th label, one of `count`, or of one that is drawn.
    const auto set = [&](std::size_t k, std::size_t count, const auto& slope, const auto& logit) {
        const std::vector<double> p = softmax(count, logit);
        set_slope(p, empirical ? given_label(batch, 0, k, count, head) : draw(random, p), slope);
    };
    if (type == "question_answering") {
        for (std::size_t side = 0; side < logits.cols; ++side)
            set(
                side, logits.rows, [&](std::size_t token) -> S& { return slopes(token, side); },
                [&](std::size_t token) { return double(logits(token, side)); });
        return;
    }
    const bool of_values = type == "regression" || type == "multi_label_classification";
    const std::span<const float> values = batch.values_of(0);
    const std::size_t labels = batch.labels_of(0).size();
    require(of_values || type == "ranking" || labels == logits.rows, "task '", head.options().name, "': sample ",
            batch.samples[0].index, " has ", labels, " labels for ", logits.rows, " rows of logits");
    require(!empirical || !of_values || values.size() == logits.cols, "task '", head.options().name, "': sample ",
            batch.samples[0].index, " has ", values.size(), " target values, the head has ", logits.cols, " outputs");
    for (std::size_t row = 0; row < logits.rows; ++row) {
        if (type == "regression" || type == "ranking") {
            for (std::size_t c = 0; c < logits.cols; ++c)
                slopes(row, c) = S(empirical ? double(values[c]) - double(logits(row, c)) : random.normal());
        } else if (type == "multi_label_classification") {
            for (std::size_t c = 0; c < logits.cols; ++c) {
                const double q = 1 / (1 + std::exp(-double(logits(row, c))));
                const double present = empirical ? double(values[c]) : double(random.uniform() < q);
                slopes(row, c) = S(present - q);
            }
        } else if (type == "token_classification" && batch.labels[row] == ignored_label) {
            for (std::size_t c = 0; c < logits.cols; ++c) slopes(row, c) = S(0);
        } else {
            set(
                row, logits.cols, [&](std::size_t c) -> S& { return slopes(row, c); },
                [&](std::size_t c) { return double(logits(row, c)); });
        }
    }
}

/// The Fisher information of a classifier whose samples are one row in every layer: many samples at once, as the
/// squares of a sample's gradients are products of squares.
template <class Model, class Head, class Kept>
void add_fisher_by_rows(Engine<Model>& engine, Context<typename Model::B>& context, const Batch& batch,
                        const Head& head, Kept& kept, double factor, bool empirical) {
    using S = typename Model::S;
    const View<S> z = kept.logits;
    const std::size_t rows = empirical ? 1 : z.cols; // of a sample
    const View<S> slopes = context.scratch(z.rows * rows, z.cols);
    const std::span<S> weights = context.arena.template array<S>(slopes.rows);
    for (std::size_t n = 0; n < z.rows; ++n) {
        const std::vector<double> p = softmax(z.cols, [&](std::size_t c) { return double(z(n, c)); });
        for (std::size_t k = 0; k < rows; ++k) {
            const std::size_t label = empirical ? given_label(batch, n, 0, z.cols, head) : k;
            weights[n * rows + k] = S(empirical ? factor : factor * p[label]);
            set_slope(p, label, [&](std::size_t c) -> S& { return slopes(n * rows + k, c); });
        }
    }
    const View<S> dhidden = context.scratch(slopes.rows, engine.saved().hidden.cols);
    head.add_squared_gradients(context, kept, slopes, std::span<const S>(weights), dhidden);
    engine.model().trunk().add_squared_gradients(context, dhidden, std::span<const S>(weights), engine.saved().trunk);
}

/// Adds the diagonal of the Fisher information of a task to `fisher`, laid out as the gradients: the mean over samples
/// of E_{y ~ p(y|x)} (∂ log p(y|x) / ∂w)², sample by sample, in evaluation mode, over the model's own predictions. For
/// sequence classification the expectation is exact, Σ_c p_c (∂ log p_c)², one backward pass a class (van de Ven 2025,
/// arXiv 2502.11756, finds this the best of the common choices). For the other heads one outcome is drawn from the
/// model's distribution, an unbiased estimate: of each row, rows with the ignored label left out (unit-variance normal
/// for regression), and for a span one token of the sequence as its begin and one as its end. An `empirical` one is
/// over the labels that the samples have instead, (∂ log p(y|x) / ∂w)² with one backward pass a sample: cheaper, and no
/// longer the Fisher information where the model is not yet what made the labels (Kunstner et al. 2019, arXiv
/// 1905.12558).
template <class Model>
void add_fisher(Engine<Model>& engine, const Dataset& data, std::size_t task, std::size_t samples, const Moment& moment,
                AlignedVector<typename Model::S>& fisher, bool empirical = false) {
    using S = typename Model::S;
    check_fisher(engine.model(), task, empirical);
    const std::size_t count = samples == 0 ? data.size() : std::min(samples, data.size());
    auto& store = engine.parameters();
    require(fisher.size() == store.layout().size, "fisher has ", fisher.size(),
            " elements, the trainable parameters have ", store.layout().size);
    std::vector<std::uint32_t> order(data.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = std::uint32_t(i);
    if (count < data.size()) Random(moment.key(RandomPurpose::fisher, task)).shuffle(std::span<std::uint32_t>(order));
    const FlushDenormals flush;
    const std::size_t at_once = samples_at_once(engine, task, empirical);
    Batch batch;
    for (std::size_t i = 0; i < count; i += at_once) {
        batch.clear();
        batch.task = task;
        for (std::size_t k = i; k < std::min(count, i + at_once); ++k) batch.append(data, order[k]);
        engine.arena().reset();
        auto context = engine.context();
        context.weights_stay = true;
        auto& saved = engine.saved();
        engine.forward(context, batch, saved);
        engine.model().with_head(task, saved, [&](const auto& head, auto& kept) {
            if constexpr (requires { head.logits_backward(context, batch, kept, View<const S>(), View<S>()); }) {
                if constexpr (by_rows<Model, std::remove_cvref_t<decltype(head)>>)
                    if (at_once > 1)
                        return add_fisher_by_rows(engine, context, batch, head, kept, 1 / double(count), empirical);
                const View<S> z = kept.logits;
                const View<S> slope = context.scratch(z.rows, z.cols);
                const auto pass = [&](double factor) {
                    const ArenaScope scope(engine.arena());
                    const View<S> dhidden = context.scratch(saved.hidden.rows, saved.hidden.cols);
                    fill(context, S(0), dhidden);
                    head.logits_backward(context, batch, kept, slope, dhidden);
                    engine.model().trunk().backward(context, batch, dhidden, saved.trunk);
                    add_squares(context, factor / double(count), std::span<const S>(store.gradients()),
                                std::span<S>(fisher));
                    store.clear_gradients();
                };
                if (!empirical && head.problem_type == std::string_view("single_label_classification")) {
                    const std::vector<double> p = softmax(z.cols, [&](std::size_t c) { return double(z(0, c)); });
                    for (std::size_t label = 0; label < z.cols; ++label) {
                        set_slope(p, label, [&](std::size_t c) -> S& { return slope(0, c); });
                        pass(p[label]);
                    }
                } else {
                    Random random(moment.key(RandomPurpose::fisher, mix_bits(task) ^ order[i]));
                    set_slopes<std::remove_cvref_t<decltype(head)>, S>(batch, head, z, random, empirical, slope);
                    pass(1);
                }
            }
        });
    }
    if (at_once > 1) {
        const View<S> sums(fisher.data(), 1, fisher.size()), squares(store.gradients().data(), 1, fisher.size());
        auto context = engine.context();
        add(context, sums, squares, sums);
        store.clear_gradients();
    }
}

}
