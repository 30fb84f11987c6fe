#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/report/format_number.hpp"

namespace didact::report::svg {

/// The finite values seen so far.
struct Range {
    double low = INFINITY, high = -INFINITY;

    bool empty() const { return low > high; }
    void add(double value) {
        if (!std::isfinite(value)) return;
        low = std::min(low, value);
        high = std::max(high, value);
    }
};

/// Where values stand along an axis, and where its ticks are.
class Axis {
  public:
    /// From `range.low` to `range.high` with up to about `count` ticks at 1, 2 or 5 times a power of ten. `round_out`
    /// moves both ends to a tick; `whole` allows no ticks between whole numbers. An empty range becomes [0, 1].
    static Axis linear(Range range, std::size_t count, bool round_out = false, bool whole = false) {
        Axis axis(widened(range));
        axis.set_ticks(std::max<std::size_t>(count, 2), round_out, whole);
        return axis;
    }

    /// Of decades; with 2 and 5 times them where there are few. Throws Error unless all values are above 0.
    static Axis logarithmic(Range range, std::size_t count, std::string_view what) {
        if (range.empty()) range = {1, 10};
        require(range.low > 0, what, ": ", range.low, " cannot stand on a logarithmic axis");
        if (range.low == range.high) range = {range.low / 2, range.high * 2};
        Axis axis(range);
        axis.logarithmic_ = true;
        count = std::max<std::size_t>(count, 2);
        const int first = int(std::floor(std::log10(range.low))), last = int(std::ceil(std::log10(range.high)));
        const int stride = std::max(1, int(std::ceil(double(last - first + 1) / double(count))));
        const bool between = 3 * std::log10(range.high / range.low) <= double(count);
        for (int decade = first; decade <= last; decade += stride)
            for (const int digit : {1, 2, 5})
                if (digit == 1 || between) axis.add_tick(digit * std::pow(10.0, decade));
        if (axis.ticks_.size() < 2) axis.set_ticks(count, false, false);
        axis.labels_.clear();
        for (const double tick : axis.ticks_) axis.labels_.push_back(plain_label(tick));
        return axis;
    }

    const std::vector<double>& ticks() const { return ticks_; }
    const std::vector<std::string>& labels() const { return labels_; }
    double low() const { return low_; }
    double high() const { return high_; }

    /// 0 at the low end, 1 at the high one; beyond them outside of the axis.
    double share(double value) const {
        if (logarithmic_) return std::log(value / low_) / std::log(high_ / low_);
        return (value - low_) / (high_ - low_);
    }

  private:
    explicit Axis(Range range) : low_(range.low), high_(range.high) {
        require(std::isfinite(high_ - low_), "a chart cannot show values from ", low_, " to ", high_, " at once");
    }

    static Range widened(Range range) {
        if (range.empty()) return {0, 1};
        // Values that differ by rounding only are shown as equal.
        const double magnitude = std::max(std::abs(range.low), std::abs(range.high));
        if (range.high - range.low > 1e-12 * magnitude) return range;
        const double room = magnitude > 0 ? 0.05 * magnitude : 0.5;
        return {range.low - room, range.high + room};
    }

    void add_tick(double value) {
        const double slack = 1e-9 * (high_ - low_);
        if (value >= low_ - slack && value <= high_ + slack) ticks_.push_back(value);
    }

    void set_ticks(std::size_t count, bool round_out, bool whole) {
        const double rough = (high_ - low_) / double(count);
        const double power = std::pow(10.0, std::floor(std::log10(rough)));
        double step = power * 10;
        for (const double factor : {5.0, 2.0, 1.0})
            if (factor * power >= rough * (1 - 1e-9)) step = factor * power;
        if (whole) step = std::max(step, 1.0);
        if (round_out) {
            low_ = std::floor(low_ / step + 1e-9) * step;
            high_ = std::ceil(high_ / step - 1e-9) * step;
        }
        ticks_.clear();
        labels_.clear();
        const double first = std::ceil(low_ / step - 1e-9);
        for (double i = 0; i <= 2 * double(count) + 2; ++i) add_tick((first + i) * step);
        if (ticks_.size() < 2 && count < 12) return set_ticks(count + 1, round_out, whole);
        for (const double tick : ticks_) labels_.push_back(label(tick, step));
    }

    /// With the decimals that the step needs, the same ones for all ticks.
    std::string label(double value, double step) const {
        const double largest = std::max(std::abs(low_), std::abs(high_));
        if (std::abs(value) < 1e-9 * step) return "0";
        if (largest < 1e-4 || largest >= 1e15) return significant(value, 6);
        double unit = 1;
        const char* prefix = "";
        if (largest >= 1e12)
            unit = 1e12, prefix = "T";
        else if (largest >= 1e9)
            unit = 1e9, prefix = "G";
        else if (largest >= 1e6)
            unit = 1e6, prefix = "M";
        else if (largest >= 1e4)
            unit = 1e3, prefix = "k";
        const int decimals = std::max(0, int(std::ceil(-std::log10(step / unit) - 1e-9)));
        return decimals > 8 ? significant(value, 6) : fixed(value / unit, decimals) + prefix;
    }

    /// A round number by itself.
    static std::string plain_label(double value) {
        if (value < 1e-3 || value >= 1e15) return significant(value, 3);
        for (const auto& [unit, prefix] : {std::pair(1e12, "T"), {1e9, "G"}, {1e6, "M"}, {1e4, "k"}})
            if (value >= unit * (1 - 1e-9)) return significant(value / (unit == 1e4 ? 1e3 : unit), 4) + prefix;
        return significant(value, 4);
    }

    double low_, high_;
    bool logarithmic_ = false;
    std::vector<double> ticks_;
    std::vector<std::string> labels_;
};

}
