#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/data/lines.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/io/utf8.hpp"

namespace didact {

/// The last column of a line.
inline constexpr std::size_t last_column = std::size_t(-1);

/// Which columns of a CoNLL file matter, counted from 0.
struct ConllOptions {
    std::size_t token_column = 0;
    std::size_t tag_column = last_column;
    bool comments = false; ///< lines that begin with '#' are comments, as in CoNLL-U; elsewhere '#' is a token
};

/// Words of a sentence, each with its tag.
struct TaggedSentence {
    std::vector<std::string> tokens, tags; ///< as many of one as of the other
    std::size_t line = 0;                  ///< of the first word in the file, from 1
};

/// Reads text in CoNLL form; see read_conll.
inline std::vector<TaggedSentence> parse_conll(std::string_view text, const std::filesystem::path& path,
                                               const ConllOptions& options = {}) {
    const std::string source = path.string();
    io::require_text(text, source);
    text = io::without_byte_order_mark(text);
    require(!is_blank(text), source, ": is empty");
    std::vector<TaggedSentence> sentences;
    std::size_t columns = 0;
    bool within = false;
    for_each_line(text, [&](std::string_view line, std::size_t number) {
        if (is_blank(line) || line.starts_with("-DOCSTART-")) {
            within = false;
            return;
        }
        if (options.comments && line.front() == '#') return;
        std::vector<std::string_view> fields;
        const bool tabs = line.find('\t') != std::string_view::npos;
        for (std::size_t begin = 0; begin <= line.size();) {
            const std::size_t end = std::min(line.find(tabs ? '\t' : ' ', begin), line.size());
            if (tabs || end > begin) fields.push_back(line.substr(begin, end - begin)); // several spaces are one
            begin = end + 1;
        }
        if (columns == 0) columns = fields.size();
        require(fields.size() == columns, source, ":", number, ": has ", fields.size(),
                " columns, lines before it have ", columns);
        const std::size_t tag = options.tag_column == last_column ? columns - 1 : options.tag_column;
        require(options.token_column < columns && tag < columns && tag != options.token_column, source, ":", number,
                ": has ", columns, " columns, the token was expected in number ", options.token_column,
                " and the tag in ", options.tag_column == last_column ? "the last" : "number " + std::to_string(tag),
                ", counted from 0");
        require(!fields[options.token_column].empty(), source, ":", number, ": the token is empty");
        require(!fields[tag].empty(), source, ":", number, ": the tag of '",
                io::printable(fields[options.token_column]), "' is empty");
        if (!within) sentences.emplace_back().line = number;
        within = true;
        sentences.back().tokens.emplace_back(fields[options.token_column]);
        sentences.back().tags.emplace_back(fields[tag]);
    });
    require(!sentences.empty(), source, ": has no sentences");
    return sentences;
}

/// Reads a file with one word and its tag a line, in columns that tabs, or where there are none spaces, separate; a
/// blank line or one that begins with "-DOCSTART-" ends a sentence. Throws Error that names file and line: for a
/// missing or empty file, invalid UTF-8, lines of differing numbers of columns, empty words or tags.
inline std::vector<TaggedSentence> read_conll(const std::filesystem::path& path, const ConllOptions& options = {}) {
    return parse_conll(io::read_file(path), path, options);
}

}
