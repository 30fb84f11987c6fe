#pragma once
#include <charconv>
#include <string>

#include "didact/data/encode.hpp"
#include "didact/data/label_set.hpp"
#include "didact/data/table.hpp"

namespace didact {

/// Where in a table the texts and their classes stand.
struct ClassificationColumns {
    std::string text = "text", label = "label";
    std::string second_text = {}; ///< of a pair of texts; none where empty
    std::string difficulty = {};  ///< a number from 0 to 1, for difficulty::Given; none where empty
};

/// The different classes of a table, sorted. Throws Error where one is empty or there is only one.
inline LabelSet labels_of(const Table& table, const ClassificationColumns& columns = {}) {
    const std::size_t label = table.column(columns.label);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        names.push_back(table.rows[i][label]);
        require(!names.back().empty(), table.path, ":", table.line_of_row[i], ": the label is empty");
    }
    LabelSet labels = LabelSet::from(std::move(names));
    require(labels.size() > 1, table.path, ": a classification needs two labels or more, there is only '",
            labels.size() ? excerpt(labels.name(0)) : std::string(), "'");
    return labels;
}

/// A difficulty that a table gives. Throws Error where it is no number from 0 to 1.
inline float parse_difficulty(const std::string& cell, const std::string& where) {
    float value = -1;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    require(error == std::errc() && end == cell.data() + cell.size() && value >= 0 && value <= 1, where,
            ": the difficulty is '", excerpt(cell), "', a number from 0 to 1 was expected");
    return value;
}

/// One sample a row: the text, cut to `max_length` tokens, and the number of its class. Throws Error that names the
/// line where a text is empty or not UTF-8, where a class is none of `labels` or a difficulty no number from 0 to 1.
inline Dataset encode_classification(const text::WordPieceTokenizer& tokenizer, const Table& table,
                                     const LabelSet& labels, std::size_t max_length = 128,
                                     const ClassificationColumns& columns = {}, Truncated* truncated = nullptr) {
    const std::size_t first = table.column(columns.text), label = table.column(columns.label);
    const bool pair = !columns.second_text.empty();
    const std::size_t second = pair ? table.column(columns.second_text) : 0;
    const bool graded = !columns.difficulty.empty();
    const std::size_t difficulty = graded ? table.column(columns.difficulty) : 0;
    Dataset data(table.path);
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const auto& row = table.rows[i];
        const std::string where = table.path + ":" + std::to_string(table.line_of_row[i]);
        require(row[first].find_first_not_of(" \t\r\n") != std::string::npos, where, ": the text is empty");
        Sample sample;
        try {
            std::optional<std::string_view> other;
            if (pair) other = row[second];
            sample = encode_text(tokenizer, row[first], other, max_length, truncated);
        } catch (const Error& error) {
            fail(where, ": ", error.what());
        }
        sample.labels = {labels.id(row[label], where)};
        if (graded) sample.difficulty = parse_difficulty(row[difficulty], where);
        data.append(sample);
    }
    return data;
}

}
