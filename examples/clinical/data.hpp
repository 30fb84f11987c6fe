#pragma once
#include <string>
#include <vector>

#include "didact/data/conll.hpp"
#include "didact/data/label_set.hpp"
#include "didact/data/stream.hpp"
#include "didact/text/wordpiece.hpp"
#include "options.hpp"

namespace clinical {

/// Training, validation and test part of something. The test part is the control set: nothing is chosen by it.
template <class T>
struct Split {
    T train = {}, validation = {}, test = {};
};

struct LabelledTexts {
    std::vector<std::string> texts;
    std::vector<std::int32_t> labels;
};

/// What the study reads or generates, before a tokenizer has seen it.
struct Corpus {
    std::string description;
    didact::LabelSet diagnoses; ///< what a description of symptoms is told apart into
    Split<LabelledTexts> diagnosis;
    didact::LabelSet tags;                               ///< BIO
    Split<std::vector<didact::TaggedSentence>> mentions; ///< of diseases, the second task
    didact::LabelSet later_labels;
    Split<LabelledTexts> later; ///< a set that arrives later
    std::string later_name;
    bool later_has_its_own_labels = false; ///< else its labels are diagnoses
    std::vector<std::string> unlabelled;   ///< text of the domain, no test text among it
    std::vector<std::string> general;      ///< text to pretrain a model of our own on
};

/// Reads DIR/symptom-to-disease, DIR/medical-abstracts and DIR/ncbi-disease, or generates text where `folder` is empty.
/// Throws didact::Error that names file and line.
Corpus read_corpus(const std::string& folder);

/// Encoded samples of one task.
struct Task {
    didact::LabelSet labels;
    bool tagging = false;
    Split<didact::Dataset> data;
};

/// The corpus encoded and cut to the budget.
struct Data {
    Task diagnosis, mentions, later;
    std::string later_name;
    bool later_has_its_own_head = false;
    std::vector<std::string> notes; ///< what was cut, for the user to read
};

Data encode(const Corpus& corpus, const didact::text::WordPieceTokenizer& tokenizer, const Budget& budget);

/// `count` samples of a set (0: all), drawn by the seed: class by class in turn for sequences with one label, so that
/// every class has its share, at random for tagged sentences.
didact::Dataset draw(const didact::Dataset& data, std::size_t count, std::uint64_t seed);

/// The samples whose label is in [begin, end).
didact::Dataset with_labels(const didact::Dataset& data, std::size_t begin, std::size_t end);

}
