#pragma once
#include <cmath>
#include <string_view>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"
#include "didact/train/moment.hpp"
#include "didact/train/step.hpp"

namespace didact::sharing {

/// Homoscedastic uncertainty (Kendall, Gal and Cipolla 2018, arXiv 1705.07115): with s = log σ² learned for each task
/// the loss is Σ f e⁻ˢ L + s/2, f being ½ for a regression head and 1 for every other. The optimum is eˢ = 2 f L. s
/// descends its own gradient, ½ − f e⁻ˢ L, with Adam at `learning_rate`; of several groups of a task (rehearsal) the
/// mean by their other weights. The reported loss leaves out s/2, with which the total may become negative.
struct UncertaintyWeighting {
    static constexpr Family family = Family::sharing;
    double initial = 0; ///< s at the start
    double learning_rate = 0.025;

    template <class Model>
    class State;
    static std::string name() { return "uncertainty-weighting"; }
    static void fields(auto& policy, const auto& visit) {
        visit("initial", policy.initial);
        visit("learning_rate", policy.learning_rate);
    }
    friend bool operator==(const UncertaintyWeighting&, const UncertaintyWeighting&) = default;
};

template <class Model>
class UncertaintyWeighting::State {
  public:
    State(const UncertaintyWeighting& policy, const Model& model) : policy_(policy) {
        require_not_negative("sharing::UncertaintyWeighting", "learning_rate", policy.learning_rate);
        for (std::size_t task = 0; task < model.tasks(); ++task)
            model.with_head(task, [&](const auto& head) {
                factors_.push_back(std::string_view(head.problem_type) == "regression" ? 0.5 : 1.0);
            });
        log_variances_.assign(factors_.size(), policy.initial);
        first_.resize(factors_.size());
        second_.resize(factors_.size());
        steps_.resize(factors_.size());
    }

    void weigh_groups(std::span<const StepGroup> groups, std::span<double> weights, const Moment&) {
        for (std::size_t k = 0; k < groups.size(); ++k) {
            const std::size_t task = groups[k].task;
            require(task < factors_.size(), "sharing::UncertaintyWeighting: the head of task ", task,
                    " was added after the trainer was made");
            weights[k] *= factors_[task] * std::exp(-log_variances_[task]);
        }
    }

    /// A task without samples in this step keeps its s; groups of one task share it.
    void losses_known(std::span<const StepGroup> groups, const Moment&) {
        for (const StepGroup& group : groups)
            require(!(group.loss < 0), "sharing::UncertaintyWeighting: the loss of task ", group.task, " is ",
                    group.loss, ", the method needs losses that are not negative");
        for (std::size_t task = 0; task < log_variances_.size(); ++task) {
            const double factor = factors_[task] * std::exp(-log_variances_[task]);
            double gradient = 0, weights = 0;
            for (const StepGroup& group : groups) {
                // A loss that is not finite ends the run, after which s is as it was.
                if (group.task != task || group.units <= 0 || !std::isfinite(group.loss)) continue;
                gradient += group.weight / factor * (0.5 - factor * group.loss);
                weights += group.weight / factor;
            }
            if (weights <= 0) continue;
            gradient /= weights;
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
    std::vector<double> factors_; ///< f of each task
    std::vector<double> log_variances_, first_, second_;
    std::vector<std::uint64_t> steps_; ///< that each task took part in
};

}
