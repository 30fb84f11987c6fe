#pragma once
#include "didact/train/engine.hpp"

namespace didact {

/// What a model does on a data set: its mean loss, its predictions and one primary metric, higher being better:
/// accuracy over sequences or labelled tokens, exact match of spans, minus the loss where there is nothing to be
/// accurate about.
struct Evaluation {
    double loss = 0;
    double primary = 0;
    std::string primary_name = {};
    std::vector<std::int32_t> predicted = {}, gold = {}; ///< one a sequence, or one a labelled token

    std::vector<std::pair<std::string, double>> named_metrics() const {
        return {{"loss", loss}, {primary_name, primary}};
    }
};

namespace eval {

template <class S>
std::int32_t argmax(View<S> logits, std::size_t row) {
    std::size_t best = 0;
    for (std::size_t j = 1; j < logits.cols; ++j)
        if (logits(row, j) > logits(row, best)) best = j;
    return std::int32_t(best);
}

/// Row of the largest logit in column `column` among rows [begin, end), counted from begin.
template <class S>
std::int32_t argmax_row(View<S> logits, std::size_t column, std::size_t begin, std::size_t end) {
    std::size_t best = begin;
    for (std::size_t t = begin; t < end; ++t)
        if (logits(t, column) > logits(best, column)) best = t;
    return std::int32_t(best - begin);
}

}

/// Evaluates one task on a data set, without dropout.
template <class Model>
Evaluation evaluate(Engine<Model>& engine, const Dataset& data, std::size_t task, std::size_t batch_size = 64) {
    Evaluation result;
    double loss = 0, units = 0;
    std::size_t right = 0;
    std::string type;
    const FlushDenormals flush;
    engine.for_each_batch(data, task, batch_size, [&](const Batch& batch) {
        engine.arena().reset();
        auto context = engine.context();
        auto& saved = engine.saved();
        engine.forward(context, batch, saved, false);
        loss += engine.model().loss(context, batch, saved, engine.losses_for(batch));
        units += engine.model().units(batch);
        engine.model().with_head(task, saved, [&](const auto& head, auto& kept) {
            type = std::remove_cvref_t<decltype(head)>::problem_type;
            const auto count = [&](std::int32_t predicted, std::int32_t gold) {
                result.predicted.push_back(predicted);
                result.gold.push_back(gold);
                right += predicted == gold;
            };
            if constexpr (requires { kept.logits; }) {
                if (type == "single_label_classification")
                    for (std::size_t s = 0; s < batch.size(); ++s) count(eval::argmax(kept.logits, s), batch.labels[s]);
                if (type == "token_classification")
                    for (std::size_t t = 0; t < batch.tokens(); ++t)
                        if (batch.labels[t] != ignored_label) count(eval::argmax(kept.logits, t), batch.labels[t]);
                if (type == "question_answering")
                    for (std::size_t s = 0; s < batch.size(); ++s) {
                        const std::size_t begin = std::size_t(batch.cu_seqlens[s]);
                        const std::size_t end = std::size_t(batch.cu_seqlens[s + 1]);
                        const bool both = eval::argmax_row(kept.logits, 0, begin, end) == batch.labels_of(s)[0] &&
                                          eval::argmax_row(kept.logits, 1, begin, end) == batch.labels_of(s)[1];
                        count(both, 1);
                    }
            }
        });
    });
    result.loss = units > 0 ? loss / units : 0;
    if (result.gold.empty()) {
        result.primary = -result.loss;
        result.primary_name = "negative_loss";
    } else {
        result.primary = double(right) / double(result.gold.size());
        result.primary_name = type == "question_answering" ? "exact_match" : "accuracy";
    }
    return result;
}

}
