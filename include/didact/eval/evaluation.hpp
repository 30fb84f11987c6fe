#pragma once
#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "didact/data/dataset.hpp"
#include "didact/eval/classification.hpp"
#include "didact/eval/language_model.hpp"
#include "didact/eval/regression.hpp"
#include "didact/eval/tagging.hpp"

namespace didact {

/// What a model does on a data set. `metrics` has what suits the task; the first of them is the primary one, which
/// early stopping and the matrix R go by: higher is better.
struct Evaluation {
    double loss = 0;
    double primary = 0;
    std::string primary_name = {};
    std::vector<std::pair<std::string, double>> metrics = {};

    /// Classes: one a sequence. Token labels: one a labelled token. Several labels: one 0 or 1 a sequence and label.
    std::vector<std::int32_t> predicted = {}, gold = {};
    std::vector<std::size_t> ends = {}; ///< token labels: where each sample ends in `predicted`; spans: in `scores`
    std::vector<float> scores = {};     ///< the head's outputs: (sequences, labels), or (tokens, 2) of spans
    std::vector<float> targets = {};    ///< of regression and ranking, beside `scores`

    /// A metric by its name. Throws Error where it was not measured.
    double metric(const std::string& name) const {
        if (name == "loss") return loss;
        for (const auto& [key, value] : metrics)
            if (key == name) return value;
        fail("this task has no metric '", name, "'");
    }
    std::vector<std::pair<std::string, double>> named_metrics() const {
        std::vector<std::pair<std::string, double>> all{{"loss", loss}};
        all.insert(all.end(), metrics.begin(), metrics.end());
        return all;
    }
};

namespace eval {

/// Whether the names are BIO or BIOES tags, so that entities can be counted.
inline bool are_entity_tags(const std::vector<std::string>& names) {
    return !names.empty() && std::all_of(names.begin(), names.end(), [](const std::string& name) {
        return name == "O" || (name.size() > 2 && name[1] == '-' && std::string("BIES").find(name[0]) < 4);
    });
}

/// Entity F1 and accuracy where labels are BIO tags, accuracy and macro F1 otherwise.
inline void add_tagging_metrics(Evaluation& result, const std::vector<std::string>& names) {
    if (are_entity_tags(names)) {
        EntityScores scores;
        std::size_t begin = 0;
        for (const std::size_t end : result.ends) {
            scores.add(Labels(result.predicted).subspan(begin, end - begin),
                       Labels(result.gold).subspan(begin, end - begin), names);
            begin = end;
        }
        const ClassScores all = scores.micro();
        result.metrics.emplace_back("entity_f1", all.f1());
        result.metrics.emplace_back("entity_precision", all.precision());
        result.metrics.emplace_back("entity_recall", all.recall());
    }
    result.metrics.emplace_back("accuracy", accuracy(result.predicted, result.gold));
    result.metrics.emplace_back("macro_f1", macro_f1(result.predicted, result.gold));
}

/// Micro F1 over the labels that are there; the mean of F1 over all labels, those that do not occur among them (as
/// scikit-learn's f1_score of an indicator matrix, with zero_division=0); the share of sequences with every label
/// right.
inline void add_multi_label_metrics(Evaluation& result, std::size_t labels) {
    std::vector<ClassScores> scores(labels);
    std::size_t right = 0;
    double f1 = 0;
    const std::size_t sequences = result.gold.size() / labels;
    for (std::size_t s = 0; s < sequences; ++s) {
        bool all = true;
        for (std::size_t c = 0; c < labels; ++c) {
            const bool p = result.predicted[s * labels + c] != 0, g = result.gold[s * labels + c] != 0;
            scores[c].predicted += p;
            scores[c].support += g;
            scores[c].true_positives += p && g;
            all = all && p == g;
        }
        right += all;
    }
    for (const ClassScores& label : scores) f1 += label.f1();
    result.metrics.emplace_back("micro_f1", micro_f1(scores));
    result.metrics.emplace_back("macro_f1", f1 / double(labels));
    result.metrics.emplace_back("subset_accuracy", ratio(double(right), double(sequences)));
}

/// Share of the pairs of one group with different relevance that the scores put in the right order; a tie counts half.
inline double pair_accuracy(std::span<const float> scores, std::span<const float> relevance, Labels groups) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::ranges::sort(order, {}, [&](std::size_t i) { return groups[i]; });
    double right = 0, pairs = 0;
    for (std::size_t p = 0; p < order.size(); ++p)
        for (std::size_t q = p + 1; q < order.size() && groups[order[q]] == groups[order[p]]; ++q) {
            std::size_t i = order[p], j = order[q];
            if (relevance[i] == relevance[j]) continue;
            if (relevance[i] < relevance[j]) std::swap(i, j);
            right += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
            ++pairs;
        }
    return ratio(right, pairs);
}

/// The metrics of a kind of head, from what the pass over the data collected. A smoothed loss has no perplexity.
inline void add_metrics(Evaluation& result, const std::string& problem_type, std::size_t num_labels,
                        const std::vector<std::string>& label_names, double label_smoothing = 0) {
    auto& metrics = result.metrics;
    if (problem_type == "single_label_classification" && !result.gold.empty()) {
        metrics.emplace_back("accuracy", accuracy(result.predicted, result.gold));
        metrics.emplace_back("macro_f1", macro_f1(result.predicted, result.gold));
        metrics.emplace_back("matthews_correlation", matthews_correlation(result.predicted, result.gold));
    } else if (problem_type == "token_classification" && !result.gold.empty()) {
        add_tagging_metrics(result, label_names);
    } else if (problem_type == "multi_label_classification" && !result.gold.empty()) {
        add_multi_label_metrics(result, num_labels);
    } else if (problem_type == "question_answering" && !result.gold.empty()) {
        metrics.emplace_back("exact_match", accuracy(result.predicted, result.gold));
    } else if (problem_type == "regression" && num_labels == 1 && result.targets.size() > 1) {
        metrics.emplace_back("spearman", spearman(result.scores, result.targets));
        metrics.emplace_back("pearson", pearson(result.scores, result.targets));
        metrics.emplace_back("mean_squared_error", mean_squared_error(result.scores, result.targets));
    } else if (problem_type == "ranking") {
        metrics.emplace_back("pair_accuracy", pair_accuracy(result.scores, result.targets, result.gold));
    }
    if (metrics.empty()) metrics.emplace_back("negative_loss", -result.loss);
    if (problem_type.ends_with("language_model") && label_smoothing == 0)
        metrics.emplace_back("perplexity", std::exp(result.loss));
    result.primary_name = metrics.front().first;
    result.primary = metrics.front().second;
}

}
}
