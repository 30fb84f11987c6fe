#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/Core>
#include <unsupported/Eigen/SpecialFunctions>

#include "didact/core/error.hpp"

namespace didact::eval {

/// Φ(x), the standard normal distribution function.
inline double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

/// Φ⁻¹(p); ∓∞ at 0 and 1.
inline double normal_quantile(double p) {
    require(p >= 0 && p <= 1, "normal quantile: probability is ", p);
    if (p == 0 || p == 1) return (p == 0 ? -1 : 1) * std::numeric_limits<double>::infinity();
    return Eigen::numext::ndtri(p);
}

/// P(|t| > x) of Student's t with `degrees` degrees of freedom, x >= 0: the regularised incomplete beta function
/// I_{ν/(ν+x²)}(ν/2, 1/2) (Abramowitz and Stegun 26.7.1 and 26.5.27).
inline double student_t_two_sided(double x, double degrees) {
    require(degrees > 0, "Student's t: ", degrees, " degrees of freedom");
    if (std::isnan(x)) return x;
    if (std::isinf(x)) return 0;
    // Of the two forms, the one whose argument stays clear of 1, where the argument itself would lose its digits.
    const double square = x * x;
    if (square < degrees) return 1 - Eigen::numext::betainc(0.5, degrees / 2, square / (degrees + square));
    return Eigen::numext::betainc(degrees / 2, 0.5, degrees / (degrees + square));
}

/// The x with P(t <= x) = p.
inline double student_t_quantile(double p, double degrees) {
    require(p > 0 && p < 1, "Student's t quantile: probability is ", p, ", expected one inside (0, 1)");
    if (p == 0.5) return 0;
    const double tail = 2 * std::min(p, 1 - p);
    double low = 0, high = 1;
    while (student_t_two_sided(high, degrees) > tail) high *= 2;
    for (int i = 0; i < 200; ++i) {
        const double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) break;
        (student_t_two_sided(middle, degrees) > tail ? low : high) = middle;
    }
    return (p < 0.5 ? -1 : 1) * (low + high) / 2;
}

}
