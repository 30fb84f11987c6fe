#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/core/random.hpp"
#include "didact/data/generated/clinical_knowledge.hpp"
#include "didact/data/generated/clinical_wording.hpp"

namespace didact {

/// A word of a sentence, or a punctuation mark, and the number of its tag.
struct TaggedWord {
    std::string word;
    std::int32_t tag = 0;
    bool operator==(const TaggedWord&) const = default;
};

namespace clinical {

/// The kinds of mention; the tag of a mention's first word is 2 kind − 1, that of the others 2 kind.
enum class Mention : std::int32_t { none, symptom, disease, drug };

/// Writes sentences from the patterns of a register into tagged words.
class Writer {
  public:
    Writer(Random& random, Register form, bool later) : random_(random), form_(form), later_(later) {
        woman_ = random_.below(2) == 1;
    }

    /// One sentence from one of the alternatives of `patterns`. `other`: a symptom for {other}.
    void write(std::string_view patterns, std::span<const std::size_t> affirmed = {},
               std::span<const std::size_t> denied = {}, std::size_t other = 0) {
        const std::size_t begin = words_.size();
        affirmed_ = affirmed;
        denied_ = denied;
        other_ = other;
        expand(pick(patterns), Mention::none);
        if (form_ != Register::notes && begin < words_.size()) {
            char& first = words_[begin].word.front();
            if (first >= 'a' && first <= 'z') first = char(first - 'a' + 'A');
        }
    }

    std::vector<TaggedWord> words() && { return std::move(words_); }

  private:
    std::string_view pick(std::string_view alternatives) {
        std::uint64_t choice = random_.below(1 + std::uint64_t(std::ranges::count(alternatives, '|')));
        for (; choice > 0; --choice) alternatives.remove_prefix(alternatives.find('|') + 1);
        return alternatives.substr(0, alternatives.find('|'));
    }

    std::string_view slot(std::string_view name) const {
        for (const auto& [known, alternatives] : slots)
            if (known == name) return alternatives;
        fail("clinical grammar: there is no slot '", name, "'");
    }

    void add(std::string word, Mention mention) {
        const bool inside = mention != Mention::none && mention_words_++ > 0;
        words_.push_back({std::move(word), mention == Mention::none ? 0 : 2 * std::int32_t(mention) - !inside});
    }

    /// Appends the words of a pattern; those of a mention become its tags.
    void expand(std::string_view pattern, Mention mention) {
        while (!pattern.empty()) {
            const std::size_t open = pattern.find('{');
            std::size_t end = std::min(pattern.find(' '), pattern.size());
            if (open < end) end = std::min(pattern.find(' ', pattern.find('}')), pattern.size());
            const std::string_view piece = pattern.substr(0, end);
            pattern.remove_prefix(std::min(end + 1, pattern.size()));
            if (open >= end) {
                add(std::string(piece), mention);
                continue;
            }
            const std::size_t close = piece.find('}');
            const std::string_view name = piece.substr(open + 1, close - open - 1);
            if (open == 0 && close + 1 == piece.size())
                fill(name, mention);
            else // as in {age}-year-old
                add(std::string(piece.substr(0, open)).append(pick(slot(name))).append(piece.substr(close + 1)),
                    mention);
        }
    }

    void fill(std::string_view name, Mention mention) {
        if (name == "S") return list(affirmed_, "and", true, true);
        if (name == "D") return list(denied_, "or", true, false);
        if (name == "d") return list(denied_, "or", false, false);
        if (name == "other") return symptom(other_, true, false, "the");
        if (name == "sex") return add(woman_ ? "woman" : "man", mention);
        if (name == "he") return add(woman_ ? "she" : "he", mention);
        if (name == "his") return add(woman_ ? "her" : "his", mention);
        if (name == "my") return add(std::string(my_), mention);
        if (name == "drug")
            return mentioned(pick(slot(later_ && random_.below(2) ? "later drugs" : "first drugs")), Mention::drug);
        if (name == "disease") {
            const std::uint64_t choice = random_.below(diseases.size() + 8);
            return mentioned(choice < diseases.size() ? diseases[choice].name : pick(slot("other disease")),
                             Mention::disease);
        }
        expand(pick(slot(name)), mention);
    }

    void mentioned(std::string_view phrase, Mention mention) {
        mention_words_ = 0;
        expand(phrase, mention);
    }

    void list(std::span<const std::size_t> items, std::string_view conjunction, bool articles, bool graded) {
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i > 0) add(std::string(i + 1 < items.size() ? "," : conjunction), Mention::none);
            symptom(items[i], articles, graded, form_ == Register::lay ? "my" : "the");
        }
    }

    void symptom(std::size_t number, bool article, bool graded, std::string_view my) {
        const Symptom& entry = symptoms[number];
        std::string_view phrase = pick(form_ == Register::lay       ? entry.lay
                                       : form_ == Register::medical ? entry.medical
                                                                    : entry.notes);
        my_ = my;
        const bool had_article = phrase.starts_with("a ") || phrase.starts_with("an ");
        if (had_article) phrase.remove_prefix(phrase.find(' ') + 1);
        std::string_view severity;
        if (graded && entry.graded && random_.below(4) == 0) severity = pick(slot("severity"));
        if (had_article && article) {
            const char next = severity.empty() ? phrase.front() : severity.front();
            add(std::string_view("aeiou").find(next) == std::string_view::npos ? "a" : "an", Mention::none);
        }
        if (!severity.empty()) add(std::string(severity), Mention::none);
        mentioned(phrase, Mention::symptom);
    }

    Random& random_;
    Register form_;
    bool later_, woman_ = false;
    std::string_view my_ = "my";
    std::span<const std::size_t> affirmed_, denied_;
    std::size_t other_ = 0, mention_words_ = 0;
    std::vector<TaggedWord> words_;
};

/// The words with spaces between them, none before a mark.
inline std::string joined(std::span<const TaggedWord> words) {
    std::string text;
    for (const TaggedWord& w : words) {
        if (!text.empty() && w.word != "." && w.word != "," && w.word != ":") text += ' ';
        text += w.word;
    }
    return text;
}

}

}
