#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "didact/data/conll.hpp"

#include "../io/scratch.hpp"

namespace conll_test {

using namespace didact;

namespace {

using List = std::vector<std::string>;

std::string said(std::string_view text, const ConllOptions& options = {}) {
    return error_of([&] { parse_conll(text, "x.conll", options); });
}

const std::filesystem::path shared = DIDACT_SOURCE_DIR "/../shared/data";

}

TEST_SUITE("unit") {

    TEST_CASE("words and tags are read by sentence; blank lines, also of tabs, end one") {
        const auto sentences = parse_conll("\n\nAspirin\tB-Chemical\nhelps\tO\n\t\n\n# \tO\r\nA B\tI-X", "x.conll");
        REQUIRE(sentences.size() == 2);
        CHECK(sentences[0].tokens == List{"Aspirin", "helps"});
        CHECK(sentences[0].tags == List{"B-Chemical", "O"});
        CHECK(sentences[0].line == 3);
        CHECK(sentences[1].tokens == List{"# ", "A B"});
        CHECK(sentences[1].tags == List{"O", "I-X"});
        CHECK(sentences[1].line == 7);
    }

    TEST_CASE("the four columns of CoNLL-2003 between spaces are read, document starts are left out") {
        const std::string text =
            "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects  VBZ B-VP O\n\n-DOCSTART- -X- O O\n\n. . O O\n";
        const auto last = parse_conll(text, "x");
        REQUIRE(last.size() == 2);
        CHECK(last[0].tokens == List{"EU", "rejects"});
        CHECK(last[0].tags == List{"B-ORG", "O"});
        CHECK(last[1].tags == List{"O"});
        CHECK(parse_conll(text, "x", {.tag_column = 1})[0].tags == List{"NNP", "VBZ"});
    }

    TEST_CASE("a document start ends a sentence, with or without blank lines around it") {
        const auto sentences = parse_conll("A O\nB O\n-DOCSTART- O\nC O\n", "x");
        REQUIRE(sentences.size() == 2);
        CHECK(sentences[0].tokens == List{"A", "B"});
        CHECK(sentences[1].tokens == List{"C"});
        CHECK(sentences[1].line == 4);
    }

    TEST_CASE("comments are left out where they are asked for, and columns are chosen by number") {
        const auto sentences = parse_conll("# sent_id = 1\n1\tdogs\tNOUN\n2\tbark\tVERB\n", "x.conllu",
                                           {.token_column = 1, .tag_column = 2, .comments = true});
        REQUIRE(sentences.size() == 1);
        CHECK(sentences[0].tokens == List{"dogs", "bark"});
        CHECK(sentences[0].tags == List{"NOUN", "VERB"});
    }

    TEST_CASE("lines that do not fit are errors with their number") {
        CHECK(said("a\tO\nb\n") == "x.conll:2: has 1 columns, lines before it have 2");
        CHECK(said("a\tO\nb\tO\tO\n") == "x.conll:2: has 3 columns, lines before it have 2");
        CHECK(said("word\n") == "x.conll:1: has 1 columns, the token was expected in number 0 and the tag in the last, "
                                "counted from 0");
        CHECK(said("a\tO\n", {.tag_column = 3}) ==
              "x.conll:1: has 2 columns, the token was expected in number 0 and the tag in number 3, counted from 0");
        CHECK(said("a\tO\n\n\tO\n") == "x.conll:3: the token is empty");
        CHECK(said("a\tO\nb\t\n") == "x.conll:2: the tag of 'b' is empty");
        CHECK(said("a\tO\n\xE9\tO\n") == "x.conll:2:1: not valid UTF-8: byte 0xE9");
    }

    TEST_CASE("files that are missing, empty or without sentences are errors") {
        const ScratchFolder folder;
        CHECK(error_of([&] { read_conll(folder.path / "x"); }, folder.path) == "x: there is no such file");
        CHECK(said("") == "x.conll: is empty");
        CHECK(said(" \t\n") == "x.conll: has no sentences");
        CHECK(said("-DOCSTART- -X- O O\n") == "x.conll: has no sentences");
    }
}

TEST_SUITE("data") {

    TEST_CASE("the tagged files of the shared data have as many lines as their descriptions say") {
        struct Expected {
            const char* file;
            std::size_t lines; ///< words and the blank lines between sentences
            std::size_t sentences;
        };
        for (const Expected& expected : std::vector<Expected>{{"ncbi-disease/train.conll", 141125, 5424},
                                                              {"ncbi-disease/valid.conll", 24892, 923},
                                                              {"ncbi-disease/test.conll", 25437, 940},
                                                              {"bc5cdr/test.conll", 129547, 4797},
                                                              {"bc5cdr/train.conll", 122730, 4560},
                                                              {"wnut17/test.conll", 24681, 1287},
                                                              {"wnut17/valid.conll", 16742, 1009}}) {
            if (!std::filesystem::exists(shared / expected.file)) {
                MESSAGE("skipped: no " << expected.file);
                continue;
            }
            INFO(std::string(expected.file));
            const auto read = read_conll(shared / expected.file);
            CHECK(read.size() == expected.sentences);
            std::size_t words = 0;
            for (const TaggedSentence& sentence : read) {
                words += sentence.tokens.size();
                REQUIRE(sentence.tokens.size() == sentence.tags.size());
                for (const std::string& tag : sentence.tags)
                    REQUIRE((tag == "O" || tag.starts_with("B-") || tag.starts_with("I-")));
            }
            CHECK(words + read.size() == expected.lines);
        }
    }

    TEST_CASE("the training part of WNUT 2017, whose sentences end with a tab, has 3,394 of them") {
        if (!std::filesystem::exists(shared / "wnut17/train.conll")) {
            MESSAGE("skipped: no wnut17/train.conll");
            return;
        }
        CHECK(read_conll(shared / "wnut17/train.conll").size() == 3394);
    }
}

}
