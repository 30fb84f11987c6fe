#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "didact/text/normalizer.hpp"
#include "didact/text/unicode.hpp"

namespace unicode_test {

using namespace didact;
using namespace didact::text;

namespace {

std::string lowered(char32_t c) {
    std::string text;
    unicode::lower(c, [&](char32_t part) { unicode::append(text, part); });
    return text;
}

std::string normalized(std::string_view text, const BertNormalizer& normalizer = {}) {
    NormalizedText result;
    normalizer.normalize(text, 0, text.size(), result);
    CHECK(result.bytes.size() == result.sources.size());
    return result.bytes;
}

std::string utf8(char32_t c) {
    std::string text;
    unicode::append(text, c);
    return text;
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for_each_word(text,
                  [&](std::size_t begin, std::size_t end) { words.emplace_back(text.substr(begin, end - begin)); });
    return words;
}

}

TEST_SUITE("unit") {
    TEST_CASE("every code point survives encoding and decoding") {
        for (char32_t c = 0; c <= 0x10FFFF; ++c) {
            if (c == 0xD800) c = 0xE000;
            const std::string text = utf8(c);
            const auto [decoded, length] = unicode::decode(text, 0);
            REQUIRE(decoded == c);
            REQUIRE(length == text.size());
            REQUIRE(text.size() == (c < 0x80 ? 1u : c < 0x800 ? 2u : c < 0x10000 ? 3u : 4u));
        }
    }

    TEST_CASE("bytes that are not UTF-8 are an error that names byte and offset") {
        // RFC 3629: continuation alone, overlong, surrogate, above U+10FFFF, cut short, lead followed by ASCII.
        for (const std::string_view bad : {"\x80", "\xC0\xAF", "\xC1\x81", "\xE0\x80\xAF", "\xF0\x80\x80\xAF",
                                           "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                                           "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xC3(", "\xE2\x28\xA1"}) {
            const std::string text = "ab " + std::string(bad);
            CAPTURE(text);
            CHECK_THROWS_AS(unicode::require_valid(text), Error);
            CHECK_THROWS_AS(normalized(text), Error);
        }
        CHECK_THROWS_WITH(unicode::require_valid("ab \xC3"),
                          "text is not valid UTF-8: byte 0xC3 at offset 3 of 4 starts no whole character");
    }

    TEST_CASE("classes of ASCII are those of BERT's tokenizer") {
        const std::string_view punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
        for (char32_t c = 0; c < 0x80; ++c) {
            CAPTURE(c);
            CHECK(unicode::is_punctuation(c) == (punctuation.find(static_cast<char>(c)) != std::string_view::npos));
            CHECK(unicode::is_control(c) == ((c < 0x20 || c == 0x7F) && c != '\t' && c != '\n' && c != '\r'));
            CHECK(unicode::is_whitespace(c) == (c == ' ' || (c >= 9 && c <= 13)));
        }
    }

    TEST_CASE("the first and last code point of a range belong to it, their neighbours do not") {
        CHECK(unicode::is_cjk(0x4E00));
        CHECK(unicode::is_cjk(0x9FFF));
        CHECK_FALSE(unicode::is_cjk(0x4DFF));
        CHECK_FALSE(unicode::is_cjk(0xA000));
        CHECK_FALSE(unicode::is_cjk(0x3042)); // hiragana
        CHECK_FALSE(unicode::is_cjk(0xAC00)); // hangul
        CHECK(unicode::is_cjk(0x2F800));
        CHECK(unicode::is_nonspacing_mark(0x300));
        CHECK(unicode::is_nonspacing_mark(0x36F));
        CHECK_FALSE(unicode::is_nonspacing_mark(0x370));
        CHECK(unicode::is_punctuation(0x2019));
        CHECK(unicode::is_punctuation(0x3002));
        CHECK_FALSE(unicode::is_punctuation(0x20AC)); // a currency symbol
        CHECK(unicode::is_control(0x200B));
        CHECK(unicode::is_control(0xFFFD));
        CHECK_FALSE(unicode::is_control(0x378)); // not assigned
    }

    TEST_CASE("Latin letters lose case and accents, with or without utf8proc") {
        CHECK(lowered(U'Z') == "z");
        CHECK(lowered(0xC0) == "à");
        CHECK(lowered(0xD7) == "×");
        CHECK(lowered(0x130) == "i\u0307");
        CHECK(lowered(0x178) == "ÿ");
        CHECK(lowered(0x141) == "ł");
        CHECK(lowered(0x17D) == "ž");
        CHECK(lowered(0x138) == "ĸ");
        CHECK(normalized("ÀÉÎÕÜŸ çñß ŁøÆ ŻŹŽ") == "aeiouy cnß łøæ zzz");
        CHECK(normalized("İstanbul") == "istanbul");
        CHECK(normalized("e\u0301") == "e");
    }

#if DIDACT_WITH_UTF8PROC
    TEST_CASE("all of Latin-1 and Latin Extended-A is the same with and without utf8proc's tables") {
        for (char32_t c = 0xC0; c <= 0x17F; ++c) {
            const char base = unicode::latin_bases[c - 0xC0];
            CAPTURE(c);
            CHECK(normalized(utf8(c), {.strip_accents = true, .lowercase = false}) ==
                  (base == '.' ? utf8(c) : std::string(1, base)));
        }
    }

    TEST_CASE("other scripts lose case and nonspacing marks") {
        CHECK(normalized("Й") == "и");
        CHECK(normalized("ΆΣ") == "ασ"); // no final sigma: characters are lowered one by one
        CHECK(normalized("각") == "\u1100\u1161\u11A8");
        CHECK(normalized("\u212B") == "a");
        CHECK(normalized("\u1E69") == "s");
        CHECK(normalized("\u302E\u0323", {.strip_accents = true, .lowercase = false}) == "\u302E");
    }
#else
    TEST_CASE("without utf8proc a code point whose case is not known is an error that says so") {
        CHECK_THROWS_WITH(
            normalized("abc Й"),
            "text has U+0419, whose case and decomposition need utf8proc; build with DIDACT_WITH_UTF8PROC=1");
        CHECK(normalized("abc Й", {.lowercase = false}) == "abc Й");
        CHECK(normalized("“5 €” – 😀") == "“5 €” – 😀");
    }
#endif

    TEST_CASE("cleaning drops control characters and makes whitespace a space") {
        CHECK(normalized(std::string("a") + '\0' + "b\x07\x7F\u200B\uFFFDc") == "abc");
        CHECK(normalized("a\tb\nc\rd\u00A0e\u2003f\u3000g") == "a b c d e f g");
        CHECK(normalized("a\tb\u200B", {.clean_text = false}) == "a\tb\u200B");
    }

    TEST_CASE("ideographs get spaces around them unless that is switched off") {
        CHECK(normalized("ab中国c") == "ab 中  国 c");
        CHECK(normalized("ab中国c", {.handle_chinese_chars = false}) == "ab中国c");
    }

    TEST_CASE("accents are stripped where text is lower-cased unless it is said otherwise") {
        CHECK(normalized("É", {.lowercase = false}) == "É");
        CHECK(normalized("É", {.strip_accents = true, .lowercase = false}) == "E");
        CHECK(normalized("É", {.strip_accents = false}) == "é");
        CHECK(normalized("É") == "e");
    }

    TEST_CASE("a normalized byte knows the bytes that it comes from") {
        const std::string_view text = "xÉ中\u200By";
        NormalizedText result;
        BertNormalizer{}.normalize(text, 1, text.size(), result);
        CHECK(result.bytes == "e 中 y");
        CHECK(result.source_of(0, 1) == ByteRange{1, 3});
        CHECK(result.source_of(1, 2) == ByteRange{3, 6});
        CHECK(result.source_of(2, 5) == ByteRange{3, 6});
        CHECK(result.source_of(0, 5) == ByteRange{1, 6});
        CHECK(result.source_of(6, 7) == ByteRange{9, 10});
    }

    TEST_CASE("words are parted by whitespace, and each punctuation character is one") {
        CHECK(words_of("").empty());
        CHECK(words_of(" \u2003 ").empty());
        CHECK(words_of("don't  stop—now...") ==
              std::vector<std::string>{"don", "'", "t", "stop", "—", "now", ".", ".", "."});
    }
}

}
