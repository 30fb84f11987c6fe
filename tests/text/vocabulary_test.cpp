#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "didact/text/vocabulary.hpp"
#include "didact/text/wordpiece.hpp"

namespace vocabulary_test {

using namespace didact;
using namespace didact::text;

namespace {

using Tokens = std::vector<std::string>;

}

TEST_SUITE("unit") {
    TEST_CASE("vocabulary: special tokens, characters by code point, continuations, then pairs by frequency") {
        // ab: 3 + 2 (in abc), ##bc: 2; after ab is one token, ab + ##c: 2.
        const Tokens texts{"ab ab ab", "abc ABC", "b"};
        CHECK(train_wordpiece(texts, {.special_tokens = {"[UNK]"}}) ==
              Tokens{"[UNK]", "a", "b", "c", "##b", "##c", "ab", "abc"});
        CHECK(train_wordpiece(texts, {.min_frequency = 3, .special_tokens = {"[UNK]"}}) ==
              Tokens{"[UNK]", "a", "b", "c", "##b", "##c", "ab"});
        CHECK(train_wordpiece(texts, {.vocab_size = 7, .special_tokens = {"[UNK]"}}).size() == 7);
    }

    TEST_CASE("vocabulary: the example of Sennrich et al. 2016 gives its merges") {
        // Their figure 1, without its mark for the end of a word: low 5, lower 2, newest 6, widest 3.
        Tokens texts;
        for (const auto& [word, count] : {std::pair{"low", 5}, {"lower", 2}, {"newest", 6}, {"widest", 3}})
            texts.insert(texts.end(), static_cast<std::size_t>(count), word);
        const Tokens learnt = train_wordpiece(texts, {.vocab_size = 100, .special_tokens = {}});
        const auto at = [&](const char* token) { return std::ranges::find(learnt, token) - learnt.begin(); };
        CHECK(at("##es") < at("##est")); // both 9; ##est is made of ##es
        CHECK(at("##est") < at("lo"));   // 9 before 7
        CHECK(at("lo") < at("low"));
        CHECK(at("low") < at("newest")); // 7 before 6
        CHECK(at("newest") < at("widest"));
        CHECK(at("lower") < static_cast<std::ptrdiff_t>(learnt.size()));
    }

    TEST_CASE("vocabulary: the order of texts does not matter, and repeated runs agree") {
        Tokens texts{"the cat sat on the mat", "a cat and a hat", "that hat sat", "mathematics and theatre"};
        const Tokens first = train_wordpiece(texts, {.vocab_size = 60, .min_frequency = 1});
        std::ranges::reverse(texts);
        CHECK(train_wordpiece(texts, {.vocab_size = 60, .min_frequency = 1}) == first);
    }

    TEST_CASE("vocabulary: pairs are counted rightly where a token repeats within a word") {
        const Tokens learnt = train_wordpiece(Tokens{"aaaaaaa aaaaaaa"}, {.special_tokens = {}});
        // a ##a×6 → ##aa; a ##aa ##aa ##aa → ##aaaa; a ##aaaa ##aa → both joined.
        CHECK(learnt == Tokens{"a", "##a", "##aa", "##aaaa", "aaaaa", "aaaaaaa"});
    }

    TEST_CASE("vocabulary: every text is made of its tokens") {
        const Tokens texts{"Unaffable cats naïvely sat.", "The mathematics of hats, cats & mats!"};
        const WordPieceTokenizer tokenizer(train_wordpiece(texts, {.vocab_size = 80, .min_frequency = 1}));
        for (const std::string& text : texts) {
            const Encoding encoding = tokenizer.encode(text);
            CHECK(std::ranges::count(encoding.ids, tokenizer.unk_id()) == 0);
        }
        CHECK(tokenizer.size() <= 80);
    }

    TEST_CASE("vocabulary: the rarest characters give way where the alphabet is limited") {
        const Tokens learnt =
            train_wordpiece(Tokens{"aaa bbb c bb"}, {.limit_alphabet = 2, .special_tokens = {"[UNK]"}});
        CHECK(std::ranges::find(learnt, "a") != learnt.end());
        CHECK(std::ranges::find(learnt, "b") != learnt.end());
        CHECK(std::ranges::find(learnt, "c") == learnt.end());
    }

    TEST_CASE("vocabulary: texts without words, or a size without room, are errors") {
        CHECK_THROWS_WITH(train_wordpiece(Tokens{}), "a vocabulary cannot be trained on texts without words");
        CHECK_THROWS_AS(train_wordpiece(Tokens{" \t", ""}), Error);
        CHECK_THROWS_WITH(train_wordpiece(Tokens{"abc"}, {.vocab_size = 6}),
                          "vocab_size 6 is less than the 10 special tokens and characters; limit_alphabet is 1000");
        CHECK_THROWS_AS(train_wordpiece(Tokens{"abc \xFF"}), Error);
    }
}

}
