#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "didact/io/utf8.hpp"

namespace didact::report {

/// What stands for bytes that are not UTF-8.
inline constexpr char32_t replacement_character = 0xFFFD;

/// The code point at byte `at`, which moves behind it. Each byte that belongs to no well-formed sequence is read as
/// U+FFFD.
inline char32_t next_code_point(std::string_view text, std::size_t& at) {
    const std::size_t length = io::utf8_length(text.substr(at));
    const unsigned first = static_cast<unsigned char>(text[at++]);
    if (length == 0) return replacement_character;
    if (length == 1) return first;
    char32_t code = first & (0x7Fu >> length);
    for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[at++]) & 0x3Fu);
    return code;
}

inline void append_utf8(std::string& text, char32_t code) {
    const auto tail = [&](int shift) { text += char(0x80 | (code >> shift & 0x3F)); };
    if (code < 0x80) {
        text += char(code);
    } else if (code < 0x800) {
        text += char(0xC0 | code >> 6), tail(0);
    } else if (code < 0x10000) {
        text += char(0xE0 | code >> 12), tail(6), tail(0);
    } else {
        text += char(0xF0 | code >> 18), tail(12), tail(6), tail(0);
    }
}

/// `text` with everything that is not UTF-8 replaced by U+FFFD.
inline std::string valid_utf8(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) append_utf8(result, next_code_point(text, at));
    return result;
}

/// Columns that a terminal gives to a code point: 0 for control characters, joiners and combining marks, 2 for East
/// Asian wide ones and pictographs (Unicode Standard Annex 11), 1 for the rest. The blocks are those met in labels and
/// words; rarer scripts' marks count 1.
inline std::size_t code_point_width(char32_t code) {
    struct Range {
        char32_t first, last;
    };
    static constexpr Range none[] = {
        {0x0, 0x1F},      {0x7F, 0x9F},     {0x300, 0x36F},   {0x483, 0x489},   {0x591, 0x5BD},    {0x610, 0x61A},
        {0x64B, 0x65F},   {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x202A, 0x202E},  {0x2060, 0x2064},
        {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF}};
    static constexpr Range wide[] = {{0x1100, 0x115F},  {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xA960, 0xA97F},
                                     {0xAC00, 0xD7A3},  {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF01, 0xFF60},
                                     {0xFFE0, 0xFFE6},  {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF},
                                     {0x20000, 0x3FFFD}};
    for (const Range& range : none)
        if (code >= range.first && code <= range.last) return 0;
    for (const Range& range : wide)
        if (code >= range.first && code <= range.last) return 2;
    return 1;
}

/// Columns that a terminal gives to `text`.
inline std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    for (std::size_t at = 0; at < text.size();) width += code_point_width(next_code_point(text, at));
    return width;
}

/// `text`, cut behind a whole character so that it takes at most `width` columns, the last of them "…".
inline std::string shortened(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return valid_utf8(text);
    std::string result;
    if (width == 0) return result;
    std::size_t used = 0;
    for (std::size_t at = 0; at < text.size();) {
        const char32_t code = next_code_point(text, at);
        if (used + code_point_width(code) > width - 1) break;
        used += code_point_width(code);
        append_utf8(result, code);
    }
    return result + "…";
}

}
