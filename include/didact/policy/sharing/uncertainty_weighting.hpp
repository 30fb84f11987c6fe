#pragma once
#include <cmath>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"
#include "didact/train/moment.hpp"

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

    void weigh_losses(std::span<const double> losses, std::span<double> weights, const Moment&) {
        if (log_variances_.size() < losses.size()) {
            log_variances_.resize(losses.size(), policy_.initial);
            first_.resize(losses.size(), 0.0);
            second_.resize(losses.size(), 0.0);
        }
        ++steps_;
        for (std::size_t k = 0; k < losses.size(); ++k) {
            require(losses[k] >= 0, "sharing::UncertaintyWeighting: the loss of task ", k, " is ", losses[k],
                    ", the method needs losses that are not negative");
            const double precision = policy_.factor * std::exp(-log_variances_[k]);
            weights[k] *= precision;
            const double gradient = 0.5 - precision * losses[k];
            first_[k] = 0.9 * first_[k] + 0.1 * gradient;
            second_[k] = 0.999 * second_[k] + 0.001 * gradient * gradient;
            const double mean = first_[k] / (1 - std::pow(0.9, double(steps_)));
            const double deviation = std::sqrt(second_[k] / (1 - std::pow(0.999, double(steps_))));
            log_variances_[k] -= policy_.learning_rate * mean / (deviation + 1e-8);
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
    std::uint64_t steps_ = 0;
};

}
