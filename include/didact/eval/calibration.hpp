#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "didact/eval/classification.hpp"

namespace didact::eval {

/// Predicted probabilities, (examples, classes) row by row; each row sums to 1.
using Probabilities = std::span<const double>;

namespace detail {

/// The number of classes, after a check of shape, labels and rows.
inline std::size_t check_probabilities(Probabilities probabilities, Labels gold) {
    require(!gold.empty(), "calibration: there are no labels");
    require(!probabilities.empty() && probabilities.size() % gold.size() == 0, "calibration: ", probabilities.size(),
            " probabilities for ", gold.size(), " labels, expected a multiple");
    const std::size_t classes = probabilities.size() / gold.size();
    for (std::size_t i = 0; i < gold.size(); ++i) {
        require(gold[i] >= 0 && std::size_t(gold[i]) < classes, "calibration: label ", i, " is ", gold[i],
                ", expected one of ", classes, " classes");
        double sum = 0;
        for (const double p : probabilities.subspan(i * classes, classes)) {
            require(p >= 0 && p <= 1 + 1e-4, "calibration: a probability of row ", i, " is ", p);
            sum += p;
        }
        require(std::abs(sum - 1) < 1e-4, "calibration: the probabilities of row ", i, " sum to ", sum, ", not to 1");
    }
    return classes;
}

}

/// One bin of a reliability diagram; means over its examples, 0 where it has none.
struct CalibrationBin {
    std::size_t count = 0;
    double confidence = 0, accuracy = 0;
};

/// The examples by their largest probability ("confidence"), in `bins` bins of equal width ((b−1)/bins, b/bins] (Guo et
/// al. 2017, arXiv 1706.04599, section 2).
inline std::vector<CalibrationBin> reliability_diagram(Probabilities probabilities, Labels gold,
                                                       std::size_t bins = 15) {
    require(bins > 0, "calibration: 0 bins");
    const std::size_t classes = detail::check_probabilities(probabilities, gold);
    std::vector<CalibrationBin> diagram(bins);
    for (std::size_t i = 0; i < gold.size(); ++i) {
        const auto row = probabilities.subspan(i * classes, classes);
        const auto best = std::ranges::max_element(row);
        const auto place = std::size_t(std::max(0.0, std::ceil(*best * double(bins)) - 1));
        CalibrationBin& bin = diagram[std::min(place, bins - 1)];
        ++bin.count;
        bin.confidence += *best;
        bin.accuracy += best - row.begin() == gold[i];
    }
    for (CalibrationBin& bin : diagram)
        if (bin.count > 0) bin.confidence /= double(bin.count), bin.accuracy /= double(bin.count);
    return diagram;
}

/// Expected calibration error: Σ_b (n_b / n) |accuracy_b − confidence_b| (Guo et al. 2017, eq. 3).
inline double expected_calibration_error(Probabilities probabilities, Labels gold, std::size_t bins = 15) {
    double error = 0;
    for (const CalibrationBin& bin : reliability_diagram(probabilities, gold, bins))
        error += double(bin.count) / double(gold.size()) * std::abs(bin.accuracy - bin.confidence);
    return error;
}

/// The mean over examples of Σ_c (p_c − [c = gold])², in [0, 2] (Brier 1950). For two classes it is twice the mean of
/// (p₁ − y)², the number that scikit-learn gives for a binary label.
inline double brier_score(Probabilities probabilities, Labels gold) {
    const std::size_t classes = detail::check_probabilities(probabilities, gold);
    double sum = 0;
    for (std::size_t k = 0; k < probabilities.size(); ++k) {
        const double error = probabilities[k] - double(std::size_t(gold[k / classes]) == k % classes);
        sum += error * error;
    }
    return sum / double(gold.size());
}

/// The mean of −ln p(gold), in nats; infinite where a gold label has probability 0.
inline double negative_log_likelihood(Probabilities probabilities, Labels gold) {
    const std::size_t classes = detail::check_probabilities(probabilities, gold);
    double sum = 0;
    for (std::size_t i = 0; i < gold.size(); ++i) sum -= std::log(probabilities[i * classes + std::size_t(gold[i])]);
    return sum / double(gold.size());
}

}
