#include "data.hpp"

#include <filesystem>
#include <numeric>

#include "didact/core/random.hpp"
#include "didact/data/encode.hpp"
#include "didact/data/encode_table.hpp"
#include "didact/data/generated.hpp"
#include "didact/data/table.hpp"

namespace clinical {

using namespace didact;

namespace {

template <class T, class Read>
Split<T> read_split(const std::filesystem::path& folder, const std::string& extension, const Read& read) {
    return {read(folder / ("train" + extension)), read(folder / ("valid" + extension)),
            read(folder / ("test" + extension))};
}

Split<LabelledTexts> read_labelled(const std::filesystem::path& folder, LabelSet& labels) {
    return read_split<LabelledTexts>(folder, ".tsv", [&](const std::filesystem::path& path) {
        const Table table = read_table(path);
        const std::size_t text = table.column("text"), label = table.column("label");
        if (labels.size() == 0) labels = labels_of(table); // the training part comes first
        LabelledTexts result;
        for (std::size_t i = 0; i < table.rows.size(); ++i) {
            const std::string where = table.path + ":" + std::to_string(table.line_of_row[i]);
            require(table.rows[i][text].find_first_not_of(" \t\r\n") != std::string::npos, where,
                    ": the text is empty");
            result.texts.push_back(table.rows[i][text]);
            result.labels.push_back(labels.id(table.rows[i][label], where));
        }
        return result;
    });
}

LabelledTexts generated_texts(const ClinicalGrammar& grammar, std::uint64_t seed, std::size_t count) {
    LabelledTexts result;
    for (const GeneratedText& text : grammar.generate(seed, count)) {
        result.texts.push_back(text.text);
        result.labels.push_back(text.label);
    }
    return result;
}

std::vector<TaggedSentence> generated_sentences(const ClinicalGrammar& grammar, std::uint64_t seed, std::size_t count) {
    const std::vector<std::string> tags = ClinicalGrammar::tag_names();
    std::vector<TaggedSentence> result;
    for (const GeneratedText& text : grammar.generate(seed, count)) {
        TaggedSentence sentence;
        for (const auto& word : text.words) {
            sentence.tokens.emplace_back(word.word);
            sentence.tags.push_back(tags.at(std::size_t(word.tag)));
        }
        result.push_back(std::move(sentence));
    }
    return result;
}

/// Triage notes: other wording and frequencies than the descriptions that the study is about.
std::vector<std::string> generated_notes(std::size_t count) {
    return ClinicalGrammar({.period = ClinicalPeriod::later}).unlabelled_text(99, count);
}

Corpus generate() {
    // Few negations and distractors, so that some hundred texts teach something to a small model.
    const ClinicalGrammar first({.negation = 0.2, .max_distractors = 1}),
        later({.negation = 0.2, .max_distractors = 1, .period = ClinicalPeriod::later});
    Corpus c;
    c.description =
        "generated descriptions of symptoms (640 to learn from, 120 for validation, 240 to test on), tagged "
        "sentences, triage notes with new diseases that arrive later";
    c.diagnoses = c.later_labels = LabelSet(ClinicalGrammar::labels());
    c.diagnosis = {generated_texts(first, 1, 640), generated_texts(first, 2, 120), generated_texts(first, 3, 240)};
    c.tags = LabelSet(ClinicalGrammar::tag_names());
    c.mentions = {generated_sentences(first, 4, 640), generated_sentences(first, 5, 120),
                  generated_sentences(first, 6, 240)};
    c.later = {generated_texts(later, 7, 640), generated_texts(later, 8, 120), generated_texts(later, 9, 240)};
    c.later_name = "descriptions, then triage notes";
    c.unlabelled = first.unlabelled_text(10, 6000);
    return c;
}

Corpus read_files(const std::filesystem::path& folder) {
    Corpus c;
    c.diagnosis = read_labelled(folder / "symptom-to-disease", c.diagnoses);
    c.later = read_labelled(folder / "medical-abstracts", c.later_labels);
    c.later_name = "symptoms, then medical abstracts";
    c.later_has_its_own_labels = true;
    c.mentions = read_split<std::vector<TaggedSentence>>(
        folder / "ncbi-disease", ".conll", [](const std::filesystem::path& path) { return read_conll(path); });
    std::vector<std::string> tags;
    for (const TaggedSentence& s : c.mentions.train) tags.insert(tags.end(), s.tags.begin(), s.tags.end());
    c.tags = LabelSet::from(tags);
    const auto check_tags = [&](const char* file, const std::vector<TaggedSentence>& sentences) {
        const std::string path = (folder / "ncbi-disease" / file).string();
        for (const TaggedSentence& s : sentences)
            for (std::size_t w = 0; w < s.tags.size(); ++w)
                c.tags.id(s.tags[w], path + ":" + std::to_string(s.line + w));
    };
    check_tags("valid.conll", c.mentions.validation);
    check_tags("test.conll", c.mentions.test);
    c.unlabelled = c.later.train.texts;
    c.unlabelled.insert(c.unlabelled.end(), c.diagnosis.train.texts.begin(), c.diagnosis.train.texts.end());
    const auto count = [](std::size_t n) { return std::to_string(n); };
    c.description = "symptom-to-disease (" + count(c.diagnosis.train.texts.size()) + " / " +
                    count(c.diagnosis.validation.texts.size()) + " / " + count(c.diagnosis.test.texts.size()) +
                    " descriptions, " + count(c.diagnoses.size()) + " diagnoses), medical-abstracts (" +
                    count(c.later.train.texts.size()) + " / " + count(c.later.validation.texts.size()) + " / " +
                    count(c.later.test.texts.size()) + "), ncbi-disease (" + count(c.mentions.train.size()) + " / " +
                    count(c.mentions.validation.size()) + " / " + count(c.mentions.test.size()) + " sentences)";
    return c;
}

/// The first rows of a set, which the files have in random order; all for 0.
std::size_t rows(std::size_t size, std::size_t limit) { return limit == 0 ? size : std::min(size, limit); }

Task encode_labelled(const LabelSet& labels, const Split<LabelledTexts>& texts, const std::string& name,
                     const text::WordPieceTokenizer& tokenizer, const Budget& budget, Truncated& truncated) {
    const auto dataset = [&](const LabelledTexts& part, std::size_t limit) {
        Dataset data(name);
        for (std::size_t i = 0; i < rows(part.texts.size(), limit); ++i) {
            Sample sample = encode_text(tokenizer, part.texts[i], {}, budget.max_length, &truncated);
            sample.labels = {part.labels[i]};
            data.append(sample);
        }
        return data;
    };
    return {labels,
            false,
            {dataset(texts.train, 0), dataset(texts.validation, budget.validation_rows),
             dataset(texts.test, budget.test_rows)}};
}

Task encode_mentions(const Corpus& corpus, const text::WordPieceTokenizer& tokenizer, const Budget& budget,
                     Truncated& truncated) {
    const auto dataset = [&](const std::vector<TaggedSentence>& sentences, std::size_t limit) {
        Dataset data("mentions");
        for (std::size_t i = 0; i < rows(sentences.size(), limit); ++i) {
            std::vector<std::int32_t> tags;
            for (const std::string& tag : sentences[i].tags) tags.push_back(corpus.tags.id(tag, "a sentence"));
            data.append(encode_tagged_words(tokenizer, sentences[i].tokens, tags, budget.max_length, &truncated));
        }
        return data;
    };
    return {corpus.tags,
            true,
            {dataset(corpus.mentions.train, 0), dataset(corpus.mentions.validation, budget.validation_rows),
             dataset(corpus.mentions.test, budget.test_rows)}};
}

}

Corpus read_corpus(const std::string& folder) {
    Corpus corpus = folder.empty() ? generate() : read_files(folder);
    corpus.general = generated_notes(6000);
    return corpus;
}

Data encode(const Corpus& corpus, const text::WordPieceTokenizer& tokenizer, const Budget& budget) {
    Data data;
    Truncated cut, cut_later, cut_mentions;
    data.diagnosis = encode_labelled(corpus.diagnoses, corpus.diagnosis, "diagnosis", tokenizer, budget, cut);
    data.later = encode_labelled(corpus.later_labels, corpus.later, "later", tokenizer, budget, cut_later);
    data.mentions = encode_mentions(corpus, tokenizer, budget, cut_mentions);
    data.later_name = corpus.later_name;
    data.later_has_its_own_head = corpus.later_has_its_own_labels;
    const auto note = [&](const Truncated& truncated, const char* what) {
        if (truncated.samples > 0)
            data.notes.push_back(std::to_string(truncated.samples) + " " + what + " have more than " +
                                 std::to_string(budget.max_length) + " tokens and were cut there");
    };
    note(cut, "descriptions"), note(cut_later, "texts of the later set"), note(cut_mentions, "tagged sentences");
    const auto part = [&](const Task& task, const char* what, std::size_t validation, std::size_t test) {
        if (task.data.validation.size() < validation || task.data.test.size() < test)
            data.notes.push_back(std::string(what) + ": validation on " + std::to_string(task.data.validation.size()) +
                                 " of " + std::to_string(validation) + ", test on " +
                                 std::to_string(task.data.test.size()) + " of " + std::to_string(test));
    };
    part(data.diagnosis, "descriptions", corpus.diagnosis.validation.texts.size(), corpus.diagnosis.test.texts.size());
    part(data.mentions, "tagged sentences", corpus.mentions.validation.size(), corpus.mentions.test.size());
    part(data.later, "the later set", corpus.later.validation.texts.size(), corpus.later.test.texts.size());
    return data;
}

Dataset draw(const Dataset& data, std::size_t count, std::uint64_t seed) {
    std::vector<std::uint32_t> order(data.size());
    std::iota(order.begin(), order.end(), 0u);
    if (count == 0 || count >= data.size()) return data;
    Random({.seed = seed, .purpose = RandomPurpose::data}).shuffle(std::span<std::uint32_t>(order));
    if (data.labels(0).size() == 1) {
        // The k-th text of each class comes before the (k + 1)-th of any.
        std::vector<std::size_t> seen, turn(data.size());
        for (const std::uint32_t i : order) {
            const std::size_t label = std::size_t(data.labels(i)[0]);
            if (seen.size() <= label) seen.resize(label + 1);
            turn[i] = seen[label]++;
        }
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return turn[a] < turn[b]; });
    }
    order.resize(count);
    return data.subset(order);
}

Dataset with_labels(const Dataset& data, std::size_t begin, std::size_t end) {
    std::vector<std::uint32_t> chosen;
    for (std::size_t i = 0; i < data.size(); ++i)
        if (std::size_t(data.labels(i)[0]) >= begin && std::size_t(data.labels(i)[0]) < end)
            chosen.push_back(std::uint32_t(i));
    return data.subset(chosen);
}

}
