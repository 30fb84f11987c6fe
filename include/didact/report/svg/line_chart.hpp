#pragma once
#include <optional>
#include <string>
#include <vector>

#include "didact/report/svg/frame.hpp"

namespace didact::report {

/// One line of a chart. x rises; a NaN in y is a gap; `error`, where given, is half the height of a band around y.
struct Series {
    std::string name;
    std::vector<double> x = {}, y = {}, error = {};
};

/// A place on the x axis with a name, such as where an experience begins.
struct Mark {
    double x = 0;
    std::string name = {};
};

/// Lines over a common x axis: learning curves, forgetting curves.
struct LineChart {
    std::string title = {}, description = {}, x_label = {}, y_label = {};
    std::vector<Series> series = {};
    std::vector<Mark> marks = {};
    bool log_x = false;
    std::optional<double> y_min = {}, y_max = {}; ///< by default what the data need
    double width = 720, height = 420;

    /// Throws Error where a series' parts have different lengths, or 0 or less stands on a logarithmic axis.
    std::string svg() const {
        svg::Range x, y;
        bool whole = true;
        for (const Series& s : series) {
            check(s);
            for (std::size_t i = 0; i < s.x.size(); ++i) {
                if (!shown(s, i)) continue;
                x.add(s.x[i]);
                y.add(s.y[i] - error_at(s, i));
                y.add(s.y[i] + error_at(s, i));
                whole = whole && s.x[i] == std::floor(s.x[i]);
            }
        }
        const bool nothing = x.empty();
        require(!y_min || !y_max || *y_min <= *y_max, "LineChart '", title, "': y_min ", y_min.value_or(0),
                " is above y_max ", y_max.value_or(0));
        if (y_min) y.low = *y_min, y.high = std::max(y.high, *y_min);
        if (y_max) y.high = *y_max, y.low = std::min(y.low, *y_max);

        svg::Canvas canvas(width, height);
        svg::Frame::Parts parts{title, x_label, y_label};
        if (series.size() > 1)
            for (std::size_t k = 0; k < series.size(); ++k)
                parts.legend.push_back({series[k].name, k, true, marked(series[k])});
        if (!marks.empty()) parts.strip = 16;
        const std::size_t ticks = svg::Frame::x_ticks(width);
        const svg::Frame frame(canvas, parts,
                               log_x ? svg::Axis::logarithmic(x, ticks, "LineChart '" + title + "', x axis")
                                     : svg::Axis::linear(x, ticks, false, whole),
                               svg::Axis::linear(y, svg::Frame::y_ticks(height), true));
        draw_marks(canvas, frame);
        canvas.begin_clip(frame.plot.grown(2));
        for (std::size_t k = 0; k < series.size(); ++k) draw_line(canvas, frame, k);
        canvas.end_clip();
        for (std::size_t k = 0; k < series.size(); ++k)
            if (marked(series[k])) draw_markers(canvas, frame, k);
        if (nothing)
            canvas.text(frame.plot.x + frame.plot.width / 2, frame.plot.y + frame.plot.height / 2, "no data",
                        {.anchor = "middle", .muted = true});
        return canvas.document(title, description);
    }

  private:
    void check(const Series& s) const {
        require(s.x.size() == s.y.size() && (s.error.empty() || s.error.size() == s.y.size()), "LineChart '", title,
                "': series '", s.name, "' has ", s.x.size(), " values of x, ", s.y.size(), " of y and ", s.error.size(),
                " of its error");
        require(std::is_sorted(s.x.begin(), s.x.end()), "LineChart '", title, "': series '", s.name,
                "' goes back along the x axis");
    }

    static bool shown(const Series& s, std::size_t i) { return std::isfinite(s.x[i]) && std::isfinite(s.y[i]); }
    static double error_at(const Series& s, std::size_t i) {
        return s.error.empty() || !std::isfinite(s.error[i]) ? 0 : std::abs(s.error[i]);
    }
    static bool marked(const Series& s) { return s.x.size() <= 40; }

    /// Runs of points between gaps. Of a long series those are kept which show: in each column of pixels the first, the
    /// lowest, the highest and the last (Jugel et al. 2014, "M4", PVLDB 7(10)).
    static std::vector<std::vector<std::size_t>> runs(const Series& s, const svg::Frame& frame) {
        std::vector<std::vector<std::size_t>> result(1);
        const bool thin = double(s.x.size()) > 4 * frame.plot.width;
        for (std::size_t i = 0; i < s.x.size();) {
            if (!shown(s, i)) {
                if (!result.back().empty()) result.emplace_back();
                ++i;
                continue;
            }
            std::size_t low = i, high = i, last = i, next = i + 1;
            const double column = std::floor(frame.x(s.x[i]));
            for (; thin && next < s.x.size() && shown(s, next) && std::floor(frame.x(s.x[next])) == column; ++next) {
                if (s.y[next] < s.y[low]) low = next;
                if (s.y[next] > s.y[high]) high = next;
                last = next;
            }
            for (const std::size_t kept : {i, std::min(low, high), std::max(low, high), last})
                if (result.back().empty() || kept > result.back().back()) result.back().push_back(kept);
            i = next;
        }
        return result;
    }

    void draw_line(svg::Canvas& canvas, const svg::Frame& frame, std::size_t k) const {
        const Series& s = series[k];
        canvas.begin_series(k);
        // Many noisy points make a broad stripe, which must not hide the one below it.
        const bool dense = series.size() > 1 && double(s.x.size()) > frame.plot.width;
        const std::string pen = dense ? R"(stroke-width="1.2" stroke-opacity="0.6")" : R"(stroke-width="2")";
        for (const std::vector<std::size_t>& run : runs(s, frame)) {
            if (run.empty()) continue;
            std::string line, above, below;
            const auto point = [&](std::size_t i, double y) {
                return svg::coordinate(frame.x(s.x[i])) + " " + svg::coordinate(frame.y(y));
            };
            for (const std::size_t i : run) {
                line += (line.empty() ? "M" : "L") + point(i, s.y[i]);
                above += (above.empty() ? "M" : "L") + point(i, s.y[i] + error_at(s, i));
                below = "L" + point(i, s.y[i] - error_at(s, i)) + below;
            }
            if (!s.error.empty())
                canvas.path(above + below + "z", R"(fill="currentColor" fill-opacity="0.18" stroke="none")");
            if (run.size() == 1) line += "h0"; // a dot, by the round ends
            canvas.path(line, std::string("fill=\"none\" stroke=\"currentColor\" stroke-linecap=\"round\" ") +
                                  "stroke-linejoin=\"round\" " + pen + svg::dashes(k));
        }
        canvas.end_series();
    }

    void draw_markers(svg::Canvas& canvas, const svg::Frame& frame, std::size_t k) const {
        const Series& s = series[k];
        canvas.begin_series(k);
        for (std::size_t i = 0; i < s.x.size(); ++i) {
            if (!shown(s, i)) continue;
            const double x = frame.x(s.x[i]), y = frame.y(s.y[i]);
            if (!frame.plot.grown(1).contains(x, y)) continue;
            const std::string value = significant(s.y[i]) + (s.error.empty() ? "" : " ± " + significant(s.error[i], 2));
            canvas.path(svg::marker(k, x, y, 3.5), "fill=\"currentColor\"",
                        (s.name.empty() ? "" : s.name + ": ") + significant(s.x[i]) + ", " + value);
        }
        canvas.end_series();
    }

    /// Names stand above the plot; one that would run into the name before it is left out.
    void draw_marks(svg::Canvas& canvas, const svg::Frame& frame) const {
        double written_to = 0;
        for (const Mark& mark : marks) {
            const double x = log_x && mark.x <= 0 ? -1 : frame.x(mark.x);
            if (!frame.plot.grown(0.5).contains(x, frame.plot.y)) continue;
            canvas.line(x, frame.plot.y - 4, x, frame.plot.bottom(),
                        R"(class="chart-axis" stroke="#8c959f" stroke-width="1" stroke-dasharray="4 3")");
            const double size = 11, needed = svg::text_width(mark.name, size);
            const double begin = std::min(x, canvas.width() - needed - 4);
            if (mark.name.empty() || begin < written_to) continue;
            written_to = begin + needed + 6;
            canvas.text(begin, frame.plot.y - 7, mark.name, {.size = size, .muted = true});
        }
    }
};

}
