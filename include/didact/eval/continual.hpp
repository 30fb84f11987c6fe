#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "didact/core/error.hpp"

namespace didact::eval {

/// R: what a model scores on each of T experiences after each experience learnt. (T+1) × T: row i after i experiences,
/// row 0 the untrained model; column j is experience j, counted from 0, which is learnt when row j+1 is measured.
/// NaN: not evaluated. Higher must be better.
class ResultMatrix {
  public:
    /// All NaN.
    explicit ResultMatrix(std::size_t experiences)
        : experiences_(experiences),
          values_((experiences + 1) * experiences, std::numeric_limits<double>::quiet_NaN()) {}

    /// From the rows one after another, as `TrainingResult::matrix` keeps them. Throws Error where their number is not
    /// (T+1) T.
    explicit ResultMatrix(std::span<const double> values) : values_(values.begin(), values.end()) {
        while ((experiences_ + 1) * experiences_ < values.size()) ++experiences_;
        require((experiences_ + 1) * experiences_ == values.size() && experiences_ > 0,
                "result matrix: ", values.size(), " entries, expected (T + 1) T for T experiences");
    }

    std::size_t experiences() const { return experiences_; }
    double& operator()(std::size_t after, std::size_t on) { return values_[index(after, on)]; }
    double operator()(std::size_t after, std::size_t on) const { return values_[index(after, on)]; }
    bool evaluated(std::size_t after, std::size_t on) const { return !std::isnan((*this)(after, on)); }

    /// The entry, or Error where it was not evaluated.
    double at(std::size_t after, std::size_t on) const {
        require(evaluated(after, on), "result matrix: experience ", on, " (from 0) was not evaluated after ", after,
                " experiences, or its metric is not a number",
                after == 0 ? "; TrainingOptions::evaluate_before fills row 0" : "");
        return (*this)(after, on);
    }

    std::span<const double> values() const { return values_; }

  private:
    std::size_t index(std::size_t after, std::size_t on) const {
        require(after <= experiences_ && on < experiences_, "result matrix: entry (", after, ", ", on, ") of ",
                experiences_ + 1, " rows and ", experiences_, " columns");
        return after * experiences_ + on;
    }

    std::size_t experiences_ = 0;
    std::vector<double> values_;
};

/// A number from R. `of` throws Error where an entry that the formula needs was not evaluated, or where the formula
/// needs more experiences than there are. Below, T is their number, rows R_1 … R_T come after that many experiences,
/// and columns count from 1.
template <class M>
concept ContinualMetric = requires(const ResultMatrix& r) {
    { M::name } -> std::convertible_to<std::string_view>;
    { M::of(r) } -> std::same_as<double>;
};

namespace detail {

inline std::size_t at_least_two(const ResultMatrix& r, std::string_view metric) {
    require(r.experiences() >= 2, metric, ": needs two experiences, there is ", r.experiences());
    return r.experiences();
}

}

/// ACC = 1/T Σ_j R_{T,j} (Lopez-Paz and Ranzato 2017, arXiv 1706.08840, eq. 2).
struct AverageAccuracy {
    static constexpr std::string_view name = "average_accuracy";
    static double of(const ResultMatrix& r) {
        double sum = 0;
        for (std::size_t j = 0; j < r.experiences(); ++j) sum += r.at(r.experiences(), j);
        return sum / double(r.experiences());
    }
};

/// AIA = 1/T Σ_i (1/i Σ_{j ≤ i} R_{i,j}): the mean over time of the mean over what was learnt by then (Rebuffi et al.
/// 2017, arXiv 1611.07725, section 4, over experiences of equal size).
struct AverageIncrementalAccuracy {
    static constexpr std::string_view name = "average_incremental_accuracy";
    static double of(const ResultMatrix& r) {
        double total = 0;
        for (std::size_t i = 1; i <= r.experiences(); ++i) {
            double sum = 0;
            for (std::size_t j = 0; j < i; ++j) sum += r.at(i, j);
            total += sum / double(i);
        }
        return total / double(r.experiences());
    }
};

/// LA = 1/T Σ_j R_{j,j}: how well each experience was learnt when it was there (Riemer et al. 2019, arXiv 1810.11910).
struct LearningAccuracy {
    static constexpr std::string_view name = "learning_accuracy";
    static double of(const ResultMatrix& r) {
        double sum = 0;
        for (std::size_t j = 0; j < r.experiences(); ++j) sum += r.at(j + 1, j);
        return sum / double(r.experiences());
    }
};

/// BWT = 1/(T−1) Σ_{j<T} (R_{T,j} − R_{j,j}) (Lopez-Paz and Ranzato 2017, eq. 3; their program divides by T instead,
/// the last term being 0). Negative where the model forgot.
struct BackwardTransfer {
    static constexpr std::string_view name = "backward_transfer";
    static double of(const ResultMatrix& r) {
        const std::size_t last = detail::at_least_two(r, name);
        double sum = 0;
        for (std::size_t j = 0; j + 1 < last; ++j) sum += r.at(last, j) - r.at(j + 1, j);
        return sum / double(last - 1);
    }
};

/// FWT = 1/(T−1) Σ_{j≥2} (R_{j−1,j} − b_j) (Lopez-Paz and Ranzato 2017, eq. 4), b_j the untrained model's score, row 0.
struct ForwardTransfer {
    static constexpr std::string_view name = "forward_transfer";
    static double of(const ResultMatrix& r) {
        const std::size_t last = detail::at_least_two(r, name);
        double sum = 0;
        for (std::size_t j = 1; j < last; ++j) sum += r.at(j, j) - r.at(0, j);
        return sum / double(last - 1);
    }
};

/// F = 1/(T−1) Σ_{j<T} (max_{1≤i<T} R_{i,j} − R_{T,j}) (Chaudhry et al. 2018, arXiv 1801.10112, eq. 3). The maximum is
/// over the rows that were evaluated, R_{j,j} at least. Negative where the last model is the best yet.
struct Forgetting {
    static constexpr std::string_view name = "forgetting";
    static double of(const ResultMatrix& r) {
        const std::size_t last = detail::at_least_two(r, name);
        double sum = 0;
        for (std::size_t j = 0; j + 1 < last; ++j) {
            double best = r.at(j + 1, j);
            for (std::size_t i = 1; i < last; ++i)
                if (r.evaluated(i, j)) best = std::max(best, r(i, j));
            sum += best - r.at(last, j);
        }
        return sum / double(last - 1);
    }
};

/// Each metric that the evaluated entries of R allow, by name.
inline std::vector<std::pair<std::string, double>> continual_metrics(const ResultMatrix& r) {
    std::vector<std::pair<std::string, double>> found;
    const auto take = [&]<ContinualMetric M>(M) {
        try {
            found.emplace_back(M::name, M::of(r));
        } catch (const Error&) {
            // An entry is missing; what is left out tells so.
        }
    };
    take(AverageAccuracy{}), take(AverageIncrementalAccuracy{}), take(LearningAccuracy{});
    take(BackwardTransfer{}), take(ForwardTransfer{}), take(Forgetting{});
    return found;
}

}
