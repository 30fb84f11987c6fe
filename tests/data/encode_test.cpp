#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "didact/data/answer_windows.hpp"
#include "didact/data/encode_table.hpp"
#include "didact/data/masking.hpp"
#include "didact/data/random_split.hpp"

namespace encode_test {

using namespace didact;

namespace {

using Ids = std::vector<std::int32_t>;

const text::WordPieceTokenizer& tokenizer() {
    static const text::WordPieceTokenizer made(std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
                                                                        "the", "cat", "##s", "sleep", "where", "in",
                                                                        "house", "?", "dog"},
                                               {});
    return made;
}

template <class List>
Ids ids_of(const List& list) {
    return {list.begin(), list.end()};
}

std::string message(const auto& body) {
    try {
        body();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

Table table(const ScratchFolder& folder, const std::string& contents) {
    Table result = read_table(folder.file("rows.tsv", contents));
    result.path = "rows.tsv";
    return result;
}

}

TEST_SUITE("unit") {
    TEST_CASE("a row of a table becomes the tokens of its text, or of its pair, and its class") {
        const ScratchFolder folder;
        const Table rows = table(folder, "text\tlabel\tother\nthe cats\tb\tthe dog\nsleep\ta\tsleep\n");
        const LabelSet labels = labels_of(rows);
        CHECK(labels.names() == std::vector<std::string>{"a", "b"});
        const Dataset single = encode_classification(tokenizer(), rows, labels);
        REQUIRE(single.size() == 2);
        CHECK(ids_of(single.token_ids(0)) == Ids{2, 5, 6, 7, 3});
        CHECK(ids_of(single.labels(0)) == Ids{1});
        CHECK(ids_of(single.labels(1)) == Ids{0});
        const Dataset pair = encode_classification(tokenizer(), rows, labels, 128, {.second_text = "other"});
        CHECK(ids_of(pair.token_ids(0)) == Ids{2, 5, 6, 7, 3, 5, 13, 3});
        CHECK(ids_of(pair.token_type_ids(0)) == Ids{0, 0, 0, 0, 0, 1, 1, 1});
        // As Transformers has it of two columns: the second text is there, with nothing in it.
        const Table gap = table(folder, "text\tlabel\tother\nthe cats\tb\t\nsleep\ta\tsleep\n");
        const Dataset gapped = encode_classification(tokenizer(), gap, labels, 128, {.second_text = "other"});
        CHECK(ids_of(gapped.token_ids(0)) == Ids{2, 5, 6, 7, 3, 3});
        CHECK(ids_of(gapped.token_type_ids(0)) == Ids{0, 0, 0, 0, 0, 1});
    }

    TEST_CASE("a text that is too long is cut, keeps its special tokens, and is counted") {
        const ScratchFolder folder;
        const Table rows = table(folder, "text\tlabel\nthe cats sleep in the house\ta\nsleep\tb\n");
        Truncated cut;
        const Dataset data = encode_classification(tokenizer(), rows, labels_of(rows), 5, {}, &cut);
        CHECK(ids_of(data.token_ids(0)) == Ids{2, 5, 6, 7, 3});
        CHECK(cut.samples == 1);
        const Dataset fits = encode_classification(tokenizer(), rows, labels_of(rows), 9, {}, &cut);
        CHECK(fits.token_ids(0).size() == 9);
        CHECK(cut.samples == 1);
        encode_text(tokenizer(), "the cat", "the dog", 7, &cut);
        CHECK(cut.samples == 1);
        encode_text(tokenizer(), "the cat", "the dog", 6, &cut);
        CHECK(cut.samples == 2);
    }

    TEST_CASE("a word of which cleaning leaves nothing is not cut off, one that loses a token makes its sentence cut") {
        Truncated cut;
        const std::vector<std::string> words{"the", "cats", "\u200b"};
        CHECK(encode_tagged_words(tokenizer(), words, Ids{4, 5, 6}, 16, &cut).labels == Ids{-100, 4, 5, -100, -100});
        CHECK(cut.samples == 0);
        CHECK(encode_tagged_words(tokenizer(), words, Ids{4, 5, 6}, 4, &cut).labels == Ids{-100, 4, 5, -100});
        CHECK(cut.samples == 1);
        CHECK(cut.words == 0);
        CHECK(encode_tagged_words(tokenizer(), words, Ids{4, 5, 6}, 3, &cut).labels == Ids{-100, 4, -100});
        CHECK(cut.samples == 2);
        CHECK(cut.words == 1);
    }

    TEST_CASE("a row that cannot be encoded is named by its file and line") {
        const ScratchFolder folder;
        const auto refused = [&](const std::string& contents, const ClassificationColumns& columns = {}) {
            const Table rows = table(folder, contents);
            return message([&] { encode_classification(tokenizer(), rows, LabelSet({"a", "b"}), 16, columns); });
        };
        CHECK(refused("text\tlabel\nthe cat\ta\n \tb\n") == "rows.tsv:3: the text is empty");
        CHECK(refused("text\tlabel\nthe cat\tc\n") ==
              "rows.tsv:2: label 'c' is none of the 2 labels of the training data ('a', 'b')");
        const ClassificationColumns graded{.difficulty = "level"};
        for (const std::string level : {"hard", "1.5", "-0.1", "nan", "0.5x", ""})
            CHECK(refused("text\tlevel\tlabel\nthe cat\t" + level + "\ta\n", graded) ==
                  "rows.tsv:2: the difficulty is '" + level + "', a number from 0 to 1 was expected");
        CHECK(refused("text\tlabel\nthe cat\ta\n", graded) ==
              "rows.tsv: there is no column 'level'; there are 'text', 'label'");
        const Table rows = table(folder, "text\tlevel\tlabel\nthe cat\t0.25\ta\n");
        CHECK(encode_classification(tokenizer(), rows, LabelSet({"a", "b"}), 16, graded).difficulty(0) == 0.25f);
        const Table same = table(folder, "text\tlabel\nthe cat\ta\nthe dog\ta\n");
        CHECK(message([&] { labels_of(same); }) ==
              "rows.tsv: a classification needs two labels or more, there is only 'a'");
    }

    TEST_CASE("numbers that are not finite, and token types that do not match, never get into a data set") {
        Dataset data("points");
        data.append({.features = {1, 2}});
        const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
        CHECK(message([&] {
                  data.append({.features = {1, nan}});
              }) == "points: sample 1 has a feature that is not a finite number");
        CHECK(message([&] {
                  data.append({.features = {1, 2}, .values = {-infinity}});
              }) == "points: sample 1 has a value that is not a finite number");
        CHECK(message([&] { data.append({.features = {1}}); }) ==
              "points: sample 1 has 1 features, those before it have 2");
        CHECK(message([&] {
                  data.append({.token_ids = {1, 2}, .token_type_ids = {0}, .features = {1, 2}});
              }) == "points: sample 1 has 2 token ids and 1 token type ids");
        CHECK(data.size() == 1);
    }

    TEST_CASE("the first token of a word has its tag, the others none; words that were cut off are counted") {
        Truncated cut;
        const std::vector<std::string> words{"the", "cats", "sleep"};
        const Sample whole = encode_tagged_words(tokenizer(), words, Ids{4, 5, 6}, 16, &cut);
        CHECK(whole.token_ids == Ids{2, 5, 6, 7, 8, 3});
        CHECK(whole.labels == Ids{-100, 4, 5, -100, 6, -100});
        CHECK(cut.samples == 0);
        CHECK(encode_tagged_words(tokenizer(), words, Ids{4, 5, 6}, 4, &cut).labels == Ids{-100, 4, 5, -100});
        CHECK(cut.samples == 1);
        CHECK(cut.words == 1);
        CHECK(message([&] { encode_tagged_words(tokenizer(), words, Ids{4}, 16); }) ==
              "a sentence has 3 words and 1 tags");
    }

    TEST_CASE("a long text becomes chunks that leave nothing out") {
        const auto chunks = encode_chunks(tokenizer(), "the cats sleep in the house", 5);
        REQUIRE(chunks.size() == 3);
        CHECK(chunks[0].token_ids == Ids{2, 5, 6, 7, 3});
        CHECK(chunks[1].token_ids == Ids{2, 8, 10, 5, 3});
        CHECK(chunks[2].token_ids == Ids{2, 11, 3});
        CHECK(message([] { encode_chunks(tokenizer(), "the", 2); }) ==
              "max_length 2 leaves no room between the special tokens");
    }

    TEST_CASE("windows of a context label its answer where they hold it whole, and [CLS] where they do not") {
        const std::string question = "where ?", context = "the cats sleep in the house";
        AnswerWindows windows("squad", 9, 2);
        windows.add(tokenizer(), {question, context, text::ByteRange{4, 8}}); // "cats"
        REQUIRE(windows.data.size() > 1);
        CHECK(ids_of(windows.data.labels(0)) == Ids{5, 6});
        CHECK(ids_of(windows.data.labels(windows.data.size() - 1)) == Ids{0, 0});
        std::vector<float> scores(2 * windows.data.tokens(), 0.f);
        scores[2 * 5] = 3, scores[2 * 6 + 1] = 3;
        CHECK(windows.answers(scores) == std::vector<std::string>{"cats"});
        scores.assign(scores.size(), -1.f);
        std::size_t base = 0;
        for (std::size_t w = 0; w < windows.data.size(); base += windows.data.length(w++)) scores[2 * base] = 5;
        CHECK(windows.answers(scores) == std::vector<std::string>{""});
        CHECK(windows.answers(scores, false) != std::vector<std::string>{""});
        scores.pop_back();
        CHECK(message([&] { windows.answers(scores); }).starts_with("squad: "));
    }

    TEST_CASE("an answer's edges may be what no token has, or lie within a token") {
        const std::string question = "where ?", context = "the cats\u0301 sleep in the house";
        const auto labels = [&](std::uint32_t begin, std::uint32_t end) {
            AnswerWindows windows("squad", 24, 2);
            windows.add(tokenizer(), {question, context, text::ByteRange{begin, end}});
            REQUIRE(windows.data.size() == 1);
            return ids_of(windows.data.labels(0));
        };
        const Ids cats = labels(4, 8);
        CHECK(cats == Ids{5, 6});
        CHECK(labels(4, 10) == cats); // with the accent, which cleaning takes off
        CHECK(labels(3, 11) == cats); // with spaces
        CHECK(labels(5, 6) == Ids{5, 5});
        CHECK(labels(3, 4) == Ids{0, 0});
        AnswerWindows narrow("squad", 9, 2);
        narrow.add(tokenizer(), {question, context, text::ByteRange{3, 17}}); // " cats sleep "
        std::size_t whole = 0;
        for (std::size_t w = 0; w < narrow.data.size(); ++w) {
            const Ids found = ids_of(narrow.data.labels(w));
            whole += found != Ids{0, 0};
            if (found != Ids{0, 0}) CHECK(found[1] - found[0] == 2);
        }
        CHECK(narrow.data.size() > 1);
        CHECK(whole >= 1);
        CHECK(whole < narrow.data.size());
    }
}

TEST_SUITE("property") {
    TEST_CASE("masking predicts 15 % of what is not special: 80 % masked, 10 % random, 10 % as they were") {
        const Masking masking{.mask_token_id = 4, .vocab_size = 1000, .special_token_ids = {2, 3}};
        std::vector<std::int32_t> original(200000, 7), tokens, labels(original.size());
        for (std::size_t i = 0; i < original.size(); i += 100) original[i] = 2;
        tokens = original;
        masking.apply(tokens, labels, Random({.seed = 5}));
        std::size_t chosen = 0, masked = 0, kept = 0;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            if (labels[i] == ignored_label) {
                CHECK(tokens[i] == original[i]);
                continue;
            }
            ++chosen;
            CHECK(labels[i] == original[i]);
            CHECK(original[i] != 2);
            CHECK((tokens[i] != 2 && tokens[i] != 3));
            masked += tokens[i] == 4, kept += tokens[i] == 7;
        }
        // Within five standard deviations of a binomial.
        const auto near = [](std::size_t count, double n, double p) {
            return std::abs(double(count) - n * p) < 5 * std::sqrt(n * p * (1 - p));
        };
        CHECK(near(chosen, 198000, 0.15));
        CHECK(near(masked, double(chosen), 0.8));
        CHECK(near(kept, double(chosen), 0.1));
        CHECK(message([] { Masking{.probability = 1.5, .vocab_size = 200}.check("here"); }) ==
              "here: masking probability 1.5 is not in (0, 1)");
        CHECK(message([] { Masking{.mask_token_id = 300, .vocab_size = 200}.check("here"); }) ==
              "here: mask_token_id 300 is not in a vocabulary of 200");
    }

    TEST_CASE("a random split holds out its share, each sample on one side, and the seed decides which") {
        const RandomSplit split = random_split(100, 0.3, 7);
        CHECK(split.held_out.size() == 30);
        std::vector<std::uint32_t> all = split.train;
        all.insert(all.end(), split.held_out.begin(), split.held_out.end());
        std::ranges::sort(all);
        for (std::uint32_t i = 0; i < 100; ++i) CHECK(all[i] == i);
        CHECK(std::ranges::is_sorted(split.train));
        CHECK(random_split(100, 0.3, 7).held_out == split.held_out);
        CHECK(random_split(100, 0.3, 8).held_out != split.held_out);
        std::vector<std::size_t> times(20);
        for (std::uint64_t seed = 0; seed < 4000; ++seed)
            for (const std::uint32_t i : random_split(20, 0.25, seed).held_out) ++times[i];
        for (const std::size_t count : times) CHECK(std::abs(double(count) - 1000) < 5 * std::sqrt(4000 * 0.25 * 0.75));
        CHECK(message([] { random_split(10, 0.01, 1); }) ==
              "random_split: 0.01 of 10 samples are 0, which leaves one part empty");
        CHECK(message([] { random_split(10, 1, 1); }) == "random_split: share is 1, it must lie in (0, 1)");
    }
}

}
