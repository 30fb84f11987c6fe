#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "didact/text/wordpiece.hpp"

namespace wordpiece_test {

using namespace didact;
using namespace didact::text;

namespace {

using Ids = std::vector<std::int32_t>;

/// Ids:                                0        1        2        3        4         5     6     7       8      9
const std::vector<std::string> entries{"[PAD]",  "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un",   "##aff",
                                       "##able", "able",  "aff",   "the",   "cat",    "##s",  ",",
                                       "'",      "中",    "e",     "##e",   "na",     "##ive"};

WordPieceTokenizer tokenizer(WordPieceOptions options = {}) { return WordPieceTokenizer(entries, std::move(options)); }

Ids ids(std::string_view text) { return tokenizer().encode(text, {.add_special_tokens = false}).ids; }

std::string repeated(std::string_view part, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += part;
    return text;
}

}

TEST_SUITE("unit") {
    TEST_CASE("wordpiece: a word becomes the longest entries from left to right") {
        CHECK(ids("unaffable") == Ids{5, 6, 7});
        CHECK(ids("UNAFFABLE able") == Ids{5, 6, 7, 8});
        CHECK(ids("cats") == Ids{11, 12});
        CHECK(ids("the,cats'") == Ids{10, 13, 11, 12, 14});
        CHECK(ids("Naïve") == Ids{18, 19});
        CHECK(ids("").empty());
        CHECK(ids(" \t\u200B ").empty());
    }

    TEST_CASE("wordpiece: a word that cannot be made of entries is unknown as a whole") {
        CHECK(ids("unaffablex") == Ids{1});
        CHECK(ids("xcat") == Ids{1});
        CHECK(ids("##s") == Ids{1, 1, 1});
        CHECK(ids("cat dog cat") == Ids{11, 1, 11});
    }

    TEST_CASE("wordpiece: a word of more than 100 characters, not bytes, is unknown") {
        CHECK(ids(repeated("e", 100)).size() == 100);
        CHECK(ids(repeated("e", 101)) == Ids{1});
        const std::vector<std::string> accented{"[UNK]", "[CLS]", "[SEP]", "é", "##é"};
        const WordPieceTokenizer cased(accented, {.normalizer = {.lowercase = false}});
        CHECK(cased.encode(repeated("é", 100), {.add_special_tokens = false}).size() == 100);
        CHECK(cased.encode(repeated("é", 101), {.add_special_tokens = false}).ids == Ids{0});
        CHECK(tokenizer({.max_input_chars_per_word = 2}).encode("the", {.add_special_tokens = false}).ids == Ids{1});
    }

    TEST_CASE("wordpiece: special tokens written in the text are found as they are spelt") {
        CHECK(ids("the [MASK]cat[SEP]") == Ids{10, 4, 11, 3});
        CHECK(ids("[mask] [ MASK]") == Ids{1, 1, 1, 1, 1, 1});
        CHECK(ids("[MASK[MASK]") == Ids{1, 1, 4});
        const Encoding encoding = tokenizer().encode("the [MASK]s");
        CHECK(encoding.special_mask == std::vector<std::uint8_t>{1, 0, 0, 0, 1});
        CHECK(encoding.word_ids == Ids{-1, 0, 1, 2, -1});
    }

    TEST_CASE("wordpiece: one text is [CLS] A [SEP] of type 0") {
        const Encoding encoding = tokenizer().encode("the cats");
        CHECK(encoding.ids == Ids{2, 10, 11, 12, 3});
        CHECK(encoding.type_ids == Ids{0, 0, 0, 0, 0});
        CHECK(encoding.offsets == std::vector<ByteRange>{{0, 0}, {0, 3}, {4, 7}, {7, 8}, {0, 0}});
        CHECK(encoding.word_ids == Ids{-1, 0, 1, 1, -1});
        CHECK(encoding.special_mask == std::vector<std::uint8_t>{1, 0, 0, 0, 1});
        CHECK(encoding.sequence_index == std::vector<std::int8_t>{-1, 0, 0, 0, -1});
    }

    TEST_CASE("wordpiece: a pair is [CLS] A [SEP] B [SEP], B and its [SEP] of type 1") {
        const Encoding encoding = tokenizer().encode_pair("the", "cat, cats");
        CHECK(encoding.ids == Ids{2, 10, 3, 11, 13, 11, 12, 3});
        CHECK(encoding.type_ids == Ids{0, 0, 0, 1, 1, 1, 1, 1});
        CHECK(encoding.word_ids == Ids{-1, 0, -1, 0, 1, 2, 2, -1});
        CHECK(encoding.sequence_index == std::vector<std::int8_t>{-1, 0, -1, 1, 1, 1, 1, -1});
        CHECK(encoding.offsets[3] == ByteRange{0, 3});
    }

    TEST_CASE("wordpiece: offsets of accents, ideographs and unknown words are whole characters of the text") {
        const std::string_view text = "Naïve 中ж,";
        const Encoding encoding = tokenizer({.normalizer = {.strip_accents = false, .lowercase = false}}).encode(text);
        const std::vector<std::string_view> expected{"", "Naïve", "中", "ж", ",", ""};
        REQUIRE(encoding.size() == expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) CHECK(encoding.offsets[i].of(text) == expected[i]);
        const Encoding plain = tokenizer().encode("na\u200B\u00EFve");
        CHECK(plain.ids == Ids{2, 18, 19, 3});
        CHECK(plain.offsets[1] == ByteRange{0, 2});
        CHECK(plain.offsets[2] == ByteRange{5, 9});
    }

    TEST_CASE("wordpiece: max_length counts special tokens, and cuts at the end") {
        CHECK(tokenizer().encode("the cat the cat", {.max_length = 4}).ids == Ids{2, 10, 11, 3});
        CHECK(tokenizer().encode("the cat", {.max_length = 4}).ids == Ids{2, 10, 11, 3});
        CHECK(tokenizer().encode("the cat", {.max_length = 1, .add_special_tokens = false}).ids == Ids{10});
        const Encoding pair = tokenizer().encode_pair("the cat", "cat the cats",
                                                      {.max_length = 6, .truncation = Truncation::only_second});
        CHECK(pair.ids == Ids{2, 10, 11, 3, 11, 3});
        const Encoding first =
            tokenizer().encode_pair("the cat", "cat", {.max_length = 5, .truncation = Truncation::only_first});
        CHECK(first.ids == Ids{2, 10, 3, 11, 3});
    }

    TEST_CASE("wordpiece: a max_length that leaves no room is an error with the numbers") {
        CHECK_THROWS_WITH(tokenizer().encode("cat", {.max_length = 2}),
                          "max_length 2 leaves no room for text beside 2 special tokens");
        CHECK_THROWS_AS(tokenizer().encode_pair("cat", "cat", {.max_length = 3}), Error);
        CHECK_THROWS_AS(
            tokenizer().encode_pair("the cat the", "cat", {.max_length = 6, .truncation = Truncation::only_second}),
            Error);
        CHECK_THROWS_AS(
            tokenizer().encode_pair("cat", "the cat the", {.max_length = 6, .truncation = Truncation::only_first}),
            Error);
        CHECK_THROWS_AS(tokenizer().encode("cat", {.max_length = 5, .truncation = Truncation::only_second}), Error);
    }

    TEST_CASE("truncation: longest_first keeps the shorter text whole where it can, else halves") {
        // The cases of tokenizers' own test of truncate_encodings: lengths 0, 2, 4, 8 and a limit of 7.
        const auto cut = [](std::size_t a, std::size_t b) {
            return truncated_lengths(a, b, 7, Truncation::longest_first);
        };
        using Lengths = std::pair<std::size_t, std::size_t>;
        CHECK(cut(0, 0) == Lengths{0, 0});
        CHECK(cut(0, 8) == Lengths{0, 7});
        CHECK(cut(2, 4) == Lengths{2, 4});
        CHECK(cut(2, 8) == Lengths{2, 5});
        CHECK(cut(4, 4) == Lengths{3, 4});
        CHECK(cut(4, 8) == Lengths{3, 4});
        CHECK(cut(8, 2) == Lengths{5, 2});
        CHECK(cut(8, 4) == Lengths{4, 3});
        CHECK(cut(8, 8) == Lengths{3, 4});
    }

    TEST_CASE("wordpiece: words keep their index, and a word without tokens is passed over") {
        const std::vector<std::string> words{"unaffable", "\u200B", "cats,", "x"};
        const Encoding encoding = tokenizer().encode_words(words);
        CHECK(encoding.ids == Ids{2, 5, 6, 7, 11, 12, 13, 1, 3});
        CHECK(encoding.word_ids == Ids{-1, 0, 0, 0, 2, 2, 2, 3, -1});
        CHECK(encoding.offsets[4] == ByteRange{0, 3});
        CHECK(tokenizer().encode_words(words, {.max_length = 5}).word_ids == Ids{-1, 0, 0, 0, -1});
    }

    TEST_CASE("wordpiece: windows go over the whole context, each but the first repeating `stride` tokens") {
        const std::string context = repeated("the cat , ' ", 5); // 20 tokens
        const WordPieceTokenizer tokens = tokenizer();
        const Ids all = tokens.encode(context, {.add_special_tokens = false}).ids;
        REQUIRE(all.size() == 20);
        for (const std::size_t stride : {0u, 1u, 3u}) {
            const auto windows = tokens.encode_windows("the cats", context, 10, stride); // room for 4 of the context
            Ids joined;
            for (std::size_t w = 0; w < windows.size(); ++w) {
                CHECK(windows[w].size() <= 10);
                std::size_t seen = 0;
                for (std::size_t i = 0; i < windows[w].size(); ++i)
                    if (windows[w].sequence_index[i] == 1 && (w == 0 || seen++ >= stride))
                        joined.push_back(windows[w].ids[i]);
                const auto last = windows[w].offsets[windows[w].size() - 2];
                CHECK(tokens.encode(last.of(context), {.add_special_tokens = false}).ids ==
                      Ids{windows[w].ids[windows[w].size() - 2]});
            }
            CHECK(joined == all);
        }
        CHECK(tokens.encode_windows("the", "cat", 10, 2).size() == 1);
        CHECK(tokens.encode_windows("the", "", 4, 0).at(0).ids == Ids{2, 10, 3, 3});
        CHECK_THROWS_WITH(tokens.encode_windows("the cats", context, 10, 4),
                          "max_length 10 leaves 4 tokens for the context beside a question of 3 tokens; a stride of 4 "
                          "needs more");
        CHECK_THROWS_AS(tokens.encode_windows("the cats", context, 6, 0), Error);
        CHECK_THROWS_AS(tokens.encode_windows("the cats", context, 2, 0), Error);
    }

    TEST_CASE("wordpiece: decoding joins pieces and leaves out special tokens") {
        const WordPieceTokenizer tokens = tokenizer();
        CHECK(tokens.decode(tokens.encode("Unaffable cats, the cat").ids) == "unaffable cats, the cat");
        CHECK(tokens.decode(Ids{2, 10, 1, 3}) == "the");
        CHECK(tokens.decode(Ids{2, 10, 3}, false) == "[CLS] the [SEP]");
        CHECK(tokens.decode(Ids{12, 11}) == "##s cat");
        CHECK(tokenizer({.clean_up_tokenization_spaces = false}).decode(Ids{11, 13}) == "cat ,");
        CHECK(tokens.decode(Ids{}).empty());
        CHECK_THROWS_WITH(tokens.decode(Ids{20}), "no token has the id 20; the vocabulary has 20");
        CHECK_THROWS_AS(tokens.decode(Ids{-1}), Error);
    }

    TEST_CASE("wordpiece: tokens and ids find each other") {
        const WordPieceTokenizer tokens = tokenizer();
        CHECK(tokens.size() == entries.size());
        for (std::size_t i = 0; i < entries.size(); ++i) {
            CHECK(tokens.id_of(entries[i]) == static_cast<std::int32_t>(i));
            CHECK(tokens.token_of(static_cast<std::int32_t>(i)) == entries[i]);
        }
        CHECK_FALSE(tokens.id_of("dog"));
        CHECK(tokens.pad_id() == 0);
        CHECK(tokens.unk_id() == 1);
        CHECK(tokens.cls_id() == 2);
        CHECK(tokens.sep_id() == 3);
        CHECK(tokens.mask_id() == 4);
    }

    TEST_CASE("wordpiece: a bad vocabulary is an error that says what is wrong") {
        CHECK_THROWS_WITH(WordPieceTokenizer({}), "the vocabulary is empty");
        CHECK_THROWS_WITH(WordPieceTokenizer({"[CLS]", "[SEP]", "a"}),
                          "the vocabulary of 3 tokens has no unknown token '[UNK]'");
        CHECK_THROWS_WITH(WordPieceTokenizer({"[UNK]", "a"}), "the vocabulary of 2 tokens has no '[CLS]'");
        CHECK_THROWS_WITH(WordPieceTokenizer({"[UNK]", "[CLS]", "[SEP]", "a", "b", "a"}),
                          "vocabulary entries 3 and 5 are both 'a'");
        CHECK_THROWS_WITH(
            WordPieceTokenizer({"[UNK]", "[CLS]", "[SEP]", "\xFF"}),
            "vocabulary entry 3: text is not valid UTF-8: byte 0xFF at offset 0 of 1 starts no whole character");
        CHECK_THROWS_WITH(tokenizer().encode("cat \xC3"),
                          "text is not valid UTF-8: byte 0xC3 at offset 4 of 5 starts no whole character");
        CHECK_THROWS_WITH(WordPieceTokenizer({"[UNK]", "[CLS]", "[SEP]"}).pad_id(),
                          "the vocabulary of 3 tokens has no '[PAD]'");
    }

    TEST_CASE("added tokens: the leftmost is found first, and of those the longest") {
        WordPieceOptions options;
        options.added_tokens = {{"<a>", 20}, {"<a> b", 21}, {"a> b c", 22}};
        const WordPieceTokenizer tokens = tokenizer(options);
        CHECK(tokens.size() == 23);
        CHECK(tokens.encode("<a> b c", {.add_special_tokens = false}).ids == Ids{21, 1});
        CHECK(tokens.encode("<a> a> b c", {.add_special_tokens = false}).ids == Ids{20, 22});
        CHECK(tokens.decode(Ids{20, 10}) == "the");
    }

    TEST_CASE("added tokens: single_word, lstrip, rstrip and normalized do what they say") {
        WordPieceOptions options;
        options.added_tokens = {{.content = "drug", .id = 20, .special = false, .single_word = true},
                                {.content = "<l>", .id = 21, .lstrip = true},
                                {.content = "<r>", .id = 22, .rstrip = true},
                                {.content = "Zürich", .id = 23, .special = false, .normalized = true}};
        const WordPieceTokenizer tokens = tokenizer(options);
        const auto encode = [&](std::string_view text) { return tokens.encode(text, {.add_special_tokens = false}); };
        CHECK(encode("drug drugs, Drug").ids == Ids{20, 1, 13, 1});
        CHECK(encode("ZURICH zürich Zürich").ids == Ids{23, 23, 23});
        const Encoding stripped = encode("the \t<l> <r>  cat");
        CHECK(stripped.ids == Ids{10, 21, 22, 11});
        CHECK(stripped.offsets[1] == ByteRange{3, 8});
        CHECK(stripped.offsets[2] == ByteRange{9, 14});
        CHECK(tokens.decode(Ids{20, 21, 23}) == "drug Zürich");
    }

    TEST_CASE("added tokens: an id that another token has, or a gap, is an error") {
        WordPieceOptions options;
        options.added_tokens = {{"<a>", 5}};
        CHECK_THROWS_WITH(tokenizer(options), "added token '<a>' has id 5, which is that of 'un'");
        options.added_tokens = {{"<a>", 30}};
        CHECK_THROWS_AS(tokenizer(options), Error);
        options.added_tokens = {{"<a>", 20}, {"<a>", 21}};
        CHECK_THROWS_AS(tokenizer(options), Error);
        options.added_tokens = {{"", 20}};
        CHECK_THROWS_AS(tokenizer(options), Error);
    }
}

}
