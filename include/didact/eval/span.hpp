#pragma once
#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if DIDACT_WITH_UTF8PROC
#include <utf8proc.h>
#endif

#include "didact/core/error.hpp"

namespace didact::eval {

namespace detail {

/// One code point of UTF-8 text and the bytes it takes; a byte that is no UTF-8 stands for itself.
struct CodePoint {
    char32_t value;
    std::size_t bytes;
};

inline CodePoint code_point(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return char32_t(static_cast<unsigned char>(text[i])); };
    const char32_t first = byte(at);
    const std::size_t bytes = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (bytes <= 1 || at + bytes > text.size()) return {first, 1};
    char32_t value = first & (0x7Fu >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) {
        if (byte(at + i) >> 6 != 2) return {first, 1};
        value = value << 6 | (byte(at + i) & 0x3F);
    }
    return {value, bytes};
}

/// White space as Python's str.split takes it.
inline bool is_space(char32_t c) {
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/// Whether `c` belongs to a word (a regular expression's \w). Without utf8proc all that is not ASCII does, but for
/// white space and General Punctuation.
inline bool is_word(char32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
#if DIDACT_WITH_UTF8PROC
    const auto category = utf8proc_category(utf8proc_int32_t(c));
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
#else
    return !is_space(c) && !(c >= 0x2000 && c <= 0x206F);
#endif
}

inline void append_lower(std::string& text, std::string_view from, std::size_t at, CodePoint c) {
    if (c.value < 0x80) {
        text += c.value >= 'A' && c.value <= 'Z' ? char(c.value + 32) : char(c.value);
        return;
    }
#if DIDACT_WITH_UTF8PROC
    utf8proc_uint8_t encoded[4];
    const auto lower = utf8proc_tolower(utf8proc_int32_t(c.value));
    if (c.bytes > 1 && lower != utf8proc_int32_t(c.value)) {
        const auto size = utf8proc_encode_char(lower, encoded);
        text.append(reinterpret_cast<const char*>(encoded), std::size_t(size));
        return;
    }
#endif
    text.append(from.substr(at, c.bytes));
}

inline double token_f1(std::span<const std::string> predicted, std::span<const std::string> gold) {
    if (predicted.empty() || gold.empty()) return predicted.empty() && gold.empty() ? 1 : 0;
    std::map<std::string_view, std::size_t> left;
    for (const std::string& token : gold) ++left[token];
    std::size_t common = 0;
    for (const std::string& token : predicted)
        if (const auto found = left.find(token); found != left.end() && found->second > 0) --found->second, ++common;
    return 2 * double(common) / double(predicted.size() + gold.size());
}

}

/// The words of an answer as the evaluation of SQuAD compares them (Rajpurkar et al. 2016, arXiv 1606.05250, and its
/// evaluate-v2.0.py): lower case, without ASCII punctuation, without the articles a, an, the, split at white space.
/// Letters beyond ASCII are lowered where the library is built with utf8proc.
inline std::vector<std::string> normalized_answer(std::string_view answer) {
    std::string text;
    for (std::size_t i = 0; i < answer.size();) {
        const detail::CodePoint c = detail::code_point(answer, i);
        const bool punctuation = c.value > 32 && c.value < 127 && (c.value == '_' || !detail::is_word(c.value));
        if (!punctuation) detail::append_lower(text, answer, i, c);
        i += c.bytes;
    }
    std::vector<std::string> words;
    std::string word, run; // `run`: word characters since the last boundary, where an article may stand
    const auto end_run = [&] {
        const bool article = run == "a" || run == "an" || run == "the";
        if (article && !word.empty()) words.push_back(std::exchange(word, {}));
        if (!article) word += run;
        run.clear();
    };
    const auto end_word = [&] {
        if (!word.empty()) words.push_back(std::exchange(word, {}));
    };
    for (std::size_t i = 0; i < text.size();) {
        const detail::CodePoint c = detail::code_point(text, i);
        if (detail::is_word(c.value)) {
            run.append(text, i, c.bytes);
        } else {
            end_run();
            if (detail::is_space(c.value))
                end_word();
            else
                word.append(text, i, c.bytes);
        }
        i += c.bytes;
    }
    end_run();
    end_word();
    return words;
}

/// 1 where prediction and answer have the same normalised words in the same order, else 0.
inline double exact_match(std::string_view predicted, std::string_view gold) {
    return normalized_answer(predicted) == normalized_answer(gold) ? 1 : 0;
}

/// F1 of the bags of normalised words; where one of the two is empty, 1 if both are, else 0.
inline double answer_f1(std::string_view predicted, std::string_view gold) {
    return detail::token_f1(normalized_answer(predicted), normalized_answer(gold));
}

/// Means over questions, each in [0, 1] (the published scripts print percentages).
struct SpanScores {
    double exact_match = 0, f1 = 0;
    std::size_t count = 0;
};

/// Exact match and F1 over questions, the best over each question's gold answers, as evaluate-v2.0.py: gold answers
/// that are empty when normalised are set aside; where none is left the question has no answer, and the right
/// prediction is the empty text.
class AnswerScores {
  public:
    void add(std::string_view predicted, std::span<const std::string> gold) {
        const std::vector<std::string> guess = normalized_answer(predicted);
        std::vector<std::vector<std::string>> truths;
        for (const std::string& answer : gold)
            if (std::vector<std::string> words = normalized_answer(answer); !words.empty())
                truths.push_back(std::move(words));
        SpanScores& sums = truths.empty() ? without_ : with_;
        if (truths.empty()) truths.emplace_back();
        double exact = 0, f1 = 0;
        for (const auto& truth : truths) {
            exact = std::max(exact, guess == truth ? 1.0 : 0.0);
            f1 = std::max(f1, detail::token_f1(guess, truth));
        }
        sums.exact_match += exact;
        sums.f1 += f1;
        ++sums.count;
    }

    SpanScores all() const {
        return mean({with_.exact_match + without_.exact_match, with_.f1 + without_.f1, with_.count + without_.count});
    }
    SpanScores with_answer() const { return mean(with_); }
    SpanScores without_answer() const { return mean(without_); }

  private:
    static SpanScores mean(SpanScores sums) {
        const double n = sums.count > 0 ? double(sums.count) : 1;
        return {sums.exact_match / n, sums.f1 / n, sums.count};
    }

    SpanScores with_, without_; // sums
};

}
