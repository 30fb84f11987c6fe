#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "didact/core/error.hpp"
#include "didact/text/unicode_classes.hpp"

#ifndef DIDACT_WITH_UTF8PROC
#define DIDACT_WITH_UTF8PROC 0
#endif
#if DIDACT_WITH_UTF8PROC
#include <utf8proc.h>
#endif

/// What BERT's tokenizer needs to know of Unicode. Classes are tables of one fixed version, so that ids do not depend
/// on the machine. Decomposition and lower-casing come from utf8proc. Without it, they are known for Basic Latin,
/// Latin-1 and Latin Extended-A, and for blocks that have neither (punctuation, currency, CJK ideographs, pictographs);
/// any other code point is an Error rather than a wrong id. A tokenizer that neither lower-cases nor strips accents
/// asks for none of this and takes every code point.
namespace didact::text::unicode {

/// A code point and the number of bytes that it takes.
struct Decoded {
    char32_t code_point;
    std::uint32_t length;
};

[[noreturn]] inline void fail_invalid(std::string_view text, std::size_t offset) {
    constexpr char digits[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(text[offset]);
    fail("text is not valid UTF-8: byte 0x", digits[byte >> 4], digits[byte & 15], " at offset ", offset, " of ",
         text.size(), " starts no whole character");
}

/// The code point at `offset` (in bytes, within `text`). Error where the bytes are not UTF-8 (RFC 3629: no overlong
/// forms, no surrogates, nothing above U+10FFFF).
inline Decoded decode(std::string_view text, std::size_t offset) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
    const unsigned lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::uint32_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - offset < length) fail_invalid(text, offset);
    char32_t c = lead & (0x7Fu >> length);
    for (std::uint32_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) fail_invalid(text, offset);
        c = c << 6 | (byte(i) & 0x3F);
    }
    constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < smallest[length] || (c >= 0xD800 && c <= 0xDFFF) || c > 0x10FFFF) fail_invalid(text, offset);
    return {c, length};
}

/// Appends a code point as UTF-8.
inline void append(std::string& text, char32_t c) {
    if (c < 0x80) {
        text += static_cast<char>(c);
    } else if (c < 0x800) {
        text += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
    } else if (c < 0x10000) {
        text += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
                 static_cast<char>(0x80 | (c & 0x3F))};
    } else {
        text += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
                 static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
    }
}

/// Error naming the first byte that is not UTF-8.
inline void require_valid(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); i += decode(text, i).length) {
    }
}

template <std::size_t N>
constexpr bool within(const Range (&ranges)[N], char32_t c) {
    const Range* after = std::upper_bound(ranges, ranges + N, c, [](char32_t x, Range r) { return x < r.first; });
    return after != ranges && c <= std::prev(after)->last;
}

/// The property White_Space.
constexpr bool is_whitespace(char32_t c) {
    return (c >= 0x9 && c <= 0xD) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/// What BERT's cleaning removes: control, format and private-use characters, NUL and U+FFFD.
constexpr bool is_control(char32_t c) { return within(control_ranges, c); }

/// Where BERT splits: the categories P* and the ASCII symbols.
constexpr bool is_punctuation(char32_t c) {
    if (c < 0x80) return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || (c > 'z' && c < 0x7F);
    return within(punctuation_ranges, c);
}

/// Category Mn, what stripping accents removes.
constexpr bool is_nonspacing_mark(char32_t c) { return c >= 0x300 && within(mark_ranges, c); }

/// The ideographs that BERT puts spaces around (google-research/bert, tokenization.py, `_is_chinese_char`, with the
/// start of extension E as tokenizers has it: U+2B920).
constexpr bool is_cjk(char32_t c) {
    constexpr Range ideographs[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
                                    {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
    return c >= 0x3400 && within(ideographs, c);
}

[[noreturn]] inline void fail_unknown(char32_t c) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string shown;
    for (int shift = c > 0xFFFFF ? 20 : c > 0xFFFF ? 16 : 12; shift >= 0; shift -= 4) shown += digits[c >> shift & 15];
    fail("text has U+", shown, ", whose case and decomposition need utf8proc; build with DIDACT_WITH_UTF8PROC=1");
}

/// Letters U+00C0 to U+017F without their accents; '.' where the letter has no canonical decomposition.
inline constexpr std::string_view latin_bases = "AAAAAA.CEEEEIIII.NOOOOO..UUUUY..aaaaaa.ceeeeiiii.nooooo..uuuuy.y"
                                                "AaAaAaCcCcCcCcDd..EeEeEeEeEeGgGgGgGgHh..IiIiIiIiI...JjKk.LlLlLl."
                                                "...NnNnNn...OoOoOo..RrRrRrSsSsSsSsTtTt..UuUuUuUuUuUuWwYyYZzZzZz.";

/// Blocks beyond U+017F without case and without canonical decomposition (but for what is a mark or whitespace anyway).
constexpr bool is_plain(char32_t c) {
    constexpr Range plain[] = {{0x300, 0x36F},     {0x2000, 0x206F},  {0x20A0, 0x20BF}, {0x2500, 0x27BF},
                               {0x3000, 0x3029},   {0x3400, 0x4DBF},  {0x4E00, 0x9FFF}, {0x1F300, 0x1FAFF},
                               {0x20000, 0x2A6DF}, {0x2A700, 0x2CEAF}};
    return within(plain, c);
}

/// Unconditional full lower-casing: `sink(code point)` once, or twice for U+0130.
template <class Sink>
void lower(char32_t c, Sink&& sink) {
    if (c < 0x80) return sink(c >= 'A' && c <= 'Z' ? c + 32 : c);
    if (c == 0x130) return sink(U'i'), sink(char32_t{0x307});
#if DIDACT_WITH_UTF8PROC
    sink(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
#else
    if (c > 0x17F && !is_plain(c)) fail_unknown(c);
    const bool even_is_upper = (c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177);
    const bool odd_is_upper = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
    if (c == 0x178) return sink(char32_t{0xFF});
    if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return sink(c + 32);
    sink((even_is_upper && c % 2 == 0) || (odd_is_upper && c % 2 == 1) ? c + 1 : c);
#endif
}

/// Canonical decomposition: `sink(code point, canonical combining class)` for each part. The caller puts runs of
/// nonzero class in order. Without utf8proc accents of Latin letters are left out and every class is 0, which is enough
/// for stripping accents.
template <class Sink>
void decompose(char32_t c, Sink&& sink) {
    if (c < 0xC0) return sink(c, 0);
#if DIDACT_WITH_UTF8PROC
    std::array<utf8proc_int32_t, 8> parts; // the longest canonical decomposition has 4 (Unicode, UAX 15)
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                                               UTF8PROC_DECOMPOSE, &boundary);
    require(count >= 0 && count <= static_cast<utf8proc_ssize_t>(parts.size()), "utf8proc: ", utf8proc_errmsg(count));
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
        const auto part = static_cast<char32_t>(parts[static_cast<std::size_t>(i)]);
        sink(part, utf8proc_get_property(static_cast<utf8proc_int32_t>(part))->combining_class);
    }
#else
    if (c <= 0x17F) {
        const char base = latin_bases[c - 0xC0];
        return sink(base == '.' ? c : static_cast<char32_t>(base), 0);
    }
    if (!is_plain(c) && !is_nonspacing_mark(c)) fail_unknown(c);
    sink(c, 0);
#endif
}

/// What a regular expression's \w takes: letters, marks, decimal digits, connectors. Without utf8proc every code point
/// beyond Latin-1 that is neither whitespace nor punctuation nor control counts.
inline bool is_word_character(char32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
#if DIDACT_WITH_UTF8PROC
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) || category == UTF8PROC_CATEGORY_PC ||
           c == 0x200C || c == 0x200D;
#else
    if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
    return c != 0xD7 && c != 0xF7 && !is_whitespace(c) && !is_punctuation(c) && !is_control(c);
#endif
}

}
