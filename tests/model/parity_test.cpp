#include <doctest/doctest.h>

#include <cmath>

#include "didact/didact.hpp"
#include "didact/io/hugging_face.hpp"

namespace parity_test {

using namespace didact;
using Json = nlohmann::json;
using B = Cpu<double>;

// tests/parity/write_fixtures.py wrote what Transformers computed with these models in double precision.
namespace {

const std::filesystem::path fixtures = DIDACT_SOURCE_DIR "/tests/parity/fixtures";
doctest::Approx near(const Json& expected) {
    return doctest::Approx(expected.get<double>()).epsilon(1e-10).scale(1e-4);
}

struct Losses {
    std::vector<double> all;
    void step(const report::StepReport& report) { all.push_back(report.loss); }
};

void check_matrix(const io::Safetensors& expected, const std::string& name, View<const double> found) {
    CAPTURE(name);
    std::vector<double> values(found.size());
    expected.read(name, values);
    double largest = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
        largest = std::max(largest, std::abs(values[i] - found(i / found.cols, i % found.cols)));
    CHECK(largest < 1e-10);
}

struct Fixture {
    std::filesystem::path folder;
    Json expected = io::read_json(folder / "expected.json");
    io::Safetensors tensors{folder / "expected.safetensors"};

    HeadOptions head() const {
        const Json& json = expected["head"];
        return {.num_labels = json.value("num_labels", std::size_t(0)),
                .label_smoothing = json.value("label_smoothing", 0.0),
                .class_weights = json.value("class_weights", std::vector<float>())};
    }
    Dataset samples() const {
        Dataset data("fixture");
        for (const Json& json : expected["samples"])
            data.append({.token_ids = json["token_ids"],
                         .token_type_ids = json.value("token_type_ids", std::vector<std::int32_t>()),
                         .labels = json.value("labels", std::vector<std::int32_t>())});
        return data;
    }
};

template <arch::Arch A, class Head>
Model<Transformer<A, B>, Head> load(const Fixture& fixture) {
    Model<Transformer<A, B>, Head> model(io::read_config<A>(fixture.folder).transformer, 1);
    model.add_head(fixture.head());
    const io::LoadReport report = io::load_weights(model, fixture.folder);
    CHECK(report.missing.empty());
    CHECK(report.unused.empty());
    model.parameters().plan();
    return model;
}

template <arch::Arch A, class Head>
void check_pass(const Fixture& fixture) {
    auto model = load<A, Head>(fixture);
    using M = decltype(model);
    const Dataset data = fixture.samples();
    Batch batch;
    for (std::size_t i = 0; i < data.size(); ++i) batch.append(data, i);
    Engine<M> engine(model, 2);
    auto context = engine.context();
    typename M::Saved saved;
    context.every_token = true; // Transformers gives all last states, of which the head reads some
    model.forward(context, batch, saved);
    const std::size_t last = model.trunk().num_layers();
    for (std::size_t i = 0; i < last; ++i)
        check_matrix(fixture.tensors, "hidden." + std::to_string(i), saved.trunk.hidden[i]);
    check_matrix(fixture.tensors, "hidden." + std::to_string(last), saved.hidden);
    context.every_token = false;
    model.forward(context, batch, saved);
    model.with_head(0, saved, [&](const auto&, auto& kept) {
        if constexpr (requires { kept.logits; }) check_matrix(fixture.tensors, "logits", kept.logits);
    });
    const double units = model.units(batch);
    CHECK(model.loss(context, batch, saved, engine.losses_for(batch)) / units == near(fixture.expected["loss"]));

    model.backward(context, batch, saved, 1 / units);
    const auto& store = model.parameters();
    const Json& gradients = fixture.expected["gradients"];
    CHECK(gradients.size() == store.count());
    for (ParameterId id = 0; id < store.count(); ++id) {
        CAPTURE(store[id].name);
        REQUIRE(gradients.contains(store[id].name));
        double squares = 0, cosines = 0;
        const View<const double> g = store.gradient(id);
        for (std::size_t i = 0; i < g.size(); ++i) {
            squares += g.data[i] * g.data[i];
            cosines += g.data[i] * std::cos(double(i));
        }
        CHECK(std::sqrt(squares) == near(gradients[store[id].name]["norm"]));
        CHECK(cosines == near(gradients[store[id].name]["cosines"]));
    }
}

template <arch::Arch A, class Head>
void check_training(const Fixture& fixture) {
    auto model = load<A, Head>(fixture);
    const Json& training = fixture.expected["training"];
    Trainer trainer(
        model, optimizer::AdamW{.learning_rate = training["learning_rate"], .weight_decay = training["weight_decay"]},
        schedule::Linear{.warmup = training["warmup"]});
    const Dataset data = fixture.samples();
    Losses losses;
    trainer.fit(data,
                {.steps = training["steps"],
                 .batch_size = data.size(),
                 .max_gradient_norm = training["max_gradient_norm"],
                 .threads = 2},
                losses);
    const Json& expected = fixture.expected["losses"];
    REQUIRE(losses.all.size() == expected.size());
    CHECK(losses.all.back() < 0.99 * losses.all.front());
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(losses.all[i] == near(expected[i]));
}

}

TEST_SUITE("parity") {
    using Classifier = heads::SequenceClassification<>;
    using NextWords = heads::CausalLanguageModel;

    TEST_CASE("BERT has the hidden states, weighted and smoothed loss, and gradients of Transformers") {
        check_pass<arch::Bert, Classifier>({fixtures / "bert"});
    }
    TEST_CASE("BERT's losses over ten AdamW steps are those of Transformers") {
        check_training<arch::Bert, Classifier>({fixtures / "bert"});
    }
    TEST_CASE("GPT-2 has the hidden states, loss and gradients of Transformers") {
        check_pass<arch::Gpt2, NextWords>({fixtures / "gpt2"});
    }
    TEST_CASE("GPT-2's losses over ten AdamW steps are those of Transformers") {
        check_training<arch::Gpt2, NextWords>({fixtures / "gpt2"});
    }
}

}
