#include <doctest/doctest.h>

#include <functional>

#include "../model/small_models.hpp"

namespace step_test {

using namespace didact;

namespace {

using D = Cpu<double>;
using M = small::MlpModel<D>;

/// Weights that differ from sample to sample.
struct UnequalWeights {
    static constexpr Family family = Family::curriculum;
    template <class Model>
    struct State {
        State(const UnequalWeights&, const Model&) {}
        void weigh_samples(const Dataset&, std::size_t, const Moment&, std::span<const std::uint32_t> chosen,
                           std::span<float> weights) {
            for (std::size_t i = 0; i < chosen.size(); ++i) weights[i] = 0.25f + float(chosen[i] % 5);
        }
    };
};

/// Calls a function at each step.
struct AtEachStep {
    static constexpr Family family = Family::curriculum;
    std::function<void()> call;

    template <class Model>
    struct State {
        std::function<void()> call;
        State(const AtEachStep& policy, const Model&) : call(policy.call) {}
        void weigh_samples(const Dataset&, std::size_t, const Moment&, std::span<const std::uint32_t>,
                           std::span<float>) {
            call();
        }
        void serialize(Archive&) {}
    };
};

Batch first_batch(const Dataset& data) {
    Batch batch;
    for (std::size_t i = 0; i < 4; ++i) batch.append(data, i);
    return batch;
}

/// Sentences whose targets `label` fills in.
template <class Label>
Dataset labelled(std::size_t samples, const Label& label) {
    Dataset plain = small::sentences("labelled", samples, 3, 9), data("labelled");
    for (std::size_t i = 0; i < samples; ++i) {
        Sample sample = plain.sample(i);
        sample.labels.clear();
        label(sample, i);
        data.append(sample);
    }
    return data;
}

/// One label a token, every fourth token without.
void tag(Sample& sample, std::size_t) {
    for (const std::int32_t id : sample.token_ids) sample.labels.push_back(id % 4 == 3 ? ignored_label : id % 4);
}

/// The values after two steps of twelve samples, cut into micro-batches of `batch_size`.
template <class S, class Head, class Architecture = arch::Bert>
AlignedVector<S> trained_in(std::size_t batch_size, const Dataset& data, const HeadOptions& options, double& last_loss,
                            std::size_t micro_batch_tokens = 0) {
    Model<Transformer<Architecture, Cpu<S>>, Head> model(small::config(), 3);
    model.add_head(options);
    Trainer trainer(model, UnequalWeights{}, optimizer::Sgd{.learning_rate = 0.2}, schedule::Constant{});
    last_loss = trainer
                    .fit(data, {.steps = 2,
                                .batch_size = batch_size,
                                .accumulation = 12 / batch_size,
                                .micro_batch_tokens = micro_batch_tokens,
                                .max_gradient_norm = 0,
                                .threads = 2})
                    .last_loss;
    return small::values_of(model);
}

template <class S, class Head, class Architecture = arch::Bert>
void check_accumulation(const Dataset& data, double tolerance, const HeadOptions& options = {.num_labels = 3}) {
    double whole_loss = 0, loss = 0;
    const auto whole = trained_in<S, Head, Architecture>(12, data, options, whole_loss);
    const auto check = [&](const AlignedVector<S>& parts) {
        CHECK(loss == doctest::Approx(whole_loss).epsilon(tolerance));
        double difference = 0, largest = 0;
        for (std::size_t i = 0; i < whole.size(); ++i) {
            difference = std::max(difference, std::abs(double(parts[i]) - double(whole[i])));
            largest = std::max(largest, std::abs(double(whole[i])));
        }
        CHECK(difference < tolerance * largest);
    };
    for (const std::size_t batch_size : {1u, 2u, 3u, 4u, 6u}) {
        CAPTURE(batch_size);
        check(trained_in<S, Head, Architecture>(batch_size, data, options, loss));
    }
    for (const std::size_t tokens : {1u, 11u, 40u}) {
        CAPTURE(tokens);
        check(trained_in<S, Head, Architecture>(12, data, options, loss, tokens));
    }
}

/// Trains with full batches, and at each step lets `rule(i, w, g, decays, t)` compute every value by itself from the
/// gradient that a second model with the same values has.
template <class Optimizer, class Rule>
void check_optimizer(const Optimizer& policy, const Rule& rule) {
    const Dataset data = small::vectors("train", 10, 5, 3, 1);
    constexpr std::size_t steps = 6;
    M model(small::mlp_config(), 3), shadow(small::mlp_config(), 3);
    model.add_head({.num_labels = 3});
    shadow.add_head({.num_labels = 3});
    Engine engine(shadow, 1);
    auto& store = shadow.parameters();
    store.plan();
    for (std::size_t t = 1; t <= steps; ++t) {
        const auto g = small::mean_gradient(engine, small::batch_of(data));
        for (const Parameter& p : store.parameters())
            for (std::size_t i = p.offset; i < p.offset + p.size(); ++i)
                store.values()[i] = rule(i, store.values()[i], g[i], p.decay, t);
    }
    Trainer trainer(model, policy, schedule::Constant{});
    trainer.fit(data, {.steps = steps, .batch_size = 10, .max_gradient_norm = 0, .threads = 2});
    for (const Parameter& p : store.parameters())
        for (std::size_t i = p.offset; i < p.offset + p.size(); ++i)
            CHECK(model.parameters().values()[i] == doctest::Approx(store.values()[i]).epsilon(1e-10));
}

}

TEST_SUITE("unit") {

    TEST_CASE("micro-batches that accumulate are the big batch, whatever their lengths, labels and weights") {
        const Dataset data = small::sentences("train", 24, 3, 5);
        check_accumulation<double, heads::SequenceClassification<>>(data, 1e-12);
        check_accumulation<float, heads::SequenceClassification<>>(data, 1e-6);
        // The mean is over labelled tokens, of which micro-batches have unequal numbers.
        check_accumulation<double, heads::TokenClassification>(labelled(24, tag), 1e-12);
        check_accumulation<float, heads::TokenClassification>(labelled(24, tag), 1e-6);
    }

    TEST_CASE("micro-batches are the big batch for every other loss too") {
        const HeadOptions weighted{.num_labels = 3, .label_smoothing = 0.2, .class_weights = {0.5f, 2.f, 1.25f}};
        check_accumulation<double, heads::SequenceClassification<>>(small::sentences("train", 24, 3, 5), 1e-12,
                                                                    weighted);
        check_accumulation<double, heads::TokenClassification>(labelled(24, tag), 1e-12, weighted);
        const auto values = [](Sample& sample, std::size_t i) {
            for (std::size_t j = 0; j < 3; ++j) sample.values.push_back(float((i + j) % 2));
        };
        check_accumulation<double, heads::MultiLabelClassification<>>(labelled(24, values), 1e-12);
        check_accumulation<double, heads::Regression<>>(labelled(24, values), 1e-12);
        const auto ends = [](Sample& sample, std::size_t i) {
            sample.labels = {std::int32_t(i % 2), std::int32_t(sample.token_ids.size() - 1)};
        };
        check_accumulation<double, heads::Span>(labelled(24, ends), 1e-12, {.num_labels = 2});
        // The mean is over predicted tokens.
        check_accumulation<double, heads::MaskedLanguageModel>(labelled(24, tag), 1e-12, {});
        check_accumulation<double, heads::CausalLanguageModel, arch::Gpt2>(labelled(24, [](Sample&, std::size_t) {}),
                                                                           1e-12, {});
    }

    TEST_CASE("a step writes values of parameters that train only, so that what is made of the others stays") {
        const auto check = [](auto head, auto architecture, const Dataset& data, const HeadOptions& options) {
            Model<Transformer<decltype(architecture), Cpu<float>>, decltype(head)> model(small::config(), 3);
            model.add_head(options);
            const auto& store = std::as_const(model.parameters());
            std::vector<ValueVersion> frozen, trains;
            Trainer trainer(model, freeze::Prefix{.layers = 1}, AtEachStep{[&] {
                                frozen.push_back(store.version(0));
                                trains.push_back(store.version(ParameterId(store.count() - 1)));
                            }});
            trainer.fit(data, {.steps = 3, .batch_size = 8, .micro_batch_tokens = 20, .threads = 2});
            REQUIRE(frozen.size() == 3);
            CHECK(!store.trains(0));
            CHECK(frozen[2] == frozen[0]);
            CHECK(trains[1] != trains[0]);
            CHECK(trains[2] != trains[1]);
            const ValueVersion before = store.version(ParameterId(store.count() - 1));
            trainer.engine().mean_loss(first_batch(data));
            CHECK(store.version(ParameterId(store.count() - 1)) == before);
        };
        check(heads::SequenceClassification<>(), arch::Bert(), small::sentences("train", 24, 3, 5), {.num_labels = 3});
        check(heads::TokenClassification(), arch::Bert(), labelled(24, tag), {.num_labels = 4});
        check(heads::MaskedLanguageModel(), arch::Bert(), labelled(24, tag), {});
        check(heads::CausalLanguageModel(), arch::Gpt2(), labelled(24, [](Sample&, std::size_t) {}), {});
    }

    TEST_CASE("a group is cut into as few near-equal parts as hold no more tokens, in order") {
        const std::vector<std::size_t> lengths = {8, 3, 30, 2, 2, 2, 9, 7, 1};
        Dataset data("lengths");
        for (std::size_t i = 0; i < lengths.size(); ++i)
            data.append(Sample{.token_ids = std::vector<std::int32_t>(lengths[i], std::int32_t(i)), .labels = {0}});
        const auto tokens_after = [&](std::size_t limit) {
            StepBatches step;
            StepGroup& group = step.add_group(0);
            for (std::size_t i = 0; i < lengths.size(); ++i) {
                if (i == 0) group.add_micro_batch().random_inputs = true;
                group.micro_batches[0].append(data, i, float(i));
            }
            group.cut(limit);
            group.cut(limit);
            std::vector<std::size_t> tokens;
            std::size_t next = 0;
            for (std::size_t i = 0; i < group.used; ++i) {
                const Batch& batch = group.micro_batches[i];
                CHECK(batch.random_inputs);
                for (std::size_t s = 0; s < batch.size(); ++s, ++next) {
                    CHECK(batch.samples[s].index == next);
                    CHECK(batch.weights[s] == float(next));
                    CHECK(batch.token_ids[std::size_t(batch.cu_seqlens[s])] == std::int32_t(next));
                }
                tokens.push_back(batch.tokens());
            }
            CHECK(next == lengths.size());
            return tokens;
        };
        using Tokens = std::vector<std::size_t>;
        CHECK(tokens_after(64) == Tokens{64});
        CHECK(tokens_after(63) == Tokens{41, 23});
        CHECK(tokens_after(32) == Tokens{11, 32, 21});
        CHECK(tokens_after(20) == Tokens{11, 30, 15, 8}); // what is longer by itself stays whole
        CHECK(tokens_after(1) == Tokens{8, 3, 30, 2, 2, 2, 9, 7, 1});
    }

    TEST_CASE("a batch is not cut where the loss is over pairs of its samples") {
        const auto values = [](Sample& sample, std::size_t i) {
            sample.labels = {0};
            sample.values = {float(i % 5)};
        };
        double whole_loss = 0, loss = 0;
        const Dataset data = labelled(24, values);
        const auto whole = trained_in<float, heads::Ranking<>>(12, data, {.num_labels = 1}, whole_loss);
        CHECK(trained_in<float, heads::Ranking<>>(12, data, {.num_labels = 1}, loss, 1) == whole);
        CHECK(loss == whole_loss);
    }

    TEST_CASE("AdamW is PyTorch's, value by value: bias-corrected moments, decay apart and on weights only") {
        std::vector<double> m(1000, 0), v(1000, 0);
        check_optimizer(
            optimizer::AdamW{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.3},
            [&](std::size_t i, double w, double g, bool decays, std::size_t t) {
                if (decays) w -= 0.02 * 0.3 * w;
                m[i] = 0.8 * m[i] + 0.2 * g;
                v[i] = 0.95 * v[i] + 0.05 * g * g;
                const double m_hat = m[i] / (1 - std::pow(0.8, t)), v_hat = v[i] / (1 - std::pow(0.95, t));
                return w - 0.02 * m_hat / (std::sqrt(v_hat) + 1e-3);
            });
    }

    TEST_CASE("SGD is PyTorch's, value by value: plain, with momentum, and with Nesterov's") {
        check_optimizer(optimizer::Sgd{.learning_rate = 0.1, .weight_decay = 0.2},
                        [](std::size_t, double w, double g, bool decays, std::size_t) {
                            return w - 0.1 * (g + (decays ? 0.2 * w : 0));
                        });
        for (const bool nesterov : {false, true}) {
            std::vector<double> b(1000, 0);
            check_optimizer(
                optimizer::Sgd{.learning_rate = 0.1, .momentum = 0.9, .nesterov = nesterov, .weight_decay = 0.2},
                [&](std::size_t i, double w, double g, bool decays, std::size_t t) {
                    g += decays ? 0.2 * w : 0;
                    b[i] = t == 1 ? g : 0.9 * b[i] + g;
                    return w - 0.1 * (nesterov ? g + 0.9 * b[i] : b[i]);
                });
        }
    }

    TEST_CASE("a gradient longer than the limit is cut to it, a shorter one is left alone") {
        const Dataset data = small::vectors("train", 10, 5, 3, 1);
        const auto moved = [&](double limit, double& norm) {
            M model(small::mlp_config(), 3);
            model.add_head({.num_labels = 3});
            const auto before = small::values_of(model);
            Trainer trainer(model, optimizer::Sgd{.learning_rate = 0.5}, schedule::Constant{});
            struct {
                double norm;
                void step(const report::StepReport& report) { norm = report.gradient_norm; }
            } seen;
            TrainingOptions options = small::one_step(10);
            options.max_gradient_norm = limit;
            trainer.fit(data, options, seen);
            norm = seen.norm;
            std::vector<double> result;
            for (std::size_t i = 0; i < before.size(); ++i)
                result.push_back((before[i] - model.parameters().values()[i]) / 0.5);
            return result;
        };
        double norm = 0, reported = 0;
        const std::vector<double> g = moved(0, norm);
        double square = 0;
        for (const double x : g) square += x * x;
        CHECK(norm == doctest::Approx(std::sqrt(square)).epsilon(1e-9));
        const std::vector<double> clipped = moved(norm / 3, reported);
        CHECK(reported == doctest::Approx(norm)); // the report is of the gradient before clipping
        // The length is divided by (norm + 1e-6), as in PyTorch's clip_grad_norm_.
        for (std::size_t i = 0; i < g.size(); ++i)
            CHECK(clipped[i] == doctest::Approx(g[i] * norm / 3 / (norm + 1e-6)).epsilon(1e-9));
        const std::vector<double> whole = moved(norm * 1.01, reported);
        for (std::size_t i = 0; i < g.size(); ++i) CHECK(whole[i] == g[i]);
    }

    TEST_CASE("samples without labels are refused where each token has one, in the first step") {
        Dataset data("data");
        for (std::size_t i = 0; i < 4; ++i) {
            Sample sample = small::sentences("data", 4, 3, 1).sample(i);
            sample.labels.clear();
            data.append(sample);
        }
        const auto message = [&](auto&& model) {
            Trainer trainer(model);
            try {
                trainer.fit(data, small::one_step(4));
            } catch (const Error& error) {
                return std::string(error.what());
            }
            return std::string();
        };
        Model<Transformer<arch::Bert, Cpu<double>>, heads::TokenClassification> tagger(small::config(), 3);
        tagger.add_head({.num_labels = 3});
        CHECK(message(tagger).find(" has 0 labels for ") != std::string::npos);
        Model<Transformer<arch::Bert, Cpu<double>>, heads::MaskedLanguageModel> masked(small::config(), 3);
        masked.add_head({});
        CHECK(message(masked).find(" has 0 labels for ") != std::string::npos);
    }

    TEST_CASE("a model of which nothing trains is refused") {
        Model<Transformer<arch::Gpt2, Cpu<double>>, heads::CausalLanguageModel> model(small::config(), 3);
        model.add_head({});
        Trainer trainer(model, freeze::AllButHead{});
        CHECK_THROWS_WITH_AS(trainer.fit(small::sentences("data", 4, 3, 1), small::one_step(4)),
                             "nothing trains: every parameter of the model is frozen", Error);
    }

    TEST_CASE("a gradient that is not finite stops the run with the step and the tensor, and changes nothing") {
        small::MlpModel<Cpu<float>> model(small::mlp_config(), 3);
        model.add_head({.num_labels = 3});
        Trainer trainer(model, optimizer::Sgd{.learning_rate = 0.1}, schedule::Constant{});
        auto& store = model.parameters();
        struct {
            ParameterStore<Cpu<float>>& store;
            AlignedVector<float> before;
            void step(const report::StepReport& report) {
                if (report.step == 3) {
                    store.value(store.find("layers.1.bias"))(0, 2) = 1e38f; // overflows in the layers above
                    store.value(store.find("classifier.weight"))(0, 2) = 1e38f;
                    before = store.snapshot();
                }
            }
        } poison{store, {}};
        const Dataset data = small::vectors("train", 16, 5, 3, 1);
        try {
            trainer.fit(data, {.epochs = 4, .batch_size = 4, .max_gradient_norm = 1, .threads = 2}, poison);
            FAIL("the run went on");
        } catch (const Error& error) {
            const std::string message = error.what();
            CAPTURE(message);
            CHECK(message.find("step 3 of the run (experience 0, epoch 0)") != std::string::npos);
            CHECK(message.find("the first bad gradient is that of 'layers.0.weight'") != std::string::npos);
            CHECK(message.find("The parameters are as they were before this step") != std::string::npos);
        }
        CHECK(store.snapshot() == poison.before);

        // What broke the run can be put right, and the next one starts clean.
        store.value(store.find("layers.1.bias"))(0, 2) = 0;
        store.value(store.find("classifier.weight"))(0, 2) = 0;
        CHECK(std::isfinite(trainer.fit(data, {.epochs = 1, .batch_size = 4}).last_loss));
    }
}

}
