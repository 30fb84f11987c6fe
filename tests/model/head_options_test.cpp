#include <doctest/doctest.h>

#include <cmath>

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

    TEST_CASE_TEMPLATE("a head over labels needs some, and one that is refused leaves the model as it was", Head,
                       heads::SequenceClassification<>, heads::TokenClassification) {
        Model<Trunk, Head> model(config, 1);
        const std::size_t parameters = model.parameters().count();
        CHECK_THROWS_WITH_AS(model.add_head({.name = "topic"}), "task 'topic' has neither labels nor num_labels",
                             Error);
        CHECK(model.tasks() == 0);
        CHECK(model.parameters().count() == parameters);
        CHECK(model.add_head({.labels = {"a", "b"}}) == 0);
        CHECK(model.task_name(0) == "main");
    }

    TEST_CASE("label smoothing lies in [0, 1), class weights are not negative and not all zero") {
        using Head = heads::SequenceClassification<>;
        for (const double smoothing : {-0.1, 1.0, 10.0, std::nan("")})
            CHECK_THROWS_WITH_AS(add_head<Head>({.num_labels = 2, .label_smoothing = smoothing}),
                                 doctest::Contains("it must lie in [0, 1)"), Error);
        CHECK_THROWS_WITH_AS(add_head<Head>({.num_labels = 2, .class_weights = {1, -1}}),
                             "task 'main': a class weight is -1, it must be finite and not negative", Error);
        CHECK_THROWS_AS(add_head<Head>({.num_labels = 2, .class_weights = {1, std::nanf("")}}), Error);
        CHECK_THROWS_WITH_AS(add_head<Head>({.num_labels = 2, .class_weights = {0, 0}}),
                             "task 'main': all class weights are 0", Error);
    }

    TEST_CASE("a language model takes label smoothing and refuses class weights") {
        CHECK_NOTHROW(add_head<heads::MaskedLanguageModel>({.label_smoothing = 0.1}));
        CHECK_THROWS_WITH_AS(add_head<heads::MaskedLanguageModel>(weighted), doctest::Contains("class weights"), Error);
    }
}

}
