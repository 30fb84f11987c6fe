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

/// Draws one of `count` outcomes with these logits and sets the slope of its log probability.
void draw_slope(Random& random, std::size_t count, const auto& slope, const auto& logit) {
    const std::vector<double> p = softmax(count, logit);
    double rest = random.uniform();
    std::size_t drawn = 0;
    while (drawn + 1 < count && (rest -= p[drawn]) >= 0) ++drawn;
    for (std::size_t c = 0; c < count; ++c) slope(c) = std::remove_reference_t<decltype(slope(c))>((c == drawn) - p[c]);
}

/// Throws Error where a task's head keeps no logits to take Fisher information over.
template <class Model>
void check_fisher(Model& model, std::size_t task) {
    typename Model::Saved saved;
    model.with_head(task, saved, [&](const auto&, auto& kept) {
        require(
            requires { kept.logits; }, "Fisher information of task '", model.task_name(task),
            "': a language-model head keeps no logits to take it over");
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
/// panels of every provider's products. Each sample has a row for each label, so with few labels there are more.
template <class Model>
std::size_t samples_at_once(Engine<Model>& engine, std::size_t task) {
    return engine.model().with_head(task, [](const auto& head) -> std::size_t {
        if constexpr (by_rows<Model, std::remove_cvref_t<decltype(head)>>)
            if (head.problem_type == std::string_view("single_label_classification"))
                return 96 * std::clamp<std::size_t>(20 / std::max<std::size_t>(head.options().num_labels, 1), 1, 4);
        return 1;
    });
}

/// The exact Fisher information of a classifier whose samples are one row in every layer: many samples at once, as the
/// squares of a sample's gradients are products of squares.
template <class Model, class Head, class Kept>
void add_fisher_by_rows(Engine<Model>& engine, Context<typename Model::B>& context, const Head& head, Kept& kept,
                        double factor) {
    using S = typename Model::S;
    const View<S> z = kept.logits;
    const View<S> slopes = context.scratch(z.rows * z.cols, z.cols);
    const std::span<S> weights = context.arena.template array<S>(slopes.rows);
    for (std::size_t n = 0; n < z.rows; ++n) {
        const std::vector<double> p = softmax(z.cols, [&](std::size_t c) { return double(z(n, c)); });
        for (std::size_t label = 0; label < z.cols; ++label) {
            weights[n * z.cols + label] = S(factor * p[label]);
            for (std::size_t c = 0; c < z.cols; ++c) slopes(n * z.cols + label, c) = S((c == label) - p[c]);
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
/// for regression), and for a span one token of the sequence as its begin and one as its end.
template <class Model>
void add_fisher(Engine<Model>& engine, const Dataset& data, std::size_t task, std::size_t samples, const Moment& moment,
                AlignedVector<typename Model::S>& fisher) {
    using S = typename Model::S;
    const std::size_t count = samples == 0 ? data.size() : std::min(samples, data.size());
    auto& store = engine.parameters();
    require(fisher.size() == store.layout().size, "fisher has ", fisher.size(),
            " elements, the trainable parameters have ", store.layout().size);
    std::vector<std::uint32_t> order(data.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = std::uint32_t(i);
    if (count < data.size()) Random(moment.key(RandomPurpose::fisher, task)).shuffle(std::span<std::uint32_t>(order));
    const FlushDenormals flush;
    const std::size_t at_once = samples_at_once(engine, task);
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
                    if (at_once > 1) return add_fisher_by_rows(engine, context, head, kept, 1 / double(count));
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
                const std::string type = head.problem_type;
                Random random(moment.key(RandomPurpose::fisher, mix_bits(task) ^ order[i]));
                if (type == "single_label_classification") {
                    const std::vector<double> p = softmax(z.cols, [&](std::size_t c) { return double(z(0, c)); });
                    for (std::size_t label = 0; label < z.cols; ++label) {
                        for (std::size_t c = 0; c < z.cols; ++c) slope(0, c) = S((c == label) - p[c]);
                        pass(p[label]);
                    }
                } else if (type == "question_answering") {
                    for (std::size_t side = 0; side < z.cols; ++side)
                        draw_slope(
                            random, z.rows, [&](std::size_t token) -> S& { return slope(token, side); },
                            [&](std::size_t token) { return double(z(token, side)); });
                    pass(1);
                } else {
                    for (std::size_t row = 0; row < z.rows; ++row) {
                        if (type == "regression" || type == "ranking") {
                            for (std::size_t c = 0; c < z.cols; ++c) slope(row, c) = S(random.normal());
                        } else if (type == "multi_label_classification") {
                            for (std::size_t c = 0; c < z.cols; ++c) {
                                const double q = 1 / (1 + std::exp(-double(z(row, c))));
                                slope(row, c) = S((random.uniform() < q ? 1.0 : 0.0) - q);
                            }
                        } else if (batch.labels[row] == ignored_label) {
                            for (std::size_t c = 0; c < z.cols; ++c) slope(row, c) = S(0);
                        } else {
                            draw_slope(
                                random, z.cols, [&](std::size_t c) -> S& { return slope(row, c); },
                                [&](std::size_t c) { return double(z(row, c)); });
                        }
                    }
                    pass(1);
                }
            } else {
                check_fisher(engine.model(), task);
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
