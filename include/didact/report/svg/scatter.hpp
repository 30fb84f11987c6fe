#pragma once
#include <optional>
#include <string>
#include <vector>

#include "didact/report/svg/frame.hpp"
#include "didact/report/svg/label_placement.hpp"

namespace didact::report {

/// A point of a scatter plot; errors are half the length of a bar, 0 for none. One that is not finite, as of a single
/// run, has no bar. Points of one group share a colour.
struct ScatterPoint {
    std::string label = {};
    double x = 0, y = 0, x_error = 0, y_error = 0;
    std::string group = {};
};

/// Points with names, such as cost against quality of several strategies.
struct Scatter {
    std::string title = {}, description = {}, x_label = {}, y_label = {};
    std::vector<ScatterPoint> points = {};
    bool log_x = false;
    /// Joins the points that no other beats in both: none is as far left and higher.
    bool frontier = false;
    double width = 720, height = 460;

    /// Throws Error where 0 or less stands on a logarithmic axis. Points that are not finite are left out.
    std::string svg() const {
        std::vector<const ScatterPoint*> shown;
        std::vector<std::string> groups;
        svg::Range x, y;
        for (const ScatterPoint& point : points) {
            if (!std::isfinite(point.x) || !std::isfinite(point.y)) continue;
            shown.push_back(&point);
            if (group_of(groups, point) == groups.size()) groups.push_back(point.group);
            x.add(point.x);
            const double x_error = half_bar(point.x_error), y_error = half_bar(point.y_error);
            if (!log_x || point.x > x_error) x.add(point.x - x_error);
            x.add(point.x + x_error);
            y.add(point.y - y_error);
            y.add(point.y + y_error);
        }
        svg::Canvas canvas(width, height);
        svg::Frame::Parts parts{title, x_label, y_label};
        if (groups.size() > 1)
            for (std::size_t g = 0; g < groups.size(); ++g) parts.legend.push_back({groups[g], g, false, true});
        const std::size_t ticks = svg::Frame::x_ticks(width);
        const svg::Frame frame(canvas, parts,
                               log_x ? svg::Axis::logarithmic(log_padded(x), ticks, "Scatter '" + title + "', x axis")
                                     : svg::Axis::linear(padded(x), ticks),
                               svg::Axis::linear(padded(y), svg::Frame::y_ticks(height)));
        if (shown.empty())
            canvas.text(frame.plot.x + frame.plot.width / 2, frame.plot.y + frame.plot.height / 2, "no data",
                        {.anchor = "middle", .muted = true});
        svg::LabelPlacer placer(frame.plot);
        if (frontier) draw_frontier(canvas, frame, shown, placer);
        for (const ScatterPoint* point : shown) draw_point(canvas, frame, *point, group_of(groups, *point), placer);
        for (const ScatterPoint* point : shown) draw_label(canvas, frame, *point, placer);
        return canvas.document(title, description);
    }

  private:
    static constexpr double radius = 5, label_size = 11.5;

    static double half_bar(double error) { return std::isfinite(error) ? std::abs(error) : 0; }

    static std::size_t group_of(const std::vector<std::string>& groups, const ScatterPoint& point) {
        return std::size_t(std::find(groups.begin(), groups.end(), point.group) - groups.begin());
    }

    /// Room for markers and labels at both ends.
    static svg::Range padded(svg::Range range) {
        const double room = 0.08 * (range.high - range.low);
        return range.empty() ? range : svg::Range{range.low - room, range.high + room};
    }
    static svg::Range log_padded(svg::Range range) {
        if (range.empty() || range.low <= 0) return range;
        const double room = std::pow(range.high / range.low, 0.08);
        return {range.low / room, range.high * room};
    }

    double left_end(const svg::Frame& frame, const ScatterPoint& point) const {
        const double low = point.x - half_bar(point.x_error);
        return log_x && low <= 0 ? frame.plot.x : frame.x(low);
    }

    void draw_point(svg::Canvas& canvas, const svg::Frame& frame, const ScatterPoint& point, std::size_t group,
                    svg::LabelPlacer& placer) const {
        const double x = frame.x(point.x), y = frame.y(point.y);
        canvas.begin_series(group);
        constexpr const char* bar = R"(stroke="currentColor" stroke-width="1.5" stroke-opacity="0.7")";
        if (half_bar(point.x_error) > 0) {
            const double left = left_end(frame, point), right = frame.x(point.x + half_bar(point.x_error));
            canvas.line(left, y, right, y, bar);
            for (const double end : {left, right}) canvas.line(end, y - 3, end, y + 3, bar);
            placer.occupy({left, y - 2, right - left, 4});
        }
        if (const double error = half_bar(point.y_error); error > 0) {
            const double top = frame.y(point.y + error), bottom = frame.y(point.y - error);
            canvas.line(x, top, x, bottom, bar);
            for (const double end : {top, bottom}) canvas.line(x - 3, end, x + 3, end, bar);
            placer.occupy({x - 2, top, 4, bottom - top});
        }
        placer.occupy({x - radius, y - radius, 2 * radius, 2 * radius});
        canvas.path(svg::marker(group, x, y, radius), "fill=\"currentColor\"",
                    (point.label.empty() ? "" : point.label + ": ") + significant(point.x) + ", " +
                        significant(point.y));
        canvas.end_series();
    }

    void draw_label(svg::Canvas& canvas, const svg::Frame& frame, const ScatterPoint& point,
                    svg::LabelPlacer& placer) const {
        if (point.label.empty()) return;
        const double x = frame.x(point.x), y = frame.y(point.y);
        const std::string label = svg::fitted(point.label, 0.4 * frame.plot.width, label_size);
        const svg::Placement at = placer.place(x, y, svg::text_width(label, label_size), label_size + 3);
        if (at.led) {
            const double to_x = std::clamp(x, at.box.x, at.box.right()),
                         to_y = std::clamp(y, at.box.y, at.box.bottom());
            canvas.line(x, y, to_x, to_y, R"(class="chart-axis" stroke="#8c959f" stroke-width="0.8")");
        }
        // The text hugs the point, however wide its font turns out to be.
        const bool left = at.box.right()<x, right = at.box.x> x;
        const char* anchor = left ? "end" : right ? "start" : "middle";
        canvas.text(left    ? at.box.right()
                    : right ? at.box.x
                            : at.box.x + at.box.width / 2,
                    at.box.y + label_size - 0.5, label, {.size = label_size, .anchor = anchor});
    }

    /// Steps from the cheapest point to the best one.
    void draw_frontier(svg::Canvas& canvas, const svg::Frame& frame, std::vector<const ScatterPoint*> sorted,
                       svg::LabelPlacer& placer) const {
        std::sort(sorted.begin(), sorted.end(), [](const ScatterPoint* a, const ScatterPoint* b) {
            return a->x != b->x ? a->x < b->x : a->y > b->y;
        });
        constexpr const char* dashed =
            R"(class="chart-axis" fill="none" stroke="#8c959f" stroke-width="1.2" stroke-dasharray="5 4")";
        const ScatterPoint* best = nullptr;
        for (const ScatterPoint* point : sorted) {
            if (best && point->y <= best->y) continue;
            if (best) {
                const double from_x = frame.x(best->x), x = frame.x(point->x);
                const double from_y = frame.y(best->y), y = frame.y(point->y);
                canvas.line(from_x, from_y, x, from_y, dashed);
                canvas.line(x, from_y, x, y, dashed);
                placer.occupy({from_x, from_y - 1, x - from_x, 2});
                placer.occupy({x - 1, y, 2, from_y - y});
            }
            best = point;
        }
    }
};

}
