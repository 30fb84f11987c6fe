#pragma once
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "didact/core/error.hpp"
#include "didact/data/lines.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/io/json.hpp"
#include "didact/io/utf8.hpp"

namespace didact {

/// The rows of a .tsv, .csv or .jsonl file, as text, with named columns.
struct Table {
    std::string path;
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;              ///< each with one field a column
    std::vector<std::size_t> line_of_row;                    ///< where a row begins in the file, from 1
    std::map<std::string, std::size_t> partial_columns = {}; ///< of JSON lines: keys that a row lacks, and its line

    bool has(std::string_view name) const { return std::find(columns.begin(), columns.end(), name) != columns.end(); }

    /// The number of the column of this name. Throws Error that says which columns there are.
    std::size_t column(std::string_view name) const {
        const auto found = std::find(columns.begin(), columns.end(), name);
        if (found != columns.end()) return std::size_t(found - columns.begin());
        if (const auto partial = partial_columns.find(std::string(name)); partial != partial_columns.end())
            fail(path, ":", partial->second, ": '", name, "' is missing in this line, other lines have it");
        std::string present;
        for (const std::string& column : columns)
            present += (present.empty() ? "'" : ", '") + io::printable(column) + "'";
        fail(path, ": there is no column '", name, "'; there are ", present);
    }
};

/// Adds the first row's names to a table. Throws Error where one stands twice.
inline void set_columns(Table& table, std::vector<std::string> names, std::size_t line) {
    for (std::size_t i = 0; i < names.size(); ++i)
        require(std::find(names.begin(), names.begin() + std::ptrdiff_t(i), names[i]) ==
                    names.begin() + std::ptrdiff_t(i),
                table.path, ":", line, ": column '", io::printable(names[i]), "' stands twice");
    table.columns = std::move(names);
}

/// Adds a row of fields; the first one names the columns.
inline void add_record(Table& table, std::vector<std::string> fields, std::size_t line) {
    if (table.columns.empty()) return set_columns(table, std::move(fields), line);
    require(fields.size() == table.columns.size(), table.path, ":", line, ": has ", fields.size(), " fields, expected ",
            table.columns.size(), " as in the first line");
    table.rows.push_back(std::move(fields));
    table.line_of_row.push_back(line);
}

/// Reads tab-separated values: one record a line, fields as they stand between tabs (quotes and backslashes mean
/// nothing special), blank lines left out.
inline void parse_tsv(Table& table, std::string_view text) {
    for_each_line(text, [&](std::string_view line, std::size_t number) {
        if (is_blank(line)) return;
        std::vector<std::string> fields;
        for (std::size_t begin = 0; begin <= line.size();) {
            const std::size_t end = std::min(line.find('\t', begin), line.size());
            fields.emplace_back(line.substr(begin, end - begin));
            begin = end + 1;
        }
        add_record(table, std::move(fields), number);
    });
}

/// Reads comma-separated values (RFC 4180): a field that begins with a quote ends with one, may hold commas and line
/// ends, and writes a quote as two. Blank lines are left out.
inline void parse_csv(Table& table, std::string_view text) {
    std::size_t line = 1, at = 0;
    const auto ends_line = [&] { return text[at] == '\n' || (text[at] == '\r' && text.substr(at, 2) == "\r\n"); };
    while (at < text.size()) {
        const std::size_t first_line = line;
        std::vector<std::string> fields;
        bool quoted_any = false;
        for (bool more = true; more;) {
            std::string& field = fields.emplace_back();
            if (at < text.size() && text[at] == '"') {
                quoted_any = true;
                const std::size_t opened = line;
                for (++at;; ++at) {
                    require(at < text.size(), table.path, ":", opened, ": a quote is opened and never closed");
                    if (text[at] == '"' && text.substr(at, 2) != "\"\"") break;
                    if (text[at] == '"') ++at;
                    if (text[at] == '\n') ++line;
                    field += text[at];
                }
                ++at;
                require(at == text.size() || text[at] == ',' || ends_line(), table.path, ":", line,
                        ": text follows a closing quote; within quotes a quote is written as two");
            } else {
                for (; at < text.size() && text[at] != ',' && !ends_line(); ++at) {
                    require(text[at] != '"', table.path, ":", line, ": a quote within a field that is not in quotes");
                    field += text[at];
                }
            }
            more = at < text.size() && text[at] == ',';
            if (more) ++at;
        }
        if (at < text.size()) at += text[at] == '\r' ? 2 : 1, ++line;
        if (fields.size() > 1 || quoted_any || !is_blank(fields[0])) add_record(table, std::move(fields), first_line);
    }
}

/// Reads JSON lines: one object a line, keys are columns. Strings stand as they are, other values as their JSON text.
/// A key that is absent or null in some line is no column.
inline void parse_jsonl(Table& table, std::string_view text) {
    std::vector<std::pair<std::size_t, nlohmann::ordered_json>> objects;
    std::vector<std::string> keys;
    std::map<std::string, std::size_t, std::less<>> lines_with;
    for_each_line(text, [&](std::string_view line, std::size_t number) {
        if (is_blank(line)) return;
        auto object = io::parse_json<nlohmann::ordered_json>(line, table.path, number);
        require(object.is_object(), table.path, ":", number, ": holds JSON of type ", object.type_name(),
                ", expected an object");
        for (const auto& [key, value] : object.items())
            if (!value.is_null() && ++lines_with[key] == 1) keys.push_back(key);
        objects.emplace_back(number, std::move(object));
    });
    for (const std::string& key : keys) {
        if (lines_with[key] == objects.size()) {
            table.columns.push_back(key);
            continue;
        }
        const auto lacking = std::find_if(objects.begin(), objects.end(), [&](const auto& numbered) {
            return !numbered.second.contains(key) || numbered.second.at(key).is_null();
        });
        table.partial_columns.emplace(key, lacking->first);
    }
    for (const auto& [number, object] : objects) {
        std::vector<std::string> fields;
        for (const std::string& key : table.columns) {
            const auto& value = object.at(key);
            fields.push_back(value.is_string() ? value.template get<std::string>() : value.dump());
        }
        table.rows.push_back(std::move(fields));
        table.line_of_row.push_back(number);
    }
}

/// Reads the text of a table; the end of `path` says which format it is in.
inline Table parse_table(std::string_view text, const std::filesystem::path& path) {
    std::string extension = path.extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    const auto parse = extension == ".tsv"                               ? parse_tsv
                       : extension == ".csv"                             ? parse_csv
                       : extension == ".jsonl" || extension == ".ndjson" ? parse_jsonl
                                                                         : nullptr;
    Table table;
    table.path = path.string();
    require(parse != nullptr, table.path, ": its name ends in '", extension, "', a table's in .tsv, .csv or .jsonl");
    io::require_text(text, table.path);
    text = io::without_byte_order_mark(text);
    require(!text.empty(), table.path, ": is empty");
    parse(table, text);
    require(!table.rows.empty(), table.path, ": has no rows");
    return table;
}

/// Reads a file of rows. Its name ends in .tsv or .csv, where the first line names the columns, or in .jsonl. Throws
/// Error that names file and line: for a missing or empty file, invalid UTF-8, zero bytes, another number of fields
/// than the first line has, a quote that is not closed, a column that stands twice, or no rows.
inline Table read_table(const std::filesystem::path& path) { return parse_table(io::read_file(path), path); }

}
