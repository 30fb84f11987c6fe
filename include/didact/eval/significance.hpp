#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "didact/eval/interval.hpp"

namespace didact::eval {

/// Two-sided p of the null hypothesis that the mean of `values` is 0 (Student 1908). 0 where all values are the same
/// number that is not 0, 1 where all are 0, NaN for fewer than two values.
inline double t_test(std::span<const double> values) {
    if (values.size() < 2) return std::numeric_limits<double>::quiet_NaN();
    const double m = mean(values), error = standard_error(values);
    if (error == 0) return m == 0 ? 1 : 0;
    return student_t_two_sided(std::abs(m / error), double(values.size() - 1));
}

/// Two-sided p of the null hypothesis that each value is as likely as its negative (Fisher 1935): the share of sign
/// patterns whose |sum| is at least the observed one. All 2ⁿ patterns up to n = 16; beyond, options.resamples random
/// ones, with 1 added to both counts (Phipson and Smyth 2010). It cannot be below 2 / 2ⁿ: under 6 values it never
/// reaches 0.05.
inline double sign_flip_test(std::span<const double> values, const ResamplingOptions& options = {}) {
    require(!values.empty(), "sign-flip test: there are no values");
    require(options.resamples > 0, "sign-flip test: 0 resamples");
    const std::size_t n = values.size();
    double observed = 0, size = 0;
    for (const double x : values) observed += x, size += std::abs(x);
    observed = std::abs(observed) - 1e-14 * size; // sums that differ by rounding only are equal
    std::size_t count = 0;
    if (n <= 16) {
        const std::uint64_t patterns = std::uint64_t(1) << n;
        for (std::uint64_t pattern = 0; pattern < patterns; ++pattern) {
            double sum = 0;
            for (std::size_t i = 0; i < n; ++i) sum += pattern >> i & 1 ? -values[i] : values[i];
            count += std::abs(sum) >= observed;
        }
        return double(count) / double(patterns);
    }
    for (std::size_t r = 0; r < options.resamples; ++r) {
        Random random({.seed = options.seed, .purpose = RandomPurpose::bootstrap, .step = 1, .sample = r});
        double sum = 0;
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < n; ++i, bits >>= 1) {
            if (i % 32 == 0) bits = random.bits();
            sum += bits & 1 ? -values[i] : values[i];
        }
        count += std::abs(sum) >= observed;
    }
    return double(count + 1) / double(options.resamples + 1);
}

/// What a − b is, pair by pair.
struct PairedComparison {
    Interval difference;      ///< mean of a − b with its t interval: report this one for a few seeds
    Interval bootstrap;       ///< the same with the BCa interval
    double better_share = 0;  ///< share of bootstrap samples of the pairs in which a is above b, ties half
    double p_t = 0;           ///< paired t test; see `t_test`
    double p_permutation = 0; ///< see `sign_flip_test`
};

/// Compares two systems on the same seeds or the same examples; a[i] and b[i] belong together. With three seeds the t
/// interval and p_t are what one can go by: the permutation test has 8 patterns and cannot go below 0.25.
inline PairedComparison compare_paired(std::span<const double> a, std::span<const double> b, double confidence = 0.95,
                                       const ResamplingOptions& options = {}) {
    require(a.size() == b.size(), "paired comparison: ", a.size(), " values against ", b.size());
    require(!a.empty(), "paired comparison: there are no values");
    std::vector<double> differences(a.size());
    std::ranges::transform(a, b, differences.begin(), [](double x, double y) { return x - y; });
    double better = 0, rounding = 0;
    for (const double x : differences) rounding = std::max(rounding, 1e-13 * std::abs(x));
    const std::vector<double> means = bootstrap_means(differences, options);
    for (const double m : means) better += m > rounding ? 1 : m >= -rounding ? 0.5 : 0;
    return {t_interval(differences, confidence), bootstrap_bca(differences, confidence, options),
            better / double(means.size()), t_test(differences), sign_flip_test(differences, options)};
}

/// p values of a family of tests, adjusted by Holm's step-down procedure (Holm 1979): in ascending order,
/// p̃_(i) = max_{k ≤ i} min(1, (m − k + 1) p_(k)). To reject where p̃ <= α keeps the chance of any false rejection below
/// α. In the order given.
inline std::vector<double> holm(std::span<const double> p_values) {
    std::vector<std::size_t> order(p_values.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    for (const double p : p_values) require(p >= 0 && p <= 1, "Holm's correction: a p value is ", p);
    std::ranges::sort(order, {}, [&](std::size_t i) { return p_values[i]; });
    std::vector<double> adjusted(p_values.size());
    double largest = 0;
    for (std::size_t k = 0; k < order.size(); ++k) {
        largest = std::max(largest, std::min(1.0, double(order.size() - k) * p_values[order[k]]));
        adjusted[order[k]] = largest;
    }
    return adjusted;
}

}
