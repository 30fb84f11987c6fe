#pragma once
#include <string>
#include <string_view>

#include "didact/report/escape.hpp"
#include "didact/report/format_number.hpp"
#include "didact/report/svg/colour.hpp"

namespace didact::report::svg {

/// A rectangle in user units; y grows downwards.
struct Box {
    double x = 0, y = 0, width = 0, height = 0;

    double right() const { return x + width; }
    double bottom() const { return y + height; }
    bool contains(double px, double py) const { return px >= x && px <= right() && py >= y && py <= bottom(); }
    Box grown(double by) const { return {x - by, y - by, width + 2 * by, height + 2 * by}; }
    /// Area that two boxes share.
    double overlap(const Box& other) const {
        const double w = std::min(right(), other.right()) - std::max(x, other.x);
        const double h = std::min(bottom(), other.bottom()) - std::max(y, other.y);
        return w > 0 && h > 0 ? w * h : 0;
    }
};

/// A coordinate as SVG wants it: at most two decimals.
inline std::string coordinate(double value) {
    std::string text = fixed(value, 2);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
}

/// About how wide a text will be; which font a viewer has is not known, so the width is that of a wide one.
inline double text_width(std::string_view text, double size) { return 0.62 * size * double(display_width(text)); }

/// `text` cut to about `width`.
inline std::string fitted(std::string_view text, double width, double size) {
    return shortened(single_line(text), width > 0 ? std::size_t(width / (0.62 * size)) : 0);
}

struct TextStyle {
    double size = 12;
    const char* anchor = "start"; ///< start, middle or end: what of the text is at its place
    double rotate = 0;            ///< degrees, clockwise
    bool bold = false, muted = false;
    std::string fill = {}; ///< by default the colour of all text
};

/// A drawing: elements one over another. Colours that a page may change for dark surroundings are those of the classes
/// `chart-background`, `chart-text`, `chart-muted`, `chart-grid`, `chart-axis` and `chart-series-0` to `-6`; a file
/// opened by itself shows the ones written here, on white.
class Canvas {
  public:
    Canvas(double width, double height) : width_(width), height_(height) {}

    double width() const { return width_; }
    double height() const { return height_; }

    /// `attributes` are markup; whoever writes them escapes what comes from outside.
    void rectangle(const Box& box, std::string_view attributes) {
        element("rect", place(box) + std::string(attributes));
    }
    void line(double x1, double y1, double x2, double y2, std::string_view attributes) {
        element("line", attribute("x1", x1) + attribute("y1", y1) + attribute("x2", x2) + attribute("y2", y2) +
                            std::string(attributes));
    }
    /// `tooltip` is shown where the pointer rests.
    void path(std::string_view steps, std::string_view attributes, std::string_view tooltip = {}) {
        const std::string start = "<path d=\"" + std::string(steps) + "\" " + std::string(attributes);
        if (tooltip.empty())
            body_ += start + "/>\n";
        else
            body_ += start + "><title>" + escape_markup(tooltip) + "</title></path>\n";
    }
    void text(double x, double y, std::string_view content, const TextStyle& style = {}) {
        std::string attributes = attribute("x", x) + attribute("y", y) + attribute("font-size", style.size);
        if (style.fill.empty())
            attributes +=
                style.muted ? R"(class="chart-muted" fill="#57606a" )" : R"(class="chart-text" fill="#1f2328" )";
        else
            attributes += "fill=\"" + style.fill + "\" ";
        if (std::string_view(style.anchor) != "start")
            attributes += std::string("text-anchor=\"") + style.anchor + "\" ";
        if (style.bold) attributes += R"(font-weight="600" )";
        if (style.rotate != 0)
            attributes +=
                "transform=\"rotate(" + coordinate(style.rotate) + " " + coordinate(x) + " " + coordinate(y) + ")\" ";
        attributes.pop_back();
        body_ += "<text " + attributes + ">" + escape_markup(content) + "</text>\n";
    }

    /// What is drawn until `end` is cut off at the box. (A nested svg element clips without an id, and ids of several
    /// charts in a page would clash.)
    void begin_clip(const Box& box) {
        body_ += "<svg " + place(box) + "viewBox=\"" + coordinate(box.x) + " " + coordinate(box.y) + " " +
                 coordinate(box.width) + " " + coordinate(box.height) + "\">\n";
    }
    void end_clip() { body_ += "</svg>\n"; }

    /// What is drawn until `end_series` has the colour of this series as currentColor.
    void begin_series(std::size_t series) {
        const std::size_t colour = series % series_colours.size();
        body_ += "<g class=\"chart-series-" + std::to_string(colour) + "\" color=\"" + series_colours[colour].hex() +
                 "\">\n";
    }
    void end_series() { body_ += "</g>\n"; }

    /// The whole drawing; screen readers say title and description.
    std::string document(std::string_view title, std::string_view description) const {
        std::string result = "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"didact-chart\" role=\"img\" ";
        result += attribute("width", width_) + attribute("height", height_);
        result += "viewBox=\"0 0 " + coordinate(width_) + " " + coordinate(height_) + "\" aria-label=\"" +
                  escape_markup(title) +
                  "\" font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\" style=\"--chart-width:" +
                  coordinate(width_) + "px\">\n";
        result += "<title>" + escape_markup(title) + "</title>\n";
        if (!description.empty()) result += "<desc>" + escape_markup(description) + "</desc>\n";
        result += "<rect class=\"chart-background\" width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
        return result + body_ + "</svg>\n";
    }

  private:
    static std::string attribute(std::string_view name, double value) {
        return std::string(name) + "=\"" + coordinate(value) + "\" ";
    }
    static std::string place(const Box& box) {
        return attribute("x", box.x) + attribute("y", box.y) + attribute("width", box.width) +
               attribute("height", box.height);
    }
    void element(std::string_view name, const std::string& attributes) {
        body_ += "<" + std::string(name) + " " + attributes + "/>\n";
    }

    double width_, height_;
    std::string body_;
};

/// The path of a series' marker: circle, square, triangle, diamond and so on, about `radius` large.
inline std::string marker(std::size_t series, double x, double y, double radius) {
    const auto at = [&](double dx, double dy) {
        return coordinate(x + dx * radius) + " " + coordinate(y + dy * radius);
    };
    const std::string r = coordinate(radius);
    switch (series % 5) {
    case 0:
        return "M" + at(-1, 0) + "a" + r + " " + r + " 0 1 0 " + coordinate(2 * radius) + " 0a" + r + " " + r +
               " 0 1 0 " + coordinate(-2 * radius) + " 0z";
    case 1:
        return "M" + at(-0.9, -0.9) + "L" + at(0.9, -0.9) + "L" + at(0.9, 0.9) + "L" + at(-0.9, 0.9) + "z";
    case 2:
        return "M" + at(0, -1.2) + "L" + at(1.15, 0.9) + "L" + at(-1.15, 0.9) + "z";
    case 3:
        return "M" + at(0, -1.3) + "L" + at(1.3, 0) + "L" + at(0, 1.3) + "L" + at(-1.3, 0) + "z";
    default:
        return "M" + at(0, 1.2) + "L" + at(1.15, -0.9) + "L" + at(-1.15, -0.9) + "z";
    }
}

}
