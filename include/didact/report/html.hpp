#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "didact/io/atomic_file.hpp"
#include "didact/report/escape.hpp"
#include "didact/report/table.hpp"

namespace didact::report {

/// One page that stands by itself: no script, no font, no picture from elsewhere; light or dark as the reader has it.
/// All text is escaped; `svg` of a figure is markup, as the charts of this module write it.
class HtmlReport {
  public:
    explicit HtmlReport(std::string_view title, std::string_view subtitle = {})
        : title_(escape_markup(title)), subtitle_(escape_markup(subtitle)) {}

    HtmlReport& heading(std::string_view text) {
        const std::string anchor = "section-" + std::to_string(++sections_);
        contents_ += "<li><a href=\"#" + anchor + "\">" + escape_markup(text) + "</a></li>\n";
        body_ += "<h2 id=\"" + anchor + "\">" + escape_markup(text) + "</h2>\n";
        return *this;
    }
    HtmlReport& subheading(std::string_view text) { return element("h3", text); }
    HtmlReport& paragraph(std::string_view text) { return element("p", text); }

    HtmlReport& table(const Table& table) {
        body_ += "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>";
        const auto cell = [&](const char* tag, std::size_t column, std::string_view text) {
            body_ += std::string("<") + tag + (table.right_aligned(column) ? " class=\"number\">" : ">") +
                     escape_markup(text) + "</" + std::string(tag).substr(0, 2) + ">";
        };
        for (std::size_t j = 0; j < table.columns().size(); ++j) cell("th scope=\"col\"", j, table.columns()[j]);
        body_ += "</tr></thead>\n<tbody>\n";
        for (std::size_t i = 0; i < table.rows().size(); ++i) {
            body_ += i > 0 && table.rule_before(i) ? "<tr class=\"rule\">" : "<tr>";
            for (std::size_t j = 0; j < table.columns().size(); ++j) cell("td", j, table.rows()[i][j].text);
            body_ += "</tr>\n";
        }
        body_ += "</tbody></table></div>\n";
        return *this;
    }

    HtmlReport& figure(std::string_view caption, std::string_view svg) {
        body_ += "<figure><div class=\"scroll\">" + std::string(svg) + "</div>";
        if (!caption.empty()) body_ += "<figcaption>" + escape_markup(caption) + "</figcaption>";
        body_ += "</figure>\n";
        return *this;
    }

    std::string str() const {
        std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                           "<meta http-equiv=\"Content-Security-Policy\" "
                           "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
                           "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
                           title_ + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n<main>\n<h1>" + title_ +
                           "</h1>\n";
        if (!subtitle_.empty()) page += "<p class=\"subtitle\">" + subtitle_ + "</p>\n";
        if (sections_ > 2) page += "<nav aria-label=\"Contents\"><ul>\n" + contents_ + "</ul></nav>\n";
        return page + body_ + "</main>\n</body>\n</html>\n";
    }

    /// Writes the page in place of the one before, which stays where that fails; Error names the file.
    void write(const std::filesystem::path& path) const { io::write_atomically(path, str()); }

  private:
    HtmlReport& element(std::string_view tag, std::string_view text) {
        body_ += "<" + std::string(tag) + ">" + escape_markup(text) + "</" + std::string(tag) + ">\n";
        return *this;
    }

    static constexpr const char* style = R"(
:root { --ground: #ffffff; --text: #1f2328; --muted: #57606a; --line: #d0d7de; --band: #f6f8fa; --link: #0550ae; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.55 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 2.4rem 0 .8rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.08rem; margin: 1.8rem 0 .6rem; }
p { max-width: 46rem; margin: 0 0 1rem; overflow-wrap: break-word; white-space: pre-line; }
.subtitle { color: var(--muted); font-size: 1.05rem; }
a { color: var(--link); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: .6rem 0; margin: 1rem 0 0;
  border-block: 1px solid var(--line); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .93rem; margin: .4rem 0 1.4rem; }
th, td { padding: .36rem .6rem; text-align: left; vertical-align: top; white-space: nowrap; }
th { border-bottom: 2px solid var(--line); }
td { border-bottom: 1px solid var(--line); }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
tbody tr:nth-child(even) { background: var(--band); }
tr.rule td { border-top: 2px solid var(--muted); }
figure { margin: 1.2rem 0 2rem; }
figcaption { color: var(--muted); font-size: .9rem; max-width: 46rem; margin-top: .4rem; }
.didact-chart { display: block; max-width: 100%; height: auto; }
@media (max-width: 40rem) { main { padding: 1.2rem .8rem 3rem; } .didact-chart { min-width: min(30rem, var(--chart-width)); } }
@media print { .didact-chart, tr { break-inside: avoid; } nav { display: none; } }
@media screen and (prefers-color-scheme: dark) {
:root { --ground: #14171b; --text: #e6e9ed; --muted: #a3acb6; --line: #363c44; --band: #1b1f24; --link: #79b8ff; }
.chart-background { fill: #14171b; } .chart-text { fill: #e6e9ed; } .chart-muted { fill: #a3acb6; }
.chart-grid { stroke: #2b3138; } .chart-axis { stroke: #7d8791; } .chart-unknown { fill: #2b3138; }
.chart-series-0 { color: #4ea8de; } .chart-series-1 { color: #f28c4a; } .chart-series-2 { color: #2fc295; }
.chart-series-3 { color: #dd9bc1; } .chart-series-4 { color: #f0b93c; } .chart-series-5 { color: #8fd0f5; }
.chart-series-6 { color: #ffffff; }
}
)";

    std::string title_, subtitle_, contents_, body_;
    std::size_t sections_ = 0;
};

}
