#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <numeric>
#include <ranges>
#include <vector>

#include "didact/core/error.hpp"

namespace didact::eval {

/// std::span, std::vector or array of float or double.
template <class R>
concept Numbers = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
    std::floating_point<std::ranges::range_value_t<R>>;

namespace detail {

template <Numbers P, Numbers G>
std::size_t check_pairs(const P& predicted, const G& gold) {
    const std::size_t n = std::ranges::size(gold);
    require(std::ranges::size(predicted) == n, "regression metric: ", std::ranges::size(predicted), " predictions for ",
            n, " values");
    require(n > 0, "regression metric: there are no values");
    return n;
}

template <Numbers R>
double mean_of(const R& values) {
    return std::accumulate(std::ranges::begin(values), std::ranges::end(values), 0.0) /
           double(std::ranges::size(values));
}

}

/// Σ (p − y)² / n.
template <Numbers P, Numbers G>
double mean_squared_error(const P& predicted, const G& gold) {
    const std::size_t n = detail::check_pairs(predicted, gold);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const double error = double(predicted[i]) - double(gold[i]);
        sum += error * error;
    }
    return sum / double(n);
}

/// Σ |p − y| / n.
template <Numbers P, Numbers G>
double mean_absolute_error(const P& predicted, const G& gold) {
    const std::size_t n = detail::check_pairs(predicted, gold);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += std::abs(double(predicted[i]) - double(gold[i]));
    return sum / double(n);
}

/// The coefficient of determination, 1 − Σ (p − y)² / Σ (y − ȳ)². Where all y are equal it is 1 if every prediction is
/// exact, else 0, as scikit-learn's `r2_score`; NaN for fewer than two values.
template <Numbers P, Numbers G>
double r_squared(const P& predicted, const G& gold) {
    const std::size_t n = detail::check_pairs(predicted, gold);
    if (n < 2) return std::numeric_limits<double>::quiet_NaN();
    const double mean = detail::mean_of(gold);
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) total += (double(gold[i]) - mean) * (double(gold[i]) - mean);
    const double residual = mean_squared_error(predicted, gold) * double(n);
    if (total == 0) return residual == 0 ? 1 : 0;
    return 1 - residual / total;
}

/// Pearson's correlation, Σ (x − x̄)(y − ȳ) / √(Σ (x − x̄)² Σ (y − ȳ)²). NaN where one of the two is constant or there
/// are fewer than two values.
template <Numbers P, Numbers G>
double pearson(const P& predicted, const G& gold) {
    const std::size_t n = detail::check_pairs(predicted, gold);
    if (n < 2 || std::ranges::min(predicted) == std::ranges::max(predicted) ||
        std::ranges::min(gold) == std::ranges::max(gold))
        return std::numeric_limits<double>::quiet_NaN();
    const double x_mean = detail::mean_of(predicted), y_mean = detail::mean_of(gold);
    double xx = 0, yy = 0, xy = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const double x = double(predicted[i]) - x_mean, y = double(gold[i]) - y_mean;
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    return std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0);
}

/// Ranks from 1; equal values share the mean of their ranks. Throws Error where one is not a number.
template <Numbers R>
std::vector<double> average_ranks(const R& values) {
    const std::size_t n = std::ranges::size(values);
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t(0));
    for (std::size_t i = 0; i < n; ++i) require(values[i] == values[i], "value ", i, " of ", n, " to rank is NaN");
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> ranks(n);
    for (std::size_t begin = 0, end; begin < n; begin = end) {
        end = begin + 1;
        while (end < n && values[order[end]] == values[order[begin]]) ++end;
        for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = double(begin + 1 + end) / 2;
    }
    return ranks;
}

/// Spearman's correlation: Pearson's of the ranks, ties averaged. NaN where Pearson's is.
template <Numbers P, Numbers G>
double spearman(const P& predicted, const G& gold) {
    const std::size_t n = detail::check_pairs(predicted, gold);
    for (std::size_t i = 0; i < n; ++i)
        if (std::isnan(predicted[i]) || std::isnan(gold[i])) return std::numeric_limits<double>::quiet_NaN();
    return pearson(average_ranks(predicted), average_ranks(gold));
}

}
