#pragma once
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "didact/text/encoding.hpp"
#include "didact/text/unicode.hpp"

namespace didact::text {

/// Text as the model's vocabulary has it; every byte knows from which bytes of the original text it came.
struct NormalizedText {
    std::string bytes = {};
    std::vector<ByteRange> sources = {}; ///< one a byte

    void clear() {
        bytes.clear();
        sources.clear();
    }

    void append(char32_t c, ByteRange source) {
        unicode::append(bytes, c);
        sources.resize(bytes.size(), source);
    }

    /// The original bytes behind the bytes [begin, end), which are not none.
    ByteRange source_of(std::size_t begin, std::size_t end) const {
        return {sources[begin].begin, sources[end - 1].end};
    }
};

/// Hugging Face's `BertNormalizer`: cleans (drops control characters, makes whitespace a space), puts spaces around CJK
/// ideographs, strips accents (NFD without Mn) and lower-cases, in this order.
struct BertNormalizer {
    bool clean_text = true;
    bool handle_chinese_chars = true;
    std::optional<bool> strip_accents = std::nullopt; ///< as `lowercase` unless given
    bool lowercase = true;

    friend bool operator==(const BertNormalizer&, const BertNormalizer&) = default;

    bool strips_accents() const { return strip_accents.value_or(lowercase); }

    /// Appends bytes [begin, end) of `text` to `result`. Error where they are not UTF-8.
    void normalize(std::string_view text, std::size_t begin, std::size_t end, NormalizedText& result) const {
        require(text.size() < std::numeric_limits<std::uint32_t>::max(), "a text of ", text.size(),
                " bytes is too long for one encoding");
        // A run of combining marks on its way into canonical order (Unicode, section 3.11). As in tokenizers, the
        // sources do not move with the marks.
        std::vector<std::pair<int, char32_t>> marks;
        std::vector<ByteRange> mark_sources;
        const auto emit = [&](char32_t c, ByteRange source) {
            if (lowercase)
                unicode::lower(c, [&](char32_t lowered) { result.append(lowered, source); });
            else
                result.append(c, source);
        };
        const auto flush = [&] {
            if (marks.empty()) return;
            std::stable_sort(marks.begin(), marks.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; });
            for (std::size_t i = 0; i < marks.size(); ++i)
                if (!unicode::is_nonspacing_mark(marks[i].second)) emit(marks[i].second, mark_sources[i]);
            marks.clear();
            mark_sources.clear();
        };
        text = text.substr(0, end);
        for (std::size_t i = begin; i < end;) {
            const auto first = static_cast<std::uint32_t>(i);
            if (const auto byte = static_cast<unsigned char>(text[i]); byte >= 0x20 && byte < 0x7F) {
                flush();
                result.bytes += static_cast<char>(lowercase && byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
                result.sources.push_back({first, first + 1});
                ++i;
                continue;
            }
            auto [c, length] = unicode::decode(text, i);
            const ByteRange source{first, first + length};
            i += length;
            if (clean_text) {
                if (unicode::is_control(c)) continue;
                if (unicode::is_whitespace(c)) c = ' ';
            }
            const bool spaced = handle_chinese_chars && unicode::is_cjk(c);
            if (spaced || c < 0x80) flush();
            if (spaced) result.append(' ', source);
            if (!strips_accents()) {
                emit(c, source);
            } else {
                unicode::decompose(c, [&](char32_t part, int combining_class) {
                    if (combining_class != 0) {
                        marks.emplace_back(combining_class, part);
                        mark_sources.push_back(source);
                        return;
                    }
                    flush();
                    if (!unicode::is_nonspacing_mark(part)) emit(part, source);
                });
            }
            if (spaced) result.append(' ', source);
        }
        flush();
    }
};

/// Hugging Face's `BertPreTokenizer`: calls `word(begin, end)` with the bytes of each word of `text`; words are parted
/// by whitespace, and each punctuation character is a word.
template <class Word>
void for_each_word(std::string_view text, Word&& word) {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size();) {
        const auto [c, length] = unicode::decode(text, i);
        const bool space = unicode::is_whitespace(c);
        if (space || unicode::is_punctuation(c)) {
            if (begin < i) word(begin, i);
            if (!space) word(i, i + length);
            begin = i + length;
        }
        i += length;
    }
    if (begin < text.size()) word(begin, text.size());
}

}
