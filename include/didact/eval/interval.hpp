#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "didact/core/random.hpp"
#include "didact/eval/distributions.hpp"

namespace didact::eval {

/// A mean and the interval that holds the true one with the confidence that was asked for.
///
/// Which one for runs over seeds: with few (3 to 10), `t_interval`. A bootstrap of three values can draw only ten
/// different samples and puts its ends between the smallest and the largest value, which hold the true mean in 75 % of
/// cases even where the interval says 95 %; the t interval is exact for normal scores at any n >= 2, and its width
/// (4.30 standard errors for n = 3) says honestly how little three runs tell. From some 20 values on, or over the
/// examples of a test set, `bootstrap_bca`, which needs no normality.
struct Interval {
    double mean = 0, low = 0, high = 0;
    std::size_t n = 0;
};

inline double mean(std::span<const double> values) {
    require(!values.empty(), "mean: there are no values");
    return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

/// √(Σ (x − x̄)² / (n − 1)); NaN for fewer than two values.
inline double standard_deviation(std::span<const double> values) {
    if (values.size() < 2) return std::numeric_limits<double>::quiet_NaN();
    const double m = mean(values);
    double sum = 0;
    for (const double x : values) sum += (x - m) * (x - m);
    return std::sqrt(sum / double(values.size() - 1));
}

/// Standard deviation / √n.
inline double standard_error(std::span<const double> values) {
    return standard_deviation(values) / std::sqrt(double(values.size()));
}

namespace detail {

inline void check_confidence(double confidence) {
    require(confidence > 0 && confidence < 1, "confidence is ", confidence, ", expected one inside (0, 1)");
}

}

/// x̄ ± t_{n−1} s / √n (Student 1908). One value has an interval without ends (±∞).
inline Interval t_interval(std::span<const double> values, double confidence = 0.95) {
    detail::check_confidence(confidence);
    const double m = mean(values), infinity = std::numeric_limits<double>::infinity();
    if (values.size() < 2) return {m, -infinity, infinity, values.size()};
    const double width = student_t_quantile((1 + confidence) / 2, double(values.size() - 1)) * standard_error(values);
    return {m, m - width, m + width, values.size()};
}

/// How a bootstrap or a permutation test draws. The same seed gives the same numbers.
struct ResamplingOptions {
    std::size_t resamples = 9999;
    std::uint64_t seed = 0;
};

/// The means of samples drawn from `values` with replacement (Efron 1979).
inline std::vector<double> bootstrap_means(std::span<const double> values, const ResamplingOptions& options = {}) {
    require(!values.empty(), "bootstrap: there are no values");
    require(options.resamples > 0, "bootstrap: 0 resamples");
    std::vector<double> means(options.resamples);
    for (std::size_t r = 0; r < means.size(); ++r) {
        Random random({.seed = options.seed, .purpose = RandomPurpose::bootstrap, .sample = r});
        double sum = 0;
        for (std::size_t i = 0; i < values.size(); ++i) sum += values[random.below(values.size())];
        means[r] = sum / double(values.size());
    }
    return means;
}

/// The value at share p of sorted values, linear between neighbours (Hyndman and Fan 1996, type 7, NumPy's default).
inline double quantile(std::span<const double> sorted, double p) {
    require(!sorted.empty(), "quantile: there are no values");
    require(p >= 0 && p <= 1, "quantile: share is ", p);
    const double place = p * double(sorted.size() - 1);
    const auto below = std::size_t(place);
    if (below + 1 >= sorted.size()) return sorted.back();
    return sorted[below] + (place - double(below)) * (sorted[below + 1] - sorted[below]);
}

/// The shares between which `confidence` of the bootstrap means lie (Efron 1979).
inline Interval bootstrap_percentile(std::span<const double> values, double confidence = 0.95,
                                     const ResamplingOptions& options = {}) {
    detail::check_confidence(confidence);
    std::vector<double> means = bootstrap_means(values, options);
    std::ranges::sort(means);
    return {mean(values), quantile(means, (1 - confidence) / 2), quantile(means, (1 + confidence) / 2), values.size()};
}

/// The bias-corrected and accelerated interval (Efron 1987; Efron and Tibshirani 1993, eq. 14.9 to 14.15): shares
/// Φ(z₀ + (z₀ + z_α) / (1 − a (z₀ + z_α))) of the bootstrap means, z₀ from the share of them below the mean (ties count
/// half), a from the jackknife. Where all values are equal, the interval is that value.
inline Interval bootstrap_bca(std::span<const double> values, double confidence = 0.95,
                              const ResamplingOptions& options = {}) {
    detail::check_confidence(confidence);
    const double m = mean(values);
    const auto ends = std::ranges::minmax(values);
    if (ends.min == ends.max) return {m, m, m, values.size()};
    std::vector<double> means = bootstrap_means(values, options);
    std::ranges::sort(means);

    // A sample of the same values in another order has the same mean but for rounding: that is a tie.
    const double rounding = 1e-13 * std::max(std::abs(ends.min), std::abs(ends.max));
    const auto first = std::ranges::lower_bound(means, m - rounding);
    const auto last = std::ranges::upper_bound(means, m + rounding);
    const double below = double(first - means.begin()) + double(last - first) / 2;
    const double z0 = normal_quantile(below / double(means.size()));

    // The mean without value i differs from the mean of those by (x_i − x̄) / (n − 1), with the sign turned.
    double squares = 0, cubes = 0;
    for (const double x : values) {
        squares += (x - m) * (x - m);
        cubes += (x - m) * (x - m) * (x - m);
    }
    const double acceleration = cubes / (6 * std::pow(squares, 1.5));

    const auto end = [&](double p) {
        const double z = z0 + normal_quantile(p);
        return quantile(means, std::isinf(z0) ? (z0 < 0 ? 0 : 1) : normal_cdf(z0 + z / (1 - acceleration * z)));
    };
    return {m, end((1 - confidence) / 2), end((1 + confidence) / 2), values.size()};
}

}
