#pragma once
#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "didact/data/dataset.hpp"
#include "didact/text/encoding.hpp"
#include "didact/text/wordpiece.hpp"

namespace didact {

/// What encoding had to leave out, for the user to see.
struct Truncated {
    std::size_t samples = 0; ///< that were longer than max_length
    std::size_t words = 0;   ///< labelled words that were cut off (tagging)
};

/// The sample of one text, or of a pair where `second` is given, empty or not, cut to `max_length` tokens; `truncated`
/// counts it where it was longer.
inline Sample encode_text(const text::WordPieceTokenizer& tokenizer, std::string_view first,
                          std::optional<std::string_view> second, std::size_t max_length,
                          Truncated* truncated = nullptr) {
    const text::EncodeOptions options{.max_length = max_length};
    text::Encoding encoding =
        second ? tokenizer.encode_pair(first, *second, options) : tokenizer.encode(first, options);
    if (truncated && encoding.cut > 0) ++truncated->samples;
    return {.token_ids = std::move(encoding.ids), .token_type_ids = std::move(encoding.type_ids)};
}

/// The sample of a sentence that is split into words, each with a tag's number: the first token of a word carries the
/// word's label, all others ignored_label, as in Transformers' token-classification examples.
inline Sample encode_tagged_words(const text::WordPieceTokenizer& tokenizer, const std::vector<std::string>& words,
                                  std::span<const std::int32_t> tags, std::size_t max_length,
                                  Truncated* truncated = nullptr) {
    require(words.size() == tags.size(), "a sentence has ", words.size(), " words and ", tags.size(), " tags");
    text::Encoding encoding = tokenizer.encode_words(words, {.max_length = max_length});
    Sample sample{.token_ids = std::move(encoding.ids), .token_type_ids = std::move(encoding.type_ids)};
    sample.labels.assign(sample.token_ids.size(), ignored_label);
    std::int32_t last = -1;
    for (std::size_t t = 0; t < sample.labels.size(); ++t) {
        const std::int32_t word = encoding.word_ids[t];
        if (word < 0 || word == last) continue;
        sample.labels[t] = tags[std::size_t(word)];
        last = word;
    }
    if (truncated && encoding.cut > 0) {
        ++truncated->samples;
        const auto unseen = std::span(words).subspan(std::size_t(last + 1));
        std::vector<std::int32_t> cut = tokenizer.encode_words(unseen, {.add_special_tokens = false}).word_ids;
        cut.erase(std::unique(cut.begin(), cut.end()), cut.end());
        truncated->words += cut.size(); // words of which cleaning leaves nothing are not among them
    }
    return sample;
}

/// A long text as samples of at most `max_length` tokens each, nothing left out: for language modelling.
inline std::vector<Sample> encode_chunks(const text::WordPieceTokenizer& tokenizer, std::string_view text,
                                         std::size_t max_length) {
    require(max_length >= 3, "max_length ", max_length, " leaves no room between the special tokens");
    const text::Encoding encoding = tokenizer.encode(text, {.add_special_tokens = false});
    std::vector<Sample> samples;
    for (std::size_t begin = 0; begin < encoding.size(); begin += max_length - 2) {
        const std::size_t end = std::min(encoding.size(), begin + max_length - 2);
        Sample sample{.token_ids = {tokenizer.cls_id()}};
        sample.token_ids.insert(sample.token_ids.end(), encoding.ids.begin() + std::ptrdiff_t(begin),
                                encoding.ids.begin() + std::ptrdiff_t(end));
        sample.token_ids.push_back(tokenizer.sep_id());
        samples.push_back(std::move(sample));
    }
    return samples;
}

}
