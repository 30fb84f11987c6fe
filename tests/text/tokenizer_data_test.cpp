#include <doctest/doctest.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "didact/text/vocabulary.hpp"
#include "didact/text/wordpiece.hpp"

namespace tokenizer_data_test {

using namespace didact;
using namespace didact::text;

namespace {

/// The lines of a real data file, empty where it is not there.
std::vector<std::string> lines_of(const char* name) {
    const auto path = std::filesystem::path(DIDACT_SOURCE_DIR) / "../shared/data" / name;
    std::ifstream file(path);
    if (!file) MESSAGE("skipped: there is no ", path.string());
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

/// Without utf8proc only the cased normalizer takes every letter of these files.
constexpr BertNormalizer normalizer{.lowercase = DIDACT_WITH_UTF8PROC == 1};

WordPieceTokenizer trained_on(const std::vector<std::string>& lines, std::size_t size) {
    return WordPieceTokenizer(train_wordpiece(lines, {.vocab_size = size, .normalizer = normalizer}),
                              {.normalizer = normalizer});
}

std::string normalized(const WordPieceTokenizer& tokenizer, std::string_view text) {
    NormalizedText result;
    tokenizer.options().normalizer.normalize(text, 0, text.size(), result);
    return result.bytes;
}

}

TEST_SUITE("data") {
    TEST_CASE("a token's bytes in the text normalize to the token") {
        for (const char* name : {"wikitext-2/valid.txt", "medical-abstracts/test.tsv", "cuad-clauses/test.tsv"}) {
            const std::vector<std::string> lines = lines_of(name);
            if (lines.empty()) continue;
            const WordPieceTokenizer tokenizer = trained_on(lines, 4000);
            std::size_t tokens = 0, wrong = 0, unknown = 0, out_of_order = 0;
            for (const std::string& line : lines) {
                const Encoding encoding = tokenizer.encode(line, {.add_special_tokens = false});
                std::uint32_t before = 0;
                for (std::size_t i = 0; i < encoding.size(); ++i) {
                    const ByteRange offset = encoding.offsets[i];
                    out_of_order += offset.begin < before || offset.empty();
                    before = offset.begin;
                    ++tokens;
                    if (encoding.ids[i] == tokenizer.unk_id()) {
                        ++unknown;
                        continue;
                    }
                    std::string_view token = tokenizer.token_of(encoding.ids[i]);
                    if (i > 0 && encoding.word_ids[i] == encoding.word_ids[i - 1]) token.remove_prefix(2);
                    wrong += normalized(tokenizer, offset.of(line)) != token;
                }
            }
            CHECK(wrong == 0);
            CHECK(out_of_order == 0);
            CHECK(unknown * 1000 < tokens);
            MESSAGE(std::string(name), ": ", tokens, " tokens, ", unknown, " unknown");
        }
    }

    TEST_CASE("decoding and encoding again gives the same ids") {
        const std::vector<std::string> lines = lines_of("banking77/test.tsv");
        if (lines.empty()) return;
        const WordPieceTokenizer tokenizer = trained_on(lines, 2000);
        for (const std::string& line : lines) {
            const std::vector<std::int32_t> ids = tokenizer.encode(line).ids;
            REQUIRE(tokenizer.encode(tokenizer.decode(ids)).ids == ids);
        }
    }

    TEST_CASE("English text is encoded at 5 MB a second and more") {
        const std::vector<std::string> lines = lines_of("medical-abstracts/train.tsv");
        if (lines.empty()) return;
        // Time of this process, so that other work on the machine does not count.
        const auto seconds = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
        const double began_training = seconds();
        const WordPieceTokenizer tokenizer = trained_on(lines, 8000);
        const double began = seconds();
        double bytes = 0, tokens = 0;
        for (int repeat = 0; repeat < 3; ++repeat)
            for (const std::string& line : lines) {
                bytes += static_cast<double>(line.size());
                tokens += static_cast<double>(tokenizer.encode(line).size());
            }
        const double taken = seconds() - began;
        MESSAGE("encoded ", bytes / taken / 1e6, " MB/s, ", tokens / taken / 1e6,
                " million tokens/s; a vocabulary of 8000 learnt at ", bytes / 3 / (began - began_training) / 1e6,
                " MB/s");
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        CHECK(bytes / taken > 5e6);
#endif
    }
}

}
