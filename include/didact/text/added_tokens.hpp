#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "didact/text/byte_trie.hpp"
#include "didact/text/normalizer.hpp"

namespace didact::text {

/// A token that is found in a text before it is split into words, with the options of Hugging Face's `AddedToken`.
struct AddedToken {
    std::string content = {};
    std::int32_t id = 0;
    bool special = true;      ///< left out by `decode`
    bool normalized = false;  ///< looked for in the normalized text, in its own normalized form
    bool single_word = false; ///< only where no word character is next to it
    bool lstrip = false;      ///< takes the whitespace on its left with it
    bool rstrip = false;      ///< takes the whitespace on its right with it

    friend bool operator==(const AddedToken&, const AddedToken&) = default;
};

/// Finds added tokens in a text: of those that begin first, the longest, and on after its end.
class AddedTokenFinder {
  public:
    AddedTokenFinder() = default;

    /// Looks for the tokens whose `normalized` is `normalized`, in their normalized form where it is true.
    AddedTokenFinder(const std::vector<AddedToken>& tokens, bool normalized, const BertNormalizer& normalizer) {
        for (const AddedToken& token : tokens) {
            if (token.normalized != normalized) continue;
            NormalizedText pattern;
            if (normalized)
                normalizer.normalize(token.content, 0, token.content.size(), pattern);
            else
                pattern.bytes = token.content;
            if (pattern.bytes.empty()) continue;
            trie_.insert(pattern.bytes, static_cast<std::int32_t>(tokens_.size()));
            tokens_.push_back(token);
            begins_[static_cast<unsigned char>(pattern.bytes[0])] = true;
        }
    }

    /// Calls `found(begin, end, token)` for each token in `text` and `between(begin, end)` for each part between them
    /// that is not empty, in the order of the text.
    template <class Between, class Found>
    void split(std::string_view text, Between&& between, Found&& found) const {
        std::size_t done = 0;
        for (std::size_t i = 0; !tokens_.empty() && i < text.size();) {
            if (!begins_[static_cast<unsigned char>(text[i])]) {
                ++i;
                continue;
            }
            const auto match = trie_.longest_prefix(text.substr(i));
            if (match.value == ByteTrie::absent) {
                ++i;
                continue;
            }
            const AddedToken& token = tokens_[static_cast<std::size_t>(match.value)];
            std::size_t begin = i, end = i + match.length;
            i = end;
            if (token.single_word && (ends_with_word(text.substr(0, begin)) || begins_with_word(text.substr(end))))
                continue;
            if (token.lstrip) begin = std::max(done, whitespace_before(text, begin));
            if (token.rstrip) end = whitespace_after(text, end);
            if (begin < done) continue;
            if (done < begin) between(done, begin);
            found(begin, end, token);
            done = end;
        }
        if (done < text.size()) between(done, text.size());
    }

  private:
    /// Where the character begins that ends before `end` > 0.
    static std::size_t before(std::string_view text, std::size_t end) {
        std::size_t begin = end - 1;
        while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
        return begin;
    }
    static bool begins_with_word(std::string_view text) {
        return !text.empty() && unicode::is_word_character(unicode::decode(text, 0).code_point);
    }
    static bool ends_with_word(std::string_view text) {
        return !text.empty() && unicode::is_word_character(unicode::decode(text, before(text, text.size())).code_point);
    }
    static std::size_t whitespace_before(std::string_view text, std::size_t end) {
        while (end > 0 && unicode::is_whitespace(unicode::decode(text, before(text, end)).code_point))
            end = before(text, end);
        return end;
    }
    static std::size_t whitespace_after(std::string_view text, std::size_t begin) {
        while (begin < text.size() && unicode::is_whitespace(unicode::decode(text, begin).code_point))
            begin += unicode::decode(text, begin).length;
        return begin;
    }

    std::vector<AddedToken> tokens_;
    ByteTrie trie_;
    std::array<bool, 256> begins_{};
};

}
