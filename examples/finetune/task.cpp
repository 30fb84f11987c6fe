#include "task.hpp"

#include <numeric>

#include "didact/core/random.hpp"
#include "didact/data/conll.hpp"
#include "didact/data/encode_table.hpp"
#include "didact/data/random_split.hpp"
#include "didact/data/squad.hpp"
#include "didact/eval/span.hpp"

namespace finetune {

using namespace didact;

namespace {

/// The numbers of the training rows to use: all, or `limit` of them drawn by the seed.
std::vector<std::uint32_t> chosen_rows(std::size_t rows, const Options& options) {
    std::vector<std::uint32_t> order(rows);
    std::iota(order.begin(), order.end(), 0u);
    if (options.limit == 0 || options.limit >= rows) return order;
    Random({.seed = options.seed, .purpose = RandomPurpose::data}).shuffle(std::span<std::uint32_t>(order));
    order.resize(options.limit);
    std::sort(order.begin(), order.end());
    return order;
}

/// The rows that train, and those of --valid-share.
RandomSplit split_rows(std::size_t rows, const Options& options) {
    std::vector<std::uint32_t> chosen = chosen_rows(rows, options);
    if (options.valid_share == 0) return {.train = std::move(chosen), .held_out = {}};
    RandomSplit split;
    try {
        split = random_split(chosen.size(), options.valid_share, options.seed);
    } catch (const Error& error) {
        fail("--valid-share: ", options.train, ": ", error.what());
    }
    for (auto* part : {&split.train, &split.held_out})
        for (std::uint32_t& row : *part) row = chosen[row];
    return split;
}

/// Says where an error arose, for errors of rows that were read from a file.
template <class Body>
void in_line(const std::string& path, std::size_t line, const Body& body) {
    try {
        body();
    } catch (const Error& error) {
        const std::string what = error.what();
        if (what.starts_with(path)) throw;
        fail(path, ":", line, ": ", what);
    }
}

/// Weights that make every class count alike: rows / (classes · rows of the class), as scikit-learn's "balanced".
std::vector<float> balanced_weights(const Dataset& train, std::size_t classes) {
    std::vector<double> counts(classes);
    for (std::size_t i = 0; i < train.size(); ++i) ++counts[std::size_t(train.labels(i)[0])];
    std::vector<float> weights;
    for (const double count : counts)
        weights.push_back(count > 0 ? float(double(train.size()) / (double(classes) * count)) : 1.0f);
    return weights;
}

Task read_classification(const Options& options, const text::WordPieceTokenizer& tokenizer) {
    Task task;
    const Table train = read_table(options.train), test = read_table(options.test);
    const ClassificationColumns columns{options.text_column, options.label_column, options.second_text_column};
    ClassificationColumns of_training = columns;
    of_training.difficulty = options.difficulty_column;
    task.labels = labels_of(train, columns);
    Truncated cut;
    const auto encode = [&](const Table& table, const ClassificationColumns& of) {
        return encode_classification(tokenizer, table, task.labels, options.max_length, of, &cut);
    };
    const Dataset all = encode(train, of_training);
    const RandomSplit rows = split_rows(all.size(), options);
    task.train = all.subset(rows.train);
    task.valid = options.valid.empty() ? all.subset(rows.held_out) : encode(read_table(options.valid), columns);
    task.test = encode(test, columns);
    if (options.class_weights) task.class_weights = balanced_weights(task.train, task.labels.size());
    if (cut.samples > 0)
        task.notes.push_back(std::to_string(cut.samples) + " texts have more than " +
                             std::to_string(options.max_length) + " tokens and were cut there");
    task.metrics = [](const Evaluation& test) { return test.metrics; };
    return task;
}

Dataset encode_sentences(const std::string& path, const std::vector<TaggedSentence>& sentences, const Options& options,
                         const text::WordPieceTokenizer& tokenizer, const LabelSet& labels, Truncated& truncated) {
    Dataset data(path);
    for (const TaggedSentence& sentence : sentences)
        in_line(path, sentence.line, [&] {
            std::vector<std::int32_t> tags;
            for (std::size_t w = 0; w < sentence.tags.size(); ++w)
                tags.push_back(labels.id(sentence.tags[w], path + ":" + std::to_string(sentence.line + w)));
            data.append(encode_tagged_words(tokenizer, sentence.tokens, tags, options.max_length, &truncated));
        });
    return data;
}

/// Sentences of words and tags. What is named like a table is none, even where its rows would pass for words and tags.
std::vector<TaggedSentence> read_sentences(const std::filesystem::path& path) {
    const std::string extension = path.extension().string();
    for (const char* of_a_table : {".tsv", ".csv", ".jsonl", ".ndjson", ".json"})
        require(extension != of_a_table, path.string(), ": its name ends in '", extension,
                "', --task tag reads CoNLL files, one word and its tag a line");
    return read_conll(path);
}

Task read_tagging(const Options& options, const text::WordPieceTokenizer& tokenizer) {
    Task task;
    const auto train = read_sentences(options.train);
    std::vector<std::string> tags;
    for (const TaggedSentence& sentence : train) tags.insert(tags.end(), sentence.tags.begin(), sentence.tags.end());
    task.labels = LabelSet::from(tags);
    require(task.labels.size() > 1, options.train, ": tagging needs two tags or more, there is only '",
            excerpt(task.labels.name(0)), "'");
    Truncated truncated;
    const auto encode = [&](const std::string& path, const std::vector<TaggedSentence>& sentences) {
        return encode_sentences(path, sentences, options, tokenizer, task.labels, truncated);
    };
    const Dataset all = encode(options.train, train);
    const RandomSplit rows = split_rows(all.size(), options);
    task.train = all.subset(rows.train);
    task.valid =
        options.valid.empty() ? all.subset(rows.held_out) : encode(options.valid, read_sentences(options.valid));
    const std::size_t cut_before = truncated.words;
    task.test = encode(options.test, read_sentences(options.test));
    if (truncated.samples > 0)
        task.notes.push_back(std::to_string(truncated.samples) + " sentences are longer than " +
                             std::to_string(options.max_length) + " tokens; " + std::to_string(truncated.words) +
                             " words were cut off, " + std::to_string(truncated.words - cut_before) +
                             " of them in the test data, where they do not count");
    task.metrics = [](const Evaluation& test) { return test.metrics; };
    return task;
}

AnswerWindows windows_of(const Squad& squad, const std::vector<std::uint32_t>& questions, const Options& options,
                         const text::WordPieceTokenizer& tokenizer) {
    AnswerWindows windows(squad.path, options.max_length, options.stride);
    for (const std::uint32_t q : questions) {
        const SquadQuestion& question = squad.questions[q];
        Question next{question.question, squad.contexts[question.context]};
        if (!question.answers.empty())
            next.answer =
                text::ByteRange{std::uint32_t(question.answers[0].begin), std::uint32_t(question.answers[0].end)};
        try {
            windows.add(tokenizer, next);
        } catch (const Error& error) {
            fail(squad.path, ": question '", excerpt(question.id), "': ", error.what());
        }
    }
    return windows;
}

std::vector<std::uint32_t> all_questions(const Squad& squad) {
    std::vector<std::uint32_t> all(squad.questions.size());
    std::iota(all.begin(), all.end(), 0u);
    return all;
}

Task read_spans(const Options& options, const text::WordPieceTokenizer& tokenizer) {
    Task task;
    const Squad train = read_squad(options.train);
    const RandomSplit questions = split_rows(train.questions.size(), options);
    task.train = windows_of(train, questions.train, options, tokenizer).data;
    if (options.valid_share > 0) task.valid = windows_of(train, questions.held_out, options, tokenizer).data;
    if (!options.valid.empty()) {
        const Squad valid = read_squad(options.valid);
        task.valid = windows_of(valid, all_questions(valid), options, tokenizer).data;
    }
    // The windows point into the contexts, so both live as long as the metrics may be asked for.
    const auto test = std::make_shared<const Squad>(read_squad(options.test));
    const auto windows =
        std::make_shared<const AnswerWindows>(windows_of(*test, all_questions(*test), options, tokenizer));
    task.test = windows->data;
    const bool may_be_empty =
        std::any_of(test->questions.begin(), test->questions.end(), [](const auto& q) { return q.answers.empty(); });
    task.metrics = [test, windows, may_be_empty](const Evaluation& evaluation) {
        const std::vector<std::string> answers = windows->answers(evaluation.scores, may_be_empty);
        eval::AnswerScores scores;
        for (std::size_t q = 0; q < answers.size(); ++q) {
            std::vector<std::string> gold;
            for (const SquadAnswer& answer : test->questions[q].answers) gold.push_back(answer.text);
            scores.add(answers[q], gold);
        }
        return std::vector<std::pair<std::string, double>>{{"exact_match", scores.all().exact_match},
                                                           {"f1", scores.all().f1}};
    };
    return task;
}

}

Task read_task(const Options& options, const text::WordPieceTokenizer& tokenizer) {
    if (options.task == "tag") return read_tagging(options, tokenizer);
    if (options.task == "span") return read_spans(options, tokenizer);
    return read_classification(options, tokenizer);
}

}
