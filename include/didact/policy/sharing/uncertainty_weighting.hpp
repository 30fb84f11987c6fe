#pragma once
#include <cmath>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"
#include "didact/train/moment.hpp"
#include "didact/train/step.hpp"

namespace didact::sharing {

/// Homoscedastic uncertainty (Kendall, Gal and Cipolla 2018, arXiv 1705.07115): with s = log σ² learned for each task
/// the loss is Σ e⁻ˢ L + s/2 for classification and Σ ½ e⁻ˢ L + s/2 for regression (`factor` ½). The optimum is eˢ = 2
/// · factor · L. s descends its own gradient, −factor · e⁻ˢ L + ½, with Adam at `learning_rate`. The total may become
/// negative.
struct UncertaintyWeighting {
    static constexpr Family family = Family::sharing;
    double factor = 1;  ///< 1 for classification, ½ for regression
    double initial = 0; ///< s at the start
    double learning_rate = 0.025;

    template <class Model>
    class State;
    static std::string name() { return "uncertainty-weighting"; }
    static void fields(auto& policy, const auto& visit) {
        visit("factor", policy.factor);
        visit("initial", policy.initial);
        visit("learning_rate", policy.learning_rate);
    }
    friend bool operator==(const UncertaintyWeighting&, const UncertaintyWeighting&) = default;
};

template <class Model>
class UncertaintyWeighting::State {
  public:
    State(const UncertaintyWeighting& policy, const Model&) : policy_(policy) {
        require(policy.learning_rate >= 0, "sharing::UncertaintyWeighting: learning_rate is negative");
    }

    /// A task without samples in this step keeps its s; groups of one task share it.
    void weigh_losses(std::span<const StepGroup> groups, std::span<double> weights, const Moment&) {
        for (std::size_t k = 0; k < groups.size(); ++k) {
            const std::size_t task = groups[k].task;
            require(groups[k].loss >= 0, "sharing::UncertaintyWeighting: the loss of task ", task, " is ",
                    groups[k].loss, ", the method needs losses that are not negative");
            if (log_variances_.size() <= task) log_variances_.resize(task + 1, policy_.initial);
            weights[k] *= policy_.factor * std::exp(-log_variances_[task]);
        }
        first_.resize(log_variances_.size(), 0.0);
        second_.resize(log_variances_.size(), 0.0);
        steps_.resize(log_variances_.size(), 0);
        for (std::size_t task = 0; task < log_variances_.size(); ++task) {
            double gradient = 0;
            bool seen = false;
            for (const StepGroup& group : groups) {
                if (group.task != task) continue;
                gradient += 0.5 - policy_.factor * std::exp(-log_variances_[task]) * group.loss;
                seen = true;
            }
            if (!seen) continue;
            const double step = double(++steps_[task]);
            first_[task] = 0.9 * first_[task] + 0.1 * gradient;
            second_[task] = 0.999 * second_[task] + 0.001 * gradient * gradient;
            const double mean = first_[task] / (1 - std::pow(0.9, step));
            const double deviation = std::sqrt(second_[task] / (1 - std::pow(0.999, step)));
            log_variances_[task] -= policy_.learning_rate * mean / (deviation + 1e-8);
        }
    }

    const std::vector<double>& log_variances() const { return log_variances_; }

    void serialize(Archive& archive) {
        archive("log_variances", log_variances_);
        archive("first", first_);
        archive("second", second_);
        archive("steps", steps_);
    }

  private:
    UncertaintyWeighting policy_;
    std::vector<double> log_variances_, first_, second_;
    std::vector<std::uint64_t> steps_; ///< that each task took part in
};

}
