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

/// A run of combining marks on its way into canonical order (Unicode, section 3.11), and out of it without nonspacing
/// marks. Which original bytes a mark is said to come from is as in tokenizers: each character of the text gives its
/// bytes to one mark, in the order of the text; a mark that a decomposition brings in shares those before it.
class CombiningMarks {
  public:
    /// A character that is no combining mark comes from `source`; marks follow it.
    void begin(ByteRange source) { before_ = source; }

    /// `first`: the mark is the first or only part of the decomposition of the character at `source`.
    void add(char32_t c, int combining_class, ByteRange source, bool first) {
        marks_.push_back({c, combining_class, first});
        if (first) sources_.push_back(source);
    }

    /// Ends the run; calls `emit(code point, source)`.
    template <class Emit>
    void flush(Emit&& emit) {
        if (marks_.empty()) return;
        std::ranges::stable_sort(marks_, {}, &Mark::combining_class);
        std::size_t next = 0;
        for (const Mark& mark : marks_) {
            if (mark.first) before_ = sources_[next++];
            if (!unicode::is_nonspacing_mark(mark.code_point)) emit(mark.code_point, before_);
        }
        marks_.clear();
        sources_.clear();
    }

  private:
    struct Mark {
        char32_t code_point;
        int combining_class;
        bool first;
    };
    std::vector<Mark> marks_;
    std::vector<ByteRange> sources_;
    ByteRange before_;
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
        CombiningMarks marks;
        const auto emit = [&](char32_t c, ByteRange source) {
            if (lowercase)
                unicode::lower(c, [&](char32_t lowered) { result.append(lowered, source); });
            else
                result.append(c, source);
        };
        const auto flush = [&] { marks.flush(emit); };
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
                bool leads = true;
                unicode::decompose(c, [&](char32_t part, int combining_class) {
                    if (combining_class == 0) {
                        flush();
                        marks.begin(source);
                        if (!unicode::is_nonspacing_mark(part)) emit(part, source);
                    } else {
                        marks.add(part, combining_class, source, leads);
                    }
                    leads = false;
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
