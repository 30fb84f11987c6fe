#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace didact::text {

/// Bytes [begin, end) of a text.
struct ByteRange {
    std::uint32_t begin = 0, end = 0;

    bool empty() const { return begin == end; }
    std::string_view of(std::string_view text) const { return text.substr(begin, end - begin); }
    friend bool operator==(ByteRange, ByteRange) = default;
};

/// A text or a pair of texts as tokens; all lists have one entry a token.
struct Encoding {
    std::vector<std::int32_t> ids = {}, type_ids = {};
    /// The bytes of the original text (of the first, of the second, of the word in `encode_words`) that a token stands
    /// for, without UTF-8 sequences cut in two; empty for tokens that the template adds.
    std::vector<ByteRange> offsets = {};
    /// Which word: counted from 0 in each sequence, punctuation and special tokens in the text being words too; in
    /// `encode_words` the index into the words given. -1 for tokens that the template adds.
    std::vector<std::int32_t> word_ids = {};
    /// 1 for tokens that the template adds. A special token that stands in the text itself has 0.
    std::vector<std::uint8_t> special_mask = {};
    /// 0 for the first text, 1 for the second, -1 for tokens that the template adds.
    std::vector<std::int8_t> sequence_index = {};
    std::size_t cut = 0; ///< tokens of the texts that are left out, as `max_length` has no room for them

    std::size_t size() const { return ids.size(); }

    void reserve(std::size_t tokens) {
        ids.reserve(tokens);
        type_ids.reserve(tokens);
        offsets.reserve(tokens);
        word_ids.reserve(tokens);
        special_mask.reserve(tokens);
        sequence_index.reserve(tokens);
    }

    friend bool operator==(const Encoding&, const Encoding&) = default;
};

}
