#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "didact/core/error.hpp"

namespace didact::io {

/// Length in bytes of the well-formed UTF-8 sequence that `text` begins with, 0 where there is none
/// (The Unicode Standard, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
inline std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
    const unsigned first = byte(0), second = byte(1);
    if (text.empty()) return 0;
    if (first < 0x80) return 1;
    if (first < 0xC2 || !follows(1)) return 0;
    if (first < 0xE0) return 2;
    if (!follows(2)) return 0;
    if (first < 0xF0) return (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ? 0 : 3;
    if (first > 0xF4 || !follows(3)) return 0;
    return (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F) ? 0 : 4;
}

/// Where the first byte stands that is not part of well-formed UTF-8; npos where all are.
inline std::size_t invalid_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        std::uint64_t eight;
        if (text.size() - i >= sizeof eight) { // most text is ASCII
            std::memcpy(&eight, text.data() + i, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        const std::size_t length = utf8_length(text.substr(i));
        if (length == 0) return i;
        i += length;
    }
    return std::string_view::npos;
}

/// The beginning of a text for a message: at most `limit` bytes, cut between code points, with '?' for what a terminal
/// would not show and for what is not UTF-8.
inline std::string printable(std::string_view text, std::size_t limit = 60) {
    std::string shown;
    for (std::size_t i = 0, length; i < text.size(); i += length) {
        length = std::max<std::size_t>(utf8_length(text.substr(i)), 1);
        if (i + length > limit) return shown + "...";
        const auto first = static_cast<unsigned char>(text[i]);
        const bool shows = first >= 0x20 && first != 0x7F && (length > 1 || first < 0x80);
        shown += shows ? text.substr(i, length) : std::string_view("?");
    }
    return shown;
}

/// Number of code points of well-formed UTF-8.
inline std::size_t code_points(std::string_view text) {
    return std::size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// Where a byte of a text stands, as an editor counts: both from 1, columns in code points.
struct TextPosition {
    std::size_t line = 1, column = 1;

    /// `first_line` is the number of the text's first line, where the text is part of a file.
    TextPosition(std::string_view text, std::size_t offset, std::size_t first_line = 1) : line(first_line) {
        const std::string_view before = text.substr(0, offset);
        const std::size_t line_start = before.rfind('\n') + 1; // npos + 1 is 0
        line += std::size_t(std::count(before.begin(), before.end(), '\n'));
        column += code_points(before.substr(line_start));
    }
};

template <class Stream>
Stream& operator<<(Stream& stream, const TextPosition& position) {
    stream << position.line << ":" << position.column;
    return stream;
}

/// Throws Error with file, line and column unless `text` is UTF-8 without zero bytes.
inline void require_text(std::string_view text, std::string_view source, std::size_t first_line = 1) {
    if (const std::size_t at = invalid_utf8(text); at != std::string_view::npos) {
        constexpr char digits[] = "0123456789ABCDEF";
        const auto byte = static_cast<unsigned char>(text[at]);
        fail(source, ":", TextPosition(text, at, first_line), ": not valid UTF-8: byte 0x", digits[byte >> 4],
             digits[byte & 15]);
    }
    if (const std::size_t at = text.find('\0'); at != std::string_view::npos)
        fail(source, ":", TextPosition(text, at, first_line), ": a zero byte; this is not a text file");
}

/// The text without the byte order mark that some editors put before it.
inline std::string_view without_byte_order_mark(std::string_view text) {
    return text.substr(text.substr(0, 3) == "\xEF\xBB\xBF" ? 3 : 0);
}

}
