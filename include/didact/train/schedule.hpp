#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "didact/core/error.hpp"
#include "didact/policy/policy.hpp"

/// Learning-rate schedules: the factor of the rate at step k of T, k from 0. Warm-up covers the first ⌊warmup · T⌋
/// steps and rises linearly from 0, as in Transformers' get_…_schedule_with_warmup.
namespace didact::schedule {

inline std::size_t warmup_steps(double warmup, std::size_t total) { return std::size_t(warmup * double(total)); }

inline void check_warmup(const char* name, double warmup) {
    require(warmup >= 0 && warmup <= 1, "schedule::", name, ": warmup is ", warmup,
            ", it is the part of the steps that rise, in [0, 1]");
}

/// Stays at the full rate.
struct Constant {
    static constexpr Family family = Family::schedule;
    double warmup = 0;
    double factor(std::size_t step, std::size_t total) const {
        const std::size_t rise = warmup_steps(warmup, total);
        return step < rise ? double(step) / double(rise) : 1;
    }
    void check() const { check_warmup("Constant", warmup); }
    static std::string name() { return "constant"; }
    static void fields(auto& policy, const auto& visit) { visit("warmup", policy.warmup); }
    friend bool operator==(const Constant&, const Constant&) = default;
};

/// Falls linearly to 0: (T − k) / (T − rise).
struct Linear {
    static constexpr Family family = Family::schedule;
    double warmup = 0.1;
    double factor(std::size_t step, std::size_t total) const {
        const std::size_t rise = warmup_steps(warmup, total);
        if (step < rise) return double(step) / double(rise);
        return step >= total ? 0 : double(total - step) / double(std::max<std::size_t>(1, total - rise));
    }
    void check() const { check_warmup("Linear", warmup); }
    static std::string name() { return "linear"; }
    static void fields(auto& policy, const auto& visit) { visit("warmup", policy.warmup); }
    friend bool operator==(const Linear&, const Linear&) = default;
};

/// Falls as half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983) to `floor` of the rate.
struct Cosine {
    static constexpr Family family = Family::schedule;
    double warmup = 0.1;
    double floor = 0;
    double factor(std::size_t step, std::size_t total) const {
        const std::size_t rise = warmup_steps(warmup, total);
        if (step < rise) return double(step) / double(rise);
        const double p = std::min(1.0, double(step - rise) / double(std::max<std::size_t>(1, total - rise)));
        return floor + (1 - floor) * 0.5 * (1 + std::cos(std::numbers::pi * p));
    }
    void check() const {
        check_warmup("Cosine", warmup);
        require(floor >= 0 && floor <= 1, "schedule::Cosine: floor is ", floor, ", it must lie in [0, 1]");
    }
    static std::string name() { return "cosine"; }
    static void fields(auto& policy, const auto& visit) {
        visit("warmup", policy.warmup);
        visit("floor", policy.floor);
    }
    friend bool operator==(const Cosine&, const Cosine&) = default;
};

/// Slanted triangular (Howard and Ruder 2018, arXiv 1801.06146, eq. 3): cut = ⌊T · cut_fraction⌋; p = k / cut before
/// cut, 1 − (k − cut) / (cut (1 / cut_fraction − 1)) after it; factor (1 + p (ratio − 1)) / ratio.
struct SlantedTriangular {
    static constexpr Family family = Family::schedule;
    double cut_fraction = 0.1;
    double ratio = 32;
    double factor(std::size_t step, std::size_t total) const {
        const double cut = std::max(1.0, std::floor(double(total) * cut_fraction));
        const double k = double(step);
        const double p = k < cut ? k / cut : 1 - (k - cut) / (cut * (1 / cut_fraction - 1));
        return (1 + std::max(0.0, p) * (ratio - 1)) / ratio;
    }
    void check() const {
        require(cut_fraction > 0 && cut_fraction < 1, "schedule::SlantedTriangular: cut_fraction is ", cut_fraction,
                ", it must lie in (0, 1)");
        require(ratio >= 1, "schedule::SlantedTriangular: ratio is ", ratio, ", it must be at least 1");
    }
    static std::string name() { return "slanted-triangular"; }
    static void fields(auto& policy, const auto& visit) {
        visit("cut_fraction", policy.cut_fraction);
        visit("ratio", policy.ratio);
    }
    friend bool operator==(const SlantedTriangular&, const SlantedTriangular&) = default;
};

}
