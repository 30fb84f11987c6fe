#pragma once
#include "didact/data/stream.hpp"
#include "didact/train/engine.hpp"

namespace didact::forgetting {

/// Adds the diagonal of the Fisher information of a task to `fisher`, laid out as the gradients: the mean over samples
/// of E_{y ~ p(y|x)} (∂ log p(y|x) / ∂w)², sample by sample, in evaluation mode, over the model's own predictions. For
/// sequence classification the expectation is exact, Σ_c p_c (∂ log p_c)², one backward pass a class (van de Ven 2025,
/// arXiv 2502.11756, finds this the best of the common choices). For the other heads one outcome a row is drawn from
/// the model's distribution (unit-variance normal for regression), an unbiased estimate.
template <class Model>
void add_fisher(Engine<Model>& engine, const Dataset& data, std::size_t task, std::size_t samples, const Moment& moment,
                AlignedVector<typename Model::S>& fisher) {
    using S = typename Model::S;
    const std::size_t count = samples == 0 ? data.size() : std::min(samples, data.size());
    auto& store = engine.parameters();
    require(fisher.size() == store.gradients().size(), "fisher has ", fisher.size(),
            " elements, the trainable parameters have ", store.gradients().size());
    std::vector<std::uint32_t> order(data.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = std::uint32_t(i);
    if (count < data.size()) Random(moment.key(RandomPurpose::fisher, task)).shuffle(std::span<std::uint32_t>(order));
    const FlushDenormals flush;
    Batch batch;
    for (std::size_t i = 0; i < count; ++i) {
        batch.clear();
        batch.task = task;
        batch.append(data, order[i]);
        engine.arena().reset();
        auto context = engine.context();
        auto& saved = engine.saved();
        engine.forward(context, batch, saved);
        engine.model().with_head(task, saved, [&](const auto& head, auto& kept) {
            if constexpr (requires { head.logits_backward(context, batch, kept, View<const S>(), View<S>()); }) {
                const View<S> z = kept.logits;
                const View<S> slope = context.scratch(z.rows, z.cols);
                const auto pass = [&](double factor) {
                    const ArenaScope scope(engine.arena());
                    const View<S> dhidden = context.scratch(saved.hidden.rows, saved.hidden.cols);
                    fill(context, S(0), dhidden);
                    head.logits_backward(context, batch, kept, slope, dhidden);
                    engine.model().trunk().backward(context, batch, dhidden, saved.trunk);
                    drain_squares(context, factor / double(count), store.gradients(), std::span<S>(fisher));
                };
                const std::string type = head.problem_type;
                Random random(moment.key(RandomPurpose::fisher, mix_bits(task) ^ order[i]));
                std::vector<double> p(z.cols);
                const auto softmax = [&](std::size_t row) {
                    double top = double(z(row, 0)), sum = 0;
                    for (std::size_t c = 0; c < z.cols; ++c) top = std::max(top, double(z(row, c)));
                    for (std::size_t c = 0; c < z.cols; ++c) sum += p[c] = std::exp(double(z(row, c)) - top);
                    for (double& x : p) x /= sum;
                };
                if (type == "single_label_classification") {
                    softmax(0);
                    for (std::size_t label = 0; label < z.cols; ++label) {
                        for (std::size_t c = 0; c < z.cols; ++c) slope(0, c) = S((c == label) - p[c]);
                        pass(p[label]);
                    }
                } else {
                    for (std::size_t row = 0; row < z.rows; ++row) {
                        if (type == "regression" || type == "ranking") {
                            for (std::size_t c = 0; c < z.cols; ++c) slope(row, c) = S(random.normal());
                        } else if (type == "multi_label_classification") {
                            for (std::size_t c = 0; c < z.cols; ++c) {
                                const double q = 1 / (1 + std::exp(-double(z(row, c))));
                                slope(row, c) = S((random.uniform() < q ? 1.0 : 0.0) - q);
                            }
                        } else {
                            softmax(row);
                            double rest = random.uniform();
                            std::size_t label = 0;
                            while (label + 1 < z.cols && (rest -= p[label]) >= 0) ++label;
                            for (std::size_t c = 0; c < z.cols; ++c) slope(row, c) = S((c == label) - p[c]);
                        }
                    }
                    pass(1);
                }
            } else {
                fail("Fisher information of task '", head.options().name,
                     "': a language-model head keeps no logits to take it over");
            }
        });
    }
}

}
