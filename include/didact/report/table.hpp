#pragma once
#include <algorithm>
#include <concepts>
#include <string>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/report/escape.hpp"
#include "didact/report/format_number.hpp"

namespace didact::report {

/// One cell of a table: text, or a number with at most four significant digits or a given number of decimals.
struct Cell {
    Cell(std::string text) : text(single_line(text)) {}
    Cell(std::string_view text) : text(single_line(text)) {}
    Cell(const char* text) : text(single_line(text)) {}
    Cell(std::floating_point auto value) : text(significant(double(value))) {}
    Cell(std::floating_point auto value, int decimals) : text(fixed(double(value), decimals)) {}
    Cell(bool value) : text(value ? "yes" : "no") {}
    Cell(std::integral auto value) : text(std::to_string(value)) {}

    /// True for "–", "nan" and the like.
    bool missing() const {
        return text.empty() || text == no_number || text == "-" || text == "—" || text == "nan" || text == "n/a";
    }

    /// True for text that begins as a number and has no word in it: "0.91 ± 0.02", "12.3k", "45 %", "1e-05", "3 GiB".
    bool numeric() const {
        std::size_t at = std::min(text.find_first_not_of("+-<>~($ "), text.size());
        if (text.compare(at, 1, ".") == 0) ++at;
        if (at == text.size() || text[at] < '0' || text[at] > '9') return text == "∞" || text == "-∞";
        std::size_t letters = 0;
        for (; at < text.size() && letters <= 3; ++at) {
            const char c = text[at];
            letters = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? letters + 1 : 0;
        }
        return letters <= 3;
    }

    std::string text;
};

/// A table of text for a terminal, a Markdown file or a page: `Table({"strategy", "accuracy"}).row({"None", 0.81})`.
/// A column of numbers is aligned to the right, any other to the left.
class Table {
  public:
    explicit Table(std::vector<std::string> columns) {
        require(!columns.empty(), "Table: there is no column");
        for (const std::string& name : columns) columns_.push_back(single_line(name));
    }

    /// Throws Error unless there is one cell for each column.
    Table& row(std::vector<Cell> cells) {
        require(cells.size() == columns_.size(), "Table: row ", rows_.size(), " has ", cells.size(),
                " cells, there are ", columns_.size(), " columns");
        rows_.push_back(std::move(cells));
        return *this;
    }

    /// A line between the rows before and after.
    Table& rule() {
        rules_.push_back(rows_.size());
        return *this;
    }

    const std::vector<std::string>& columns() const { return columns_; }
    const std::vector<std::vector<Cell>>& rows() const { return rows_; }
    bool rule_before(std::size_t row) const { return std::find(rules_.begin(), rules_.end(), row) != rules_.end(); }

    /// True where the column's cells are numbers, as far as they are not missing.
    bool right_aligned(std::size_t column) const {
        bool any = false;
        for (const std::vector<Cell>& row : rows_) {
            if (row[column].missing()) continue;
            if (!row[column].numeric()) return false;
            any = true;
        }
        return any;
    }

    /// Columns two spaces apart, names and rows divided by a line; ends with a line feed.
    std::string str() const {
        const std::vector<std::size_t> widths = this->widths();
        std::string line;
        for (std::size_t j = 0; j < widths.size(); ++j)
            line += (j ? "  " : "") + std::string(std::max<std::size_t>(1, widths[j]), '-');
        line += '\n';

        std::string result;
        const auto write = [&](auto&& text_of) {
            std::string written;
            for (std::size_t j = 0; j < widths.size(); ++j) {
                const std::string& text = text_of(j);
                const std::string gap(widths[j] - display_width(text), ' ');
                written += (j ? "  " : "") + (right_aligned(j) ? gap + text : text + gap);
            }
            written.erase(written.find_last_not_of(' ') + 1);
            result += written + '\n';
        };
        write([&](std::size_t j) -> const std::string& { return columns_[j]; });
        result += line;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            if (i > 0 && rule_before(i)) result += line;
            write([&](std::size_t j) -> const std::string& { return rows_[i][j].text; });
        }
        return result;
    }

    /// A GitHub-flavoured Markdown table, which knows no rules between rows.
    std::string markdown() const {
        std::string result = "|", line = "|";
        for (std::size_t j = 0; j < columns_.size(); ++j) {
            result += " " + escape_markdown_cell(columns_[j]) + " |";
            line += right_aligned(j) ? " ---: |" : " --- |";
        }
        result += "\n" + line + "\n";
        for (const std::vector<Cell>& row : rows_) {
            result += "|";
            for (const Cell& cell : row) result += " " + escape_markdown_cell(cell.text) + " |";
            result += "\n";
        }
        return result;
    }

  private:
    std::vector<std::size_t> widths() const {
        std::vector<std::size_t> widths;
        for (const std::string& name : columns_) widths.push_back(display_width(name));
        for (const std::vector<Cell>& row : rows_)
            for (std::size_t j = 0; j < row.size(); ++j) widths[j] = std::max(widths[j], display_width(row[j].text));
        return widths;
    }

    std::vector<std::string> columns_;
    std::vector<std::vector<Cell>> rows_;
    std::vector<std::size_t> rules_;
};

}
