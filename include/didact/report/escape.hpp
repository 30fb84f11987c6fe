#pragma once
#include "didact/report/utf8.hpp"

namespace didact::report {

/// `text` as the content of an element or a quoted attribute of HTML or SVG. What XML forbids (control characters,
/// bytes that are not UTF-8) becomes U+FFFD.
inline std::string escape_markup(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const char32_t code = next_code_point(text, at);
        const bool space = code == '\t' || code == '\n' || code == '\r';
        const bool forbidden = (code < 0x20 && !space) || code == 0xFFFE || code == 0xFFFF;
        switch (code) {
        case '&':
            result += "&amp;";
            break;
        case '<':
            result += "&lt;";
            break;
        case '>':
            result += "&gt;";
            break;
        case '"':
            result += "&quot;";
            break;
        case '\'':
            result += "&#39;";
            break;
        default:
            append_utf8(result, forbidden ? replacement_character : code);
        }
    }
    return result;
}

/// `text` on one line: valid UTF-8, every control character a space.
inline std::string single_line(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const char32_t code = next_code_point(text, at);
        append_utf8(result, code < 0x20 || (code >= 0x7F && code < 0xA0) ? U' ' : code);
    }
    return result;
}

/// `text` as a cell of a Markdown table.
inline std::string escape_markdown_cell(std::string_view text) {
    std::string result;
    for (const char c : single_line(text)) {
        if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '<') result += '\\';
        result += c;
    }
    return result;
}

}
