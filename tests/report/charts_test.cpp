#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "didact/core/random.hpp"
#include "didact/report/svg/heat_map.hpp"
#include "didact/report/svg/line_chart.hpp"
#include "didact/report/svg/scatter.hpp"
#include "markup.hpp"

#include <cmath>
#include <limits>
#include <sstream>

namespace charts_test {

using namespace didact::report;

namespace {

constexpr double not_known = std::numeric_limits<double>::quiet_NaN();
const char* const hostile = "<script>alert(\"1\")</script> & 'x' \xFF\x01";

bool has_text(const std::vector<Element>& elements, const std::string& text) {
    for (const Element& element : elements)
        if (element.name == "text" && element.text == text) return true;
    return false;
}

/// The places that a path goes through, as far as it is made of M and L.
std::vector<std::pair<double, double>> points_of(const Element& path) {
    std::vector<std::pair<double, double>> points;
    std::string steps = path.attributes.at("d");
    for (char& c : steps)
        if (c == 'M' || c == 'L' || c == 'z') c = ' ';
    std::istringstream stream(steps);
    for (double x, y; stream >> x >> y;) points.emplace_back(x, y);
    return points;
}

std::vector<Element> lines_of(const std::vector<Element>& elements) {
    std::vector<Element> lines;
    for (const Element& path : elements_named(elements, "path"))
        if (path.attributes.at("fill") == "none") lines.push_back(path);
    return lines;
}

}

TEST_SUITE("unit") {
    TEST_CASE("axis: ticks are round numbers within the axis, and their labels say them") {
        for (const auto& [low, high] : std::vector<std::pair<double, double>>{{0, 1},
                                                                              {-3, 17},
                                                                              {0.9121, 0.9134},
                                                                              {1e-9, 3e-9},
                                                                              {0, 123456},
                                                                              {-5e7, 5e7},
                                                                              {0.3, 0.3},
                                                                              {1e6, 1e6 + 3}}) {
            for (const std::size_t count : {2, 5, 9}) {
                const svg::Axis axis = svg::Axis::linear({low, high}, count);
                CHECK(axis.low() <= low);
                CHECK(axis.high() >= high);
                REQUIRE(axis.ticks().size() >= 2);
                REQUIRE(axis.ticks().size() <= count + 2);
                REQUIRE(axis.labels().size() == axis.ticks().size());
                const double step = axis.ticks()[1] - axis.ticks()[0];
                const double digit = step / std::pow(10, std::floor(std::log10(step * (1 + 1e-9))));
                CHECK((std::abs(digit - 1) < 1e-6 || std::abs(digit - 2) < 1e-6 || std::abs(digit - 5) < 1e-6));
                for (std::size_t i = 0; i < axis.ticks().size(); ++i) {
                    CHECK(axis.share(axis.ticks()[i]) >= -1e-6);
                    CHECK(axis.share(axis.ticks()[i]) <= 1 + 1e-6);
                    if (i > 0) CHECK(axis.labels()[i] != axis.labels()[i - 1]);
                    const std::string& label = axis.labels()[i];
                    const double unit = label.back() == 'k' ? 1e3 : label.back() == 'M' ? 1e6 : 1;
                    CHECK(std::abs(std::stod(label) * unit - axis.ticks()[i]) <= 1e-3 * step + 1e-12 * std::abs(high));
                }
            }
        }
        const svg::Axis round = svg::Axis::linear({0.13, 0.87}, 5, true);
        CHECK(round.ticks().front() == doctest::Approx(round.low()));
        CHECK(round.ticks().back() == doctest::Approx(round.high()));
        CHECK(svg::Axis::linear({1, 3}, 9, false, true).labels() == std::vector<std::string>{"1", "2", "3"});
        CHECK(svg::Axis::linear({}, 5).labels().size() == 6);
        CHECK(error_of([] {
                  svg::Axis::linear({-1.7e308, 1.7e308}, 5);
              }).find("cannot show values") != std::string::npos);
    }

    TEST_CASE("axis: equal factors are equal distances on a logarithmic axis, which takes values above 0 only") {
        const svg::Axis axis = svg::Axis::logarithmic({1e-5, 1e-1}, 8, "x");
        CHECK(axis.share(1e-5) == doctest::Approx(0));
        CHECK(axis.share(1e-3) == doctest::Approx(0.5));
        CHECK(axis.labels() == std::vector<std::string>{"1e-05", "0.0001", "0.001", "0.01", "0.1"});
        CHECK(svg::Axis::logarithmic({30, 45}, 6, "x").ticks().size() >= 2);
        CHECK(svg::Axis::logarithmic({1, 200}, 8, "x").labels() ==
              std::vector<std::string>{"1", "2", "5", "10", "20", "50", "100", "200"});
        CHECK(svg::Axis::logarithmic({1e3, 1e7}, 8, "x").labels() ==
              std::vector<std::string>{"1000", "10k", "100k", "1M", "10M"});
        CHECK(error_of([] {
                  svg::Axis::logarithmic({0, 1}, 5, "Scatter 'a'");
              }) == "Scatter 'a': 0 cannot stand on a logarithmic axis");
    }

    TEST_CASE("colours: the scale only darkens, and the number in a cell is read on every colour of it") {
        double before = 1;
        for (int i = 0; i <= 1000; ++i) {
            const svg::Colour colour = svg::sequential_colour(i / 1000.0);
            CHECK(colour.luminance() <= before);
            before = colour.luminance();
            CHECK(svg::contrast(svg::text_colour_on(colour), colour) >= 4.5);
        }
        CHECK(before < 0.05);
        CHECK(svg::contrast({255, 255, 255}, {0, 0, 0}) == doctest::Approx(21));
        CHECK(svg::Colour{0, 114, 178}.hex() == "#0072b2");
        CHECK(svg::sequential_colour(not_known) == svg::sequential_colour(-3));
    }

    TEST_CASE("line chart: a line goes through its points in proportion, and a NaN leaves a gap") {
        const LineChart chart{
            .title = "t", .series = {{"a", {0, 1, 2, 3, 4}, {0, 10, not_known, 5, 10}, {}}, {"b", {0, 4}, {2, 3}, {}}}};
        const auto elements = elements_of(chart.svg());
        const auto lines = lines_of(elements);
        REQUIRE(lines.size() == 3);
        const auto first = points_of(lines[0]), second = points_of(lines[1]), b = points_of(lines[2]);
        REQUIRE(first.size() == 2);
        REQUIRE(second.size() == 2);
        const double left = first[0].first, bottom = first[0].second;
        const double width = second[1].first - left, height = bottom - first[1].second;
        CHECK(width > 500);
        CHECK(height > 250);
        CHECK(first[1].first == doctest::Approx(left + width / 4).epsilon(1e-4));
        CHECK(second[0].second == doctest::Approx(bottom - height / 2).epsilon(1e-4));
        CHECK(b[1].second == doctest::Approx(bottom - 0.3 * height).epsilon(1e-4));
        for (const char* text : {"t", "a", "b", "0", "4"}) CHECK(has_text(elements, text));
        CHECK_FALSE(has_text(elements_of(LineChart{.series = {{"alone", {1, 2}, {1, 2}, {}}}}.svg()), "alone"));
    }

    TEST_CASE("line chart: a long series keeps its extremes and its ends, and not its length") {
        Series series{"noise", {}, {}, {}};
        didact::Random random(3);
        for (int i = 0; i < 200000; ++i) {
            series.x.push_back(i);
            series.y.push_back(i == 77777 ? 9.0 : i == 123456 ? -9.0 : random.normal());
        }
        const LineChart chart{.series = {series}};
        const std::string svg = chart.svg();
        CHECK(svg.size() < 60000);
        const auto lines = lines_of(elements_of(svg));
        REQUIRE(lines.size() == 1);
        const auto points = points_of(lines[0]);
        double top = 1e9, bottom = -1e9;
        for (const auto& [x, y] : points) top = std::min(top, y), bottom = std::max(bottom, y);
        // 9 and -9 on an axis from -10 to 10.
        const double plot = (bottom - top) / 0.9;
        CHECK(plot > 250);
        CHECK(points.back().first - points.front().first > 500);
    }

    TEST_CASE("line chart: limits cut off, the band has the error's height, and single points are dots") {
        const LineChart chart{.series = {{"a", {0, 1}, {0, 100}, {}}}, .y_min = 0, .y_max = 10};
        const auto elements = elements_of(chart.svg());
        CHECK(has_text(elements, "10"));
        CHECK_FALSE(has_text(elements, "100"));
        REQUIRE(elements_named(elements, "svg").size() == 2); // the inner one clips
        CHECK(elements_named(elements, "title").size() == 2); // the chart's, and one marker's that is inside

        const auto banded =
            elements_of(LineChart{.series = {{"a", {0, 1}, {5, 5}, {1, not_known}}}, .y_min = 0, .y_max = 10}.svg());
        const auto paths = elements_named(banded, "path");
        const auto band = points_of(paths[0]), line = points_of(paths[1]);
        REQUIRE(band.size() == 4);
        const double unit = (band[3].second - band[0].second) / 2;
        CHECK(unit > 20);
        CHECK(band[0].second == doctest::Approx(line[0].second - unit).epsilon(1e-3));
        CHECK(band[1].second == band[2].second);

        Series lonely{"dot", std::vector<double>(50, 0), std::vector<double>(50, not_known), {}};
        for (std::size_t i = 0; i < 50; ++i) lonely.x[i] = double(i);
        lonely.y[20] = 1;
        const auto dot = lines_of(elements_of(LineChart{.series = {lonely}}.svg()));
        REQUIRE(dot.size() == 1);
        CHECK(dot[0].attributes.at("d").find("h0") != std::string::npos);
        CHECK(dot[0].attributes.at("stroke-linecap") == "round");
    }

    TEST_CASE("line chart: whatever is wrong with the data is an error that names chart and series") {
        CHECK(error_of([] {
                  LineChart{.title = "c", .series = {{"s", {1, 2}, {1}, {}}}}.svg();
              }) == "LineChart 'c': series 's' has 2 values of x, 1 of y and 0 of its error");
        CHECK(error_of([] {
                  LineChart{.title = "c", .series = {{"s", {2, 1}, {1, 1}, {}}}}.svg();
              }) == "LineChart 'c': series 's' goes back along the x axis");
        CHECK(error_of([] {
                  LineChart{.title = "c", .series = {{"s", {0, 1}, {1, 1}, {}}}, .log_x = true}.svg();
              }) == "LineChart 'c', x axis: 0 cannot stand on a logarithmic axis");
        CHECK(error_of([] {
                  LineChart{.title = "c", .series = {{"s", {0, 1}, {1, 1}, {}}}, .y_min = 3, .y_max = 2}.svg();
              }) == "LineChart 'c': y_min 3 is above y_max 2");
    }

    TEST_CASE("heat map: every cell has its number, what is not known has a dash, and the scale is labelled") {
        const HeatMap map{.title = "R",
                          .columns = {"one", "two"},
                          .rows = {"before", "after one", "after two"},
                          .values = {not_known, not_known, 0.9, 0.25, 0.5, 1.0}};
        const auto elements = elements_of(map.svg());
        for (const char* text : {"R", "one", "two", "before", "after one", "0.90", "0.25", "0.50", "1.00", "–"})
            CHECK(has_text(elements, text));
        std::size_t unknown = 0;
        for (const Element& cell : elements_named(elements, "rect"))
            unknown += cell.attributes.count("class") && cell.attributes.at("class") == "chart-unknown";
        CHECK(unknown == 2);
        const std::string lowest = "fill=\"" + svg::sequential_colour(0).hex(),
                          highest = "fill=\"" + svg::sequential_colour(1).hex();
        CHECK(map.svg().find(lowest) != std::string::npos);
        CHECK(map.svg().find(highest) != std::string::npos);
        CHECK(error_of([] {
                  HeatMap{.title = "R", .columns = {"a"}, .rows = {"b"}, .values = {1, 2}}.svg();
              }) == "HeatMap 'R': 2 values for 1 rows and 1 columns");
        elements_of(HeatMap{}.svg());
        elements_of(HeatMap{.columns = {"a"}, .rows = {"b"}, .values = {not_known}}.svg());
    }

    TEST_CASE("scatter: the frontier joins exactly the points that no other beats") {
        Scatter plot{.points = {{"cheap", 1, 1}, {"worse", 2, 0.5}, {"middle", 3, 2}, {"same", 3, 1.5}, {"best", 5, 3}},
                     .frontier = true};
        const auto frontier_lines = [&] {
            std::size_t count = 0;
            for (const Element& line : elements_named(elements_of(plot.svg()), "line"))
                count += line.attributes.count("stroke-dasharray");
            return count;
        };
        CHECK(frontier_lines() == 4); // two steps of two lines
        plot.points[1].y = 1.75;
        CHECK(frontier_lines() == 6);
        plot.frontier = false;
        CHECK(frontier_lines() == 0);
        plot.points = {{"a", not_known, 1}, {"b", 1, INFINITY}};
        CHECK(has_text(elements_of(plot.svg()), "no data"));
        CHECK(error_of([] {
                  Scatter{.title = "c", .points = {{"p", 0, 1}}, .log_x = true}.svg();
              }) == "Scatter 'c', x axis: 0 cannot stand on a logarithmic axis");
    }

    TEST_CASE("scatter: a point whose error is not known has no bar, and the others keep theirs") {
        const auto count_of = [](double x_error, double y_error) {
            const std::string svg =
                Scatter{.points = {{"a", 1, 1, x_error, y_error, "g"}, {"b", 2, 3, 0.1, 0.2, "g"}}}.svg();
            for (const char* number : {"\u2013", "\u221e"}) CHECK(svg.find(number) == std::string::npos);
            std::size_t bars = 0;
            for (const Element& line : elements_named(elements_of(svg), "line"))
                bars += line.attributes.count("stroke-opacity");
            return bars;
        };
        const std::size_t one_point = count_of(0, 0);
        CHECK(one_point > 0);
        CHECK(count_of(0.1, 0.1) == 2 * one_point);
        for (const double error : {not_known, double(INFINITY), -double(INFINITY)})
            CHECK(count_of(error, error) == one_point);
    }

    TEST_CASE("charts: hostile text stays text, and each chart says its title and description") {
        const std::string text = hostile;
        const std::vector<std::string> svgs{
            LineChart{.title = text,
                      .description = text,
                      .x_label = text,
                      .y_label = text,
                      .series = {{text, {0, 1}, {0, 1}, {}}, {text, {0, 1}, {1, 0}, {}}},
                      .marks = {{0.5, text}}}
                .svg(),
            HeatMap{.title = text,
                    .description = text,
                    .x_label = text,
                    .y_label = text,
                    .columns = {text},
                    .rows = {text},
                    .values = {1}}
                .svg(),
            Scatter{.title = text,
                    .description = text,
                    .x_label = text,
                    .y_label = text,
                    .points = {{text, 1, 1, 0, 0, text}, {text, 2, 2, 0, 0, "g"}}}
                .svg()};
        for (const std::string& svg : svgs) {
            const auto elements = elements_of(svg); // well formed
            CHECK(elements[0].name == "svg");
            CHECK(elements[0].attributes.at("role") == "img");
            CHECK(elements[1].name == "title");
            CHECK(elements[1].text == "<script>alert(\"1\")</script> & 'x' \uFFFD\uFFFD");
            CHECK(elements[2].name == "desc");
            CHECK(elements_named(elements, "script").empty());
            CHECK(svg.find(" id=") == std::string::npos); // ids of two charts in a page would clash
        }
    }
}

TEST_SUITE("property") {
    TEST_CASE("charts: no text covers another or leaves the drawing, whatever the data") {
        didact::Random random(11);
        const std::vector<std::string> names{"None",  "Replay",     "OnlineEwc λ = 500",   "LearningWithoutForgetting",
                                             "A-GEM", "漢字の名前", "Joint (upper bound)", "r = 8"};
        std::size_t labels_in_the_way = 0;
        for (int round = 0; round < 60; ++round) {
            const double scale = std::pow(10.0, std::floor(8 * random.uniform()) - 4);
            const double offset = random.uniform() < 0.5 ? 0 : 100 * scale * random.uniform();
            const std::size_t count = 1 + std::size_t(7 * random.uniform());
            LineChart lines{.title = "title", .x_label = "x", .y_label = "y", .log_x = round % 3 == 0};
            Scatter scatter{.title = "title", .x_label = "x", .y_label = "y", .log_x = round % 3 == 0};
            HeatMap map{.title = "title", .x_label = "x", .y_label = "y"};
            for (std::size_t k = 0; k < count; ++k) {
                Series series{names[k], {}, {}, {}};
                for (int i = 1; i < 20; ++i) {
                    series.x.push_back(scale * i);
                    series.y.push_back(offset + scale * random.normal());
                }
                lines.series.push_back(series);
                lines.marks.push_back({scale * 3 * double(k), names[k]});
                scatter.points.push_back({names[k], scale * (0.1 + random.uniform()), offset + scale * random.uniform(),
                                          0.01 * scale, 0.02 * scale, round % 2 ? "" : names[k % 2]});
                map.rows.push_back(names[k]);
                map.columns.push_back(k % 2 ? names[k] : "x");
                for (std::size_t j = 0; j < count; ++j) map.values.push_back(random.normal());
            }
            INFO("round ", round, ", scale ", scale, ", offset ", offset, ", count ", count);
            CHECK(collisions(elements_of(lines.svg())) == 0);
            CHECK(collisions(elements_of(map.svg())) == 0);
            labels_in_the_way += collisions(elements_of(scatter.svg()));
        }
        // Labels of points that lie on one another may have to; few do.
        CHECK(labels_in_the_way <= 1);
    }
}

}
