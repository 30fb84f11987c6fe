#include <doctest/doctest.h>

#include "didact/didact.hpp"

namespace head_options_test {

using namespace didact;

namespace {

using Trunk = Transformer<arch::Bert, Cpu<double>>;

const TransformerConfig config{.vocab_size = 9,
                               .hidden_size = 4,
                               .num_layers = 1,
                               .num_heads = 2,
                               .intermediate_size = 8,
                               .max_positions = 8,
                               .type_vocab_size = 2};

template <class Head>
void add_head(const HeadOptions& options) {
    Model<Trunk, Head> model(config, 1);
    model.add_head(options);
}

const HeadOptions smoothed{.num_labels = 2, .label_smoothing = 0.1};
const HeadOptions weighted{.num_labels = 2, .class_weights = {1, 2}};

}

TEST_SUITE("unit") {
    TEST_CASE_TEMPLATE("heads over classes take label smoothing and class weights", Head,
                       heads::SequenceClassification<>, heads::TokenClassification) {
        CHECK_NOTHROW(add_head<Head>(smoothed));
        CHECK_NOTHROW(add_head<Head>(weighted));
    }

    TEST_CASE_TEMPLATE("heads without classes refuse label smoothing and class weights", Head, heads::Span,
                       heads::Regression<>, heads::MultiLabelClassification<>, heads::Ranking<>) {
        CHECK_THROWS_WITH_AS(add_head<Head>(smoothed), doctest::Contains("has no label smoothing"), Error);
        CHECK_THROWS_WITH_AS(add_head<Head>(weighted), doctest::Contains("class weights"), Error);
    }

    TEST_CASE("a language model takes label smoothing and refuses class weights") {
        CHECK_NOTHROW(add_head<heads::MaskedLanguageModel>({.label_smoothing = 0.1}));
        CHECK_THROWS_WITH_AS(add_head<heads::MaskedLanguageModel>(weighted), doctest::Contains("class weights"), Error);
    }
}

}
