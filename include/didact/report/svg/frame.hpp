#pragma once
#include "didact/report/svg/axis.hpp"
#include "didact/report/svg/canvas.hpp"

namespace didact::report::svg {

struct LegendEntry {
    std::string name;
    std::size_t series = 0;
    bool line = true, marked = true;
};

/// Where the dashes of a line are, for series that share a colour.
inline std::string dashes(std::size_t series) {
    switch (series / series_colours.size() % 3) {
    case 0:
        return "";
    case 1:
        return " stroke-dasharray=\"7 4\"";
    default:
        return " stroke-dasharray=\"2 3\"";
    }
}

/// What two axes stand in: title, legend, grid, ticks, names of the axes. Room is made for each before anything is
/// drawn, so that none of them covers another.
class Frame {
  public:
    struct Parts {
        std::string title, x_label, y_label;
        std::vector<LegendEntry> legend = {};
        double strip = 0; ///< height kept free above the plot
    };

    static constexpr double margin = 14, tick_size = 11.5, label_size = 12.5, title_size = 15;

    /// How many ticks fit well.
    static std::size_t x_ticks(double width) { return std::size_t(std::max(2.0, (width - 80) / 80)); }
    static std::size_t y_ticks(double height) { return std::size_t(std::max(2.0, (height - 110) / 45)); }

    Frame(Canvas& canvas, const Parts& parts, Axis x, Axis y) : x_(std::move(x)), y_(std::move(y)) {
        double top = margin;
        if (!parts.title.empty()) {
            canvas.text(margin, top + title_size, fitted(parts.title, canvas.width() - 2 * margin, title_size),
                        {.size = title_size, .bold = true});
            top += title_size + 12;
        }
        top = draw_legend(canvas, parts.legend, top) + parts.strip + 4;

        double widest = 0;
        for (const std::string& label : y_.labels()) widest = std::max(widest, text_width(label, tick_size));
        const double left = margin + (parts.y_label.empty() ? 0 : label_size + 8) + widest + 8;
        const double last = x_.labels().empty() ? 0 : text_width(x_.labels().back(), tick_size) / 2;
        const double right = canvas.width() - std::max(margin + 4, last + 4);
        const double bottom = canvas.height() - margin - (parts.x_label.empty() ? 0 : label_size + 8) - tick_size - 8;
        plot = {left, top, std::max(1.0, right - left), std::max(1.0, bottom - top)};

        draw_axes(canvas);
        if (!parts.x_label.empty())
            canvas.text(plot.x + plot.width / 2, canvas.height() - margin,
                        fitted(parts.x_label, plot.width, label_size), {.size = label_size, .anchor = "middle"});
        if (!parts.y_label.empty())
            canvas.text(margin + label_size - 2, plot.y + plot.height / 2,
                        fitted(parts.y_label, plot.height, label_size),
                        {.size = label_size, .anchor = "middle", .rotate = -90});
    }

    double x(double value) const { return plot.x + plot.width * x_.share(value); }
    double y(double value) const { return plot.bottom() - plot.height * y_.share(value); }

    Box plot; ///< in which data are drawn

  private:
    /// Returns where the next thing below may begin.
    static double draw_legend(Canvas& canvas, const std::vector<LegendEntry>& entries, double top) {
        if (entries.empty()) return top;
        constexpr double swatch = 26, gap = 20, row = 19;
        double x = margin, y = top + tick_size / 2 + 2;
        for (const LegendEntry& entry : entries) {
            const std::string name = fitted(entry.name, canvas.width() - 2 * margin - swatch - 6, tick_size);
            const double width = swatch + 6 + text_width(name, tick_size);
            if (x > margin && x + width > canvas.width() - margin) x = margin, y += row;
            canvas.begin_series(entry.series);
            if (entry.line)
                canvas.line(x, y, x + swatch, y, "stroke=\"currentColor\" stroke-width=\"2\"" + dashes(entry.series));
            if (entry.marked) canvas.path(marker(entry.series, x + swatch / 2, y, 4), "fill=\"currentColor\"");
            canvas.end_series();
            canvas.text(x + swatch + 6, y + 4, name, {.size = tick_size});
            x += width + gap;
        }
        return y + row / 2 + 4;
    }

    void draw_axes(Canvas& canvas) const {
        constexpr const char* grid = R"(class="chart-grid" stroke="#d8dee4" stroke-width="1")";
        constexpr const char* axis = R"(class="chart-axis" stroke="#8c959f" stroke-width="1")";
        for (std::size_t i = 0; i < y_.ticks().size(); ++i) {
            const double at = y(y_.ticks()[i]);
            canvas.line(plot.x, at, plot.right(), at, grid);
            canvas.text(plot.x - 8, at + 4, y_.labels()[i], {.size = tick_size, .anchor = "end", .muted = true});
        }
        double written_to = -1e9;
        for (std::size_t i = 0; i < x_.ticks().size(); ++i) {
            const double at = x(x_.ticks()[i]);
            canvas.line(at, plot.y, at, plot.bottom(), grid);
            canvas.line(at, plot.bottom(), at, plot.bottom() + 4, axis);
            const double half = text_width(x_.labels()[i], tick_size) / 2;
            if (at - half < written_to) continue;
            written_to = at + half + 8;
            canvas.text(at, plot.bottom() + tick_size + 7, x_.labels()[i],
                        {.size = tick_size, .anchor = "middle", .muted = true});
        }
        canvas.line(plot.x, plot.bottom(), plot.right(), plot.bottom(), axis);
    }

    Axis x_, y_;
};

}
