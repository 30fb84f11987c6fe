#pragma once
#include <optional>
#include <string>
#include <vector>

#include "didact/report/svg/axis.hpp"
#include "didact/report/svg/canvas.hpp"

namespace didact::report {

/// A matrix as coloured cells with their numbers, such as R[i][j], the metric on experience j after experience i.
struct HeatMap {
    std::string title = {}, description = {}, x_label = {}, y_label = {};
    std::vector<std::string> columns = {}, rows = {};
    std::vector<double> values = {};           ///< rows × columns, row after row; NaN: not known
    std::optional<double> low = {}, high = {}; ///< ends of the colour scale; by default those of the values
    int decimals = 2;

    /// Throws Error unless there is one value for each row and column.
    std::string svg() const {
        require(values.size() == rows.size() * columns.size(), "HeatMap '", title, "': ", values.size(), " values for ",
                rows.size(), " rows and ", columns.size(), " columns");
        svg::Range range;
        for (const double value : values) range.add(value);
        if (low) range.low = *low, range.high = std::max(range.high, *low);
        if (high) range.high = *high, range.low = std::min(range.low, *high);
        const svg::Axis scale = svg::Axis::linear(range, 5);

        const Layout at = layout(scale);
        svg::Canvas canvas(at.width, at.height);
        if (!title.empty())
            canvas.text(margin, margin + title_size, svg::fitted(title, at.width - 2 * margin, title_size),
                        {.size = title_size, .bold = true});
        for (std::size_t i = 0; i < rows.size(); ++i)
            for (std::size_t j = 0; j < columns.size(); ++j) draw_cell(canvas, at, scale, i, j);
        draw_names(canvas, at);
        if (!values.empty()) draw_scale(canvas, at, scale);
        return canvas.document(title, description);
    }

  private:
    static constexpr double margin = 14, title_size = 15, number_size = 12, name_size = 12, longest_name = 170;

    struct Layout {
        svg::Box cells;
        double cell_width, cell_height, width, height, slant;
    };

    static double name_width(const std::vector<std::string>& names) {
        double widest = 0;
        for (const std::string& name : names) widest = std::max(widest, svg::text_width(name, name_size));
        return std::min(widest, longest_name);
    }

    Layout layout(const svg::Axis& scale) const {
        double number = 0, tick = 0;
        for (const double value : values)
            number = std::max(number, svg::text_width(fixed(value, decimals), number_size));
        for (const std::string& label : scale.labels()) tick = std::max(tick, svg::text_width(label, 11));
        Layout at{};
        const double column_name = name_width(columns);
        at.cell_width = std::max({number + 10, 44.0, std::min(column_name + 10, 84.0)});
        at.cell_height = 32;
        at.slant = column_name + 6 > at.cell_width ? 40 : 0;
        const double radians = at.slant * 3.14159265358979 / 180;
        // A slanted name ends below the middle of its cell and reaches to the left.
        const double reach = at.slant > 0 ? column_name * std::cos(radians) - at.cell_width / 2 : 0;
        at.cells.x = margin + (y_label.empty() ? 0 : name_size + 10) + std::max(name_width(rows) + 8, reach);
        at.cells.y = margin + (title.empty() ? 0 : title_size + 12);
        at.cells.width = at.cell_width * double(columns.size());
        at.cells.height = at.cell_height * double(rows.size());
        const double below = at.slant > 0 ? 14 + column_name * std::sin(radians) : name_size + 8;
        at.height = at.cells.bottom() + below + (x_label.empty() ? 0 : name_size + 10) + margin;
        at.width = at.cells.right() + 22 + 14 + 8 + tick + margin;
        at.width = std::max(at.width, std::min(svg::text_width(title, title_size) + 2 * margin, 480.0));
        return at;
    }

    void draw_cell(svg::Canvas& canvas, const Layout& at, const svg::Axis& scale, std::size_t i, std::size_t j) const {
        const double value = values[i * columns.size() + j];
        const svg::Box cell{at.cells.x + double(j) * at.cell_width, at.cells.y + double(i) * at.cell_height,
                            at.cell_width, at.cell_height};
        const bool known = std::isfinite(value);
        const svg::Colour ground = known ? svg::sequential_colour(scale.share(value)) : svg::Colour{};
        canvas.rectangle(cell.grown(-0.75),
                         known ? "fill=\"" + ground.hex() + "\"" : R"(class="chart-unknown" fill="#eaeef2")");
        canvas.text(cell.x + cell.width / 2, cell.y + cell.height / 2 + 4.2, fixed(value, decimals),
                    {.size = number_size,
                     .anchor = "middle",
                     .muted = !known,
                     .fill = known ? svg::text_colour_on(ground).hex() : std::string()});
    }

    void draw_names(svg::Canvas& canvas, const Layout& at) const {
        for (std::size_t i = 0; i < rows.size(); ++i)
            canvas.text(at.cells.x - 8, at.cells.y + (double(i) + 0.5) * at.cell_height + 4,
                        svg::fitted(rows[i], longest_name, name_size), {.size = name_size, .anchor = "end"});
        for (std::size_t j = 0; j < columns.size(); ++j) {
            const double x = at.cells.x + (double(j) + 0.5) * at.cell_width;
            const std::string name = svg::fitted(columns[j], longest_name, name_size);
            if (at.slant > 0)
                canvas.text(x + 4, at.cells.bottom() + 14, name,
                            {.size = name_size, .anchor = "end", .rotate = -at.slant});
            else
                canvas.text(x, at.cells.bottom() + name_size + 5, name, {.size = name_size, .anchor = "middle"});
        }
        if (!x_label.empty())
            canvas.text(at.cells.x + at.cells.width / 2, at.height - margin,
                        svg::fitted(x_label, std::max(at.cells.width, 160.0), name_size),
                        {.size = name_size, .anchor = "middle", .muted = true});
        if (!y_label.empty())
            canvas.text(margin + name_size - 2, at.cells.y + at.cells.height / 2,
                        svg::fitted(y_label, std::max(at.cells.height, 100.0), name_size),
                        {.size = name_size, .anchor = "middle", .rotate = -90, .muted = true});
    }

    void draw_scale(svg::Canvas& canvas, const Layout& at, const svg::Axis& scale) const {
        const svg::Box bar{at.cells.right() + 22, at.cells.y, 14, at.cells.height};
        constexpr int steps = 48;
        for (int k = 0; k < steps; ++k) {
            const double y = bar.bottom() - bar.height * (k + 1) / steps;
            // A little higher than its share, so that no gap shows between two.
            const double height = std::min(bar.height / steps + 0.5, bar.bottom() - y);
            canvas.rectangle({bar.x, y, bar.width, height},
                             "fill=\"" + svg::sequential_colour((k + 0.5) / steps).hex() + "\"");
        }
        double written_to = 1e9;
        for (std::size_t k = 0; k < scale.ticks().size(); ++k) {
            const double y = bar.bottom() - bar.height * scale.share(scale.ticks()[k]);
            if (y + 7 > written_to) continue;
            written_to = y - 7;
            canvas.line(bar.right(), y, bar.right() + 4, y, R"(class="chart-axis" stroke="#8c959f")");
            canvas.text(bar.right() + 8, y + 4, scale.labels()[k], {.size = 11, .muted = true});
        }
    }
};

}
