#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "didact/core/checked_size.hpp"
#include "didact/core/error.hpp"

namespace didact::eval {

/// Class numbers, one an example, from 0.
using Labels = std::span<const std::int32_t>;

/// a / b, and 0 where b is 0 (scikit-learn's `zero_division=0`).
constexpr double ratio(double a, double b) { return b == 0 ? 0 : a / b; }

/// What happened to one class. Where nothing of the class was predicted, precision is 0; where it has no examples,
/// recall is 0; F1 = 2 TP / (2 TP + FP + FN), and 0 where that is 0 / 0.
struct ClassScores {
    std::size_t support = 0;   ///< examples whose gold label is this class, TP + FN
    std::size_t predicted = 0; ///< examples given this class, TP + FP
    std::size_t true_positives = 0;

    std::size_t false_positives() const { return predicted - true_positives; }
    std::size_t false_negatives() const { return support - true_positives; }
    double precision() const { return ratio(double(true_positives), double(predicted)); }
    double recall() const { return ratio(double(true_positives), double(support)); }
    double f1() const { return ratio(2 * double(true_positives), double(predicted + support)); }
    /// Whether the class occurs at all; classes that do not take no part in averages over classes.
    bool occurs() const { return predicted + support > 0; }
};

namespace detail {

inline void check_labels(Labels predicted, Labels gold) {
    require(predicted.size() == gold.size(), "classification metric: ", predicted.size(), " predictions for ",
            gold.size(), " labels");
    require(!gold.empty(), "classification metric: there are no labels");
    for (std::size_t i = 0; i < gold.size(); ++i) {
        require(gold[i] >= 0, "classification metric: label ", i, " is ", gold[i], ", expected 0 or more");
        require(predicted[i] >= 0, "classification metric: prediction ", i, " is ", predicted[i],
                ", expected 0 or more");
    }
}

inline std::size_t class_count(Labels predicted, Labels gold, std::size_t classes) {
    const std::size_t seen = 1 + std::size_t(std::max(std::ranges::max(predicted), std::ranges::max(gold)));
    require(classes == 0 || seen <= classes, "classification metric: class ", seen - 1, " is among the labels, but ",
            classes, " classes were announced");
    return std::max(classes, seen);
}

}

/// Counts of examples by gold class (row) and predicted class (column), as scikit-learn's `confusion_matrix`.
class ConfusionMatrix {
  public:
    /// `classes` 0: as many as the labels name. Memory is classes² counts, at most 2²⁸ of them.
    ConfusionMatrix(Labels predicted, Labels gold, std::size_t classes = 0) {
        detail::check_labels(predicted, gold);
        classes_ = detail::class_count(predicted, gold, classes);
        counts_.resize((CheckedSize(classes_) * classes_).within(std::uint64_t(1) << 28, "confusion matrix: its size"));
        for (std::size_t i = 0; i < gold.size(); ++i)
            ++counts_[std::size_t(gold[i]) * classes_ + std::size_t(predicted[i])];
    }

    std::size_t classes() const { return classes_; }
    std::size_t operator()(std::size_t gold, std::size_t predicted) const {
        require(gold < classes_ && predicted < classes_, "confusion matrix: entry (", gold, ", ", predicted,
                ") of a matrix of ", classes_, " classes");
        return counts_[gold * classes_ + predicted];
    }

  private:
    std::size_t classes_ = 0;
    std::vector<std::size_t> counts_;
};

/// The scores of each class, `[c]` those of class c. `classes` 0: as many as the labels name. Throws Error where the
/// lengths differ, there is nothing to count, or a label is negative.
inline std::vector<ClassScores> class_scores(Labels predicted, Labels gold, std::size_t classes = 0) {
    detail::check_labels(predicted, gold);
    std::vector<ClassScores> scores(detail::class_count(predicted, gold, classes));
    for (std::size_t i = 0; i < gold.size(); ++i) {
        ++scores[std::size_t(gold[i])].support;
        ++scores[std::size_t(predicted[i])].predicted;
        if (gold[i] == predicted[i]) ++scores[std::size_t(gold[i])].true_positives;
    }
    return scores;
}

/// The share of examples whose prediction is right.
inline double accuracy(Labels predicted, Labels gold) {
    detail::check_labels(predicted, gold);
    std::size_t right = 0;
    for (std::size_t i = 0; i < gold.size(); ++i) right += predicted[i] == gold[i];
    return double(right) / double(gold.size());
}

/// The unweighted mean of F1 over the classes that occur among labels or predictions.
inline double macro_f1(std::span<const ClassScores> scores) {
    double sum = 0, count = 0;
    for (const ClassScores& c : scores)
        if (c.occurs()) sum += c.f1(), ++count;
    return ratio(sum, count);
}

/// F1 of the counts summed over classes. Over all classes it is the accuracy; give a part of the scores (all classes
/// but "other", say) for another number.
inline double micro_f1(std::span<const ClassScores> scores) {
    double hits = 0, all = 0;
    for (const ClassScores& c : scores) hits += 2 * double(c.true_positives), all += double(c.predicted + c.support);
    return ratio(hits, all);
}

/// The mean of F1 over classes, weighted by support.
inline double weighted_f1(std::span<const ClassScores> scores) {
    double sum = 0, support = 0;
    for (const ClassScores& c : scores) sum += c.f1() * double(c.support), support += double(c.support);
    return ratio(sum, support);
}

/// The mean recall over the classes that have examples (scikit-learn's `balanced_accuracy_score`).
inline double balanced_accuracy(std::span<const ClassScores> scores) {
    double sum = 0, count = 0;
    for (const ClassScores& c : scores)
        if (c.support > 0) sum += c.recall(), ++count;
    return ratio(sum, count);
}

/// Matthews' correlation for several classes, R_K (Gorodkin 2004, "Comparing two K-category assignments by a K-category
/// correlation coefficient"): with n examples, c right ones, t_k gold and p_k predicted ones of class k,
/// (c n − Σ t_k p_k) / √((n² − Σ p_k²)(n² − Σ t_k²)), and 0 where that is 0 / 0. `scores` must be those of all classes.
inline double matthews_correlation(std::span<const ClassScores> scores) {
    double n = 0, right = 0, both = 0, gold = 0, predicted = 0;
    for (const ClassScores& c : scores) {
        n += double(c.support);
        right += double(c.true_positives);
        both += double(c.support) * double(c.predicted);
        gold += double(c.support) * double(c.support);
        predicted += double(c.predicted) * double(c.predicted);
    }
    return ratio(right * n - both, std::sqrt(n * n - predicted) * std::sqrt(n * n - gold));
}

inline double macro_f1(Labels predicted, Labels gold) { return macro_f1(class_scores(predicted, gold)); }
inline double micro_f1(Labels predicted, Labels gold) { return micro_f1(class_scores(predicted, gold)); }
inline double weighted_f1(Labels predicted, Labels gold) { return weighted_f1(class_scores(predicted, gold)); }
inline double balanced_accuracy(Labels predicted, Labels gold) {
    return balanced_accuracy(class_scores(predicted, gold));
}
inline double matthews_correlation(Labels predicted, Labels gold) {
    return matthews_correlation(class_scores(predicted, gold));
}

}
