#pragma once
#include <cmath>
#include <span>
#include <vector>

#include "didact/core/error.hpp"

namespace didact::eval {

/// One metric of one task, for a multi-task model and for a single-task model of the same trunk and the same budget.
struct MultitaskScore {
    double multitask = 0, single_task = 0;
    bool higher_is_better = true;
};

/// ± (m − b) / b, positive where the multi-task model is better. Throws Error where b is 0.
inline double relative_gain(const MultitaskScore& score) {
    require(score.single_task != 0, "relative gain: the single-task score is 0, nothing can be relative to it");
    const double gain = (score.multitask - score.single_task) / std::abs(score.single_task);
    return score.higher_is_better ? gain : -gain;
}

/// Δm, the mean relative gain over single-task models (Maninis et al. 2019, arXiv 1904.08918, eq. 4), as a fraction:
/// first the mean over the metrics of a task, then over tasks, so that a task of many metrics weighs no more than
/// another (Vandenhende et al. 2021 and LibMTL do the same).
inline double delta_m(std::span<const std::vector<MultitaskScore>> tasks) {
    require(!tasks.empty(), "delta_m: there are no tasks");
    double total = 0;
    for (std::size_t t = 0; t < tasks.size(); ++t) {
        require(!tasks[t].empty(), "delta_m: task ", t, " has no metric");
        double sum = 0;
        for (const MultitaskScore& score : tasks[t]) sum += relative_gain(score);
        total += sum / double(tasks[t].size());
    }
    return total / double(tasks.size());
}

}
