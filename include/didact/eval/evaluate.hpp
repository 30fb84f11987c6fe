#pragma once
#include "didact/eval/evaluation.hpp"
#include "didact/train/engine.hpp"

namespace didact {

namespace eval {

template <class S>
std::int32_t argmax(View<S> logits, std::size_t row) {
    std::size_t best = 0;
    for (std::size_t j = 1; j < logits.cols; ++j)
        if (logits(row, j) > logits(row, best)) best = j;
    return std::int32_t(best);
}

/// The begin and end, counted within rows [begin, end), with the highest sum of scores among those with begin ≤ end
/// (Devlin et al. 2019, section 4.2).
template <class S>
std::pair<std::int32_t, std::int32_t> best_span(View<S> logits, std::size_t begin, std::size_t end) {
    std::size_t start = begin, best_start = begin, best_end = begin;
    for (std::size_t t = begin; t < end; ++t) {
        if (logits(t, 0) > logits(start, 0)) start = t;
        if (logits(start, 0) + logits(t, 1) > logits(best_start, 0) + logits(best_end, 1))
            best_start = start, best_end = t;
    }
    return {std::int32_t(best_start - begin), std::int32_t(best_end - begin)};
}

/// Adds what the head said of a batch, and what is right, to the result.
template <class S>
void collect(Evaluation& result, const std::string& problem_type, View<S> logits, const Batch& batch) {
    const auto keep_scores = [&] {
        for (std::size_t i = 0; i < logits.size(); ++i) result.scores.push_back(float(logits.data[i]));
    };
    const auto count = [&](std::int32_t predicted, std::int32_t gold) {
        result.predicted.push_back(predicted);
        result.gold.push_back(gold);
    };
    if (problem_type == "single_label_classification") {
        keep_scores();
        for (std::size_t s = 0; s < batch.size(); ++s) count(argmax(logits, s), batch.labels[s]);
    } else if (problem_type == "token_classification") {
        for (std::size_t s = 0; s < batch.size(); ++s) {
            for (std::size_t t = std::size_t(batch.cu_seqlens[s]); t < std::size_t(batch.cu_seqlens[s + 1]); ++t)
                if (batch.labels[t] != ignored_label) count(argmax(logits, t), batch.labels[t]);
            result.ends.push_back(result.gold.size());
        }
    } else if (problem_type == "multi_label_classification") {
        keep_scores();
        for (std::size_t i = 0; i < logits.size(); ++i) count(logits.data[i] > 0, batch.values[i] > 0.5f);
    } else if (problem_type == "question_answering") {
        keep_scores();
        const std::size_t before = result.ends.empty() ? 0 : result.ends.back();
        for (std::size_t s = 0; s < batch.size(); ++s) {
            const std::size_t begin = std::size_t(batch.cu_seqlens[s]), end = std::size_t(batch.cu_seqlens[s + 1]);
            const auto [first, last] = best_span(logits, begin, end);
            count(first == batch.labels_of(s)[0] && last == batch.labels_of(s)[1], 1);
            result.ends.push_back(before + 2 * end);
        }
    } else {
        keep_scores();
        result.targets.insert(result.targets.end(), batch.values.begin(), batch.values.end());
        if (problem_type == "ranking") result.gold.insert(result.gold.end(), batch.labels.begin(), batch.labels.end());
    }
}

}

/// Evaluates one task on a data set, without dropout.
template <class Model>
Evaluation evaluate(Engine<Model>& engine, const Dataset& data, std::size_t task, std::size_t batch_size = 64) {
    Evaluation result;
    double loss = 0, units = 0;
    const FlushDenormals flush;
    engine.for_each_batch(data, task, batch_size, [&](const Batch& batch) {
        engine.arena().reset();
        auto context = engine.context();
        context.weights_stay = true;
        auto& saved = engine.saved();
        engine.forward(context, batch, saved, false);
        loss += engine.model().loss(context, batch, saved, engine.losses_for(batch));
        units += engine.model().units(batch);
        engine.model().with_head(task, saved, [&](const auto& head, auto& kept) {
            if constexpr (requires { kept.logits; }) eval::collect(result, head.problem_type, kept.logits, batch);
        });
    });
    result.loss = units > 0 ? loss / units : 0;
    engine.model().with_head(task, [&](const auto& head) {
        eval::add_metrics(result, head.problem_type, head.options().num_labels, head.options().labels,
                          head.options().label_smoothing);
    });
    return result;
}

}
