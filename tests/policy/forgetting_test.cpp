#include <doctest/doctest.h>

#include <numeric>
#include <set>

#include "../model/small_models.hpp"

namespace forgetting_test {

using namespace didact;

namespace {

using B = Cpu<double>;
using M = small::MlpModel<B>;

template <class Backend = B>
small::MlpModel<Backend> model_with(std::vector<std::size_t> labels, std::uint64_t seed = 3) {
    small::MlpModel<Backend> model(small::mlp_config(), seed);
    for (const std::size_t n : labels) model.add_head({.num_labels = n});
    return model;
}

Experience experience_of(std::size_t task, const Dataset& data) {
    return {.name = data.name, .tasks = {{.task = task, .train = data}}};
}

/// Micro-batches of one task, as of a step.
StepGroup group_of(const std::vector<Batch>& batches) {
    StepGroup group{.task = batches[0].task};
    for (const Batch& batch : batches) group.add_micro_batch() = batch;
    return group;
}

const optimizer::Sgd sgd{.learning_rate = 0.1};
TrainingOptions steps(std::size_t count, std::size_t batch_size = 8) {
    return {.steps = count, .batch_size = batch_size, .max_gradient_norm = 0, .threads = 2};
}

/// The samples of a step's rehearsed groups by their first feature.
std::vector<float> rehearsed(const StepBatches& step) {
    std::vector<float> result;
    for (const StepGroup& group : step.groups())
        if (group.rehearsed)
            for (std::size_t i = 0; i < group.used; ++i)
                for (std::size_t s = 0; s < group.micro_batches[i].size(); ++s)
                    result.push_back(group.micro_batches[i].features[s * group.micro_batches[i].feature_size]);
    return result;
}

/// The Fisher diagonal, label by label: Σ_x 1/n Σ_y p(y|x) (∂ log p(y|x) / ∂w)², each gradient from the loss.
template <class Model>
std::vector<double> brute_force_fisher(Engine<Model>& engine, const Dataset& data, std::size_t task) {
    std::vector<double> fisher(engine.parameters().gradients().size(), 0.0);
    for (std::uint32_t i = 0; i < data.size(); ++i) {
        const std::uint32_t one[] = {i};
        Batch batch = small::batch_of(data.subset(one), task);
        const View<double> z = engine.logits(batch);
        std::vector<double> p(z.cols);
        double sum = 0;
        for (std::size_t c = 0; c < z.cols; ++c) sum += p[c] = std::exp(z(0, c));
        for (std::size_t y = 0; y < p.size(); ++y) {
            batch.labels[0] = std::int32_t(y);
            const auto g = small::mean_gradient(engine, batch);
            for (std::size_t k = 0; k < fisher.size(); ++k) fisher[k] += p[y] / sum * g[k] * g[k] / double(data.size());
        }
    }
    return fisher;
}

}

TEST_SUITE("property") {

    TEST_CASE("reservoir: every position is kept with the same probability") {
        constexpr std::size_t offered = 100, capacity = 20, runs = 1000;
        std::vector<double> kept(offered, 0);
        for (std::uint64_t seed = 0; seed < runs; ++seed) {
            forgetting::Reservoir reservoir(capacity);
            for (std::size_t i = 0; i < offered; ++i) reservoir.offer(seed, 0, {.features = {float(i)}, .labels = {0}});
            REQUIRE(reservoir.size() == capacity);
            for (const auto& item : reservoir.items()) ++kept[std::size_t(item.sample.features[0])];
        }
        const double p = double(capacity) / offered, expected = runs * p;
        double chi_square = 0;
        for (const double k : kept) chi_square += (k - expected) * (k - expected) / (expected * (1 - p));
        chi_square *= (offered - 1.0) / offered; // the counts of a run add up to the capacity
        // The 0.1 % and 99.9 % quantiles of chi-square with 99 degrees of freedom.
        CHECK(chi_square > 60.0);
        CHECK(chi_square < 148.3);
    }

    TEST_CASE("reservoir: fewer offers than its capacity are all kept, and each place of a run is drawn anew") {
        forgetting::Reservoir reservoir(10);
        for (int i = 0; i < 7; ++i) reservoir.offer(1, 0, {.features = {float(i)}});
        CHECK(reservoir.size() == 7);
        for (int i = 0; i < 7; ++i) CHECK(reservoir.items()[std::size_t(i)].sample.features[0] == float(i));
        CHECK(reservoir.offered() == 7);
        std::size_t made = 0;
        for (int i = 7; i < 200; ++i)
            reservoir.offer(1, 0, [&] {
                ++made;
                return Sample{.features = {float(i)}};
            });
        CHECK(reservoir.offered() == 200);
        CHECK(made < 100); // 3 and then 10 (1/11 + … + 1/200), 33, are expected
        std::size_t later = 0;
        for (const auto& item : reservoir.items()) later += item.sample.features[0] >= 7;
        CHECK(later > 3);
        CHECK(later <= made);
    }

    TEST_CASE("reservoir: a draw names no item twice and every item equally often") {
        forgetting::Reservoir reservoir(12);
        for (int i = 0; i < 12; ++i) reservoir.offer(1, std::size_t(i % 2), {.features = {float(i)}});
        std::vector<double> counts(12, 0);
        for (std::uint64_t seed = 0; seed < 2000; ++seed) {
            StepBatches step;
            CHECK(reservoir.draw_into(step, 5, 0.5, {.seed = seed}) == 5);
            const std::vector<float> drawn = rehearsed(step);
            CHECK(std::set<float>(drawn.begin(), drawn.end()).size() == 5);
            for (const float x : drawn) ++counts[std::size_t(x)];
            double weight = 0;
            for (const StepGroup& group : step.groups()) {
                weight += group.weight;
                CHECK(group.weight == doctest::Approx(0.5 * double(group.samples()) / 5));
            }
            CHECK(weight == doctest::Approx(0.5));
        }
        double chi_square = 0;
        const double expected = 2000 * 5 / 12.0;
        for (const double k : counts) chi_square += (k - expected) * (k - expected) / (expected * (1 - 5 / 12.0));
        CHECK(chi_square * 11 / 12 < 31.26); // 99.9 % with 11 degrees of freedom
        StepBatches step;
        CHECK(reservoir.draw_into(step, 50, 1, {}) == 12);
    }

    TEST_CASE("replay mixes in its batch, and every sample of the step weighs the same") {
        M model = model_with({3});
        const Dataset first = small::vectors("first", 30, 5, 3, 1), second = small::vectors("second", 9, 5, 3, 2);
        Trainer trainer(model, forgetting::Replay{.capacity = 20, .batch_size = 6}, sgd);
        trainer.fit(Stream{experience_of(0, first)}, steps(3));
        auto& state = trainer.policies().forgetting;
        CHECK(state.reservoir().offered() == 30);
        CHECK(state.reservoir().size() == 20);

        StepBatches step;
        Batch& current = step.add_group(0).add_micro_batch();
        for (std::size_t i = 0; i < 9; ++i) current.append(second, i);
        state.rehearse(step, {.step = 4});
        REQUIRE(step.groups().size() == 2);
        CHECK(step.groups()[0].weight == doctest::Approx(9 / 15.0));
        CHECK(step.groups()[1].weight == doctest::Approx(6 / 15.0));
        CHECK(step.groups()[1].samples() == 6);
        std::set<float> known;
        for (std::size_t i = 0; i < first.size(); ++i) known.insert(first.features(i)[0]);
        for (const float x : rehearsed(step)) CHECK(known.contains(x));

        // The step's gradient is that of one mean over the fifteen samples.
        Batch all = current;
        for (std::size_t i = 0; i < 6; ++i) {
            const Batch& from = step.groups()[1].micro_batches[0];
            Sample sample;
            sample.features.assign(from.features.begin() + std::ptrdiff_t(5 * i),
                                   from.features.begin() + std::ptrdiff_t(5 * i + 5));
            sample.labels.assign(1, from.labels[i]);
            all.append(sample, {});
        }
        const auto expected = small::mean_gradient(trainer.engine(), all);
        std::vector<double> sum(expected.size(), 0);
        for (const StepGroup& group : step.groups()) {
            const auto g = small::mean_gradient(trainer.engine(), group.micro_batches[0]);
            for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += group.weight * g[i];
        }
        for (std::size_t i = 0; i < sum.size(); ++i) CHECK(sum[i] == doctest::Approx(expected[i]).epsilon(1e-10));
    }

    TEST_CASE("beside several tasks a rehearsed sample weighs what a current one does") {
        M model = model_with({3, 3});
        const Dataset first = small::vectors("first", 30, 5, 3, 1), second = small::vectors("second", 9, 5, 3, 2);
        Trainer trainer(model, forgetting::Replay{.capacity = 20, .batch_size = 6}, sgd);
        trainer.fit(Stream{experience_of(0, first)}, steps(3));
        StepBatches step;
        for (const std::size_t task : {0, 1}) {
            Batch& current = step.add_group(task).add_micro_batch();
            for (std::size_t i = 0; i < 4; ++i) current.append(second, i);
        }
        trainer.policies().forgetting.rehearse(step, {.step = 4});
        REQUIRE(step.groups().size() == 3);
        for (const StepGroup& group : step.groups())
            CHECK(group.weight / double(group.samples()) == doctest::Approx(2.0 / 14));
    }

    TEST_CASE("texts of masked language modelling are rehearsed masked, each step anew, and the loss counts them") {
        Model<Transformer<arch::Bert, Cpu<float>>, heads::MaskedLanguageModel> model(small::config(), 3);
        model.add_head({.num_labels = 23});
        const Masking masking{.probability = 0.5, .mask_token_id = 4, .vocab_size = 23, .special_token_ids = {0, 1}};
        const auto texts = [&](std::uint64_t seed) -> Experience {
            const Dataset labelled = small::sentences("texts", 24, 3, seed);
            Dataset data("texts");
            for (std::size_t i = 0; i < labelled.size(); ++i) {
                Sample sample = labelled.sample(i);
                sample.labels.clear();
                data.append(sample);
            }
            return {.name = "texts", .tasks = {{.task = 0, .train = data, .masking = masking}}};
        };
        forgetting::Reservoir reservoir(24);
        reservoir.offer_all(1, texts(5));
        Archive out;
        reservoir.serialize(out);
        forgetting::Reservoir read(24);
        Archive in(out.bytes(), "archive");
        read.serialize(in);

        const auto drawn = [](forgetting::Reservoir& from, std::size_t step) {
            StepBatches batches;
            CHECK(from.draw_into(batches, 24, 1, {.seed = 1, .step = step}) == 24);
            REQUIRE(batches.groups().size() == 1);
            return batches.groups()[0].micro_batches[0];
        };
        const Batch one = drawn(reservoir, 1), two = drawn(reservoir, 2), again = drawn(read, 1);
        REQUIRE(one.labels.size() == one.tokens());
        CHECK(again.token_ids == one.token_ids);
        CHECK(again.labels == one.labels);
        CHECK(two.token_ids != one.token_ids);
        const std::size_t masked = std::size_t(std::count(one.token_ids.begin(), one.token_ids.end(), 4));
        CHECK(masked > one.tokens() / 5);
        CHECK(model.units(one) > 0);

        Trainer trainer(model, forgetting::Replay{.capacity = 12, .batch_size = 4});
        trainer.fit(Stream{texts(5), texts(6)}, {.epochs = 1, .batch_size = 8, .threads = 1});
        CHECK(trainer.policies().forgetting.reservoir().size() == 12);
    }

    TEST_CASE("EWC's Fisher diagonal is the mean over samples of the squared slopes of log p, over all labels") {
        M model = model_with({3});
        Engine engine(model, 2);
        model.parameters().plan();
        const Dataset data = small::vectors("data", 390, 5, 3, 4); // more than one pass takes
        const std::vector<double> expected = brute_force_fisher(engine, data, 0);
        AlignedVector<double> fisher(expected.size(), 0.0);
        forgetting::add_fisher(engine, data, 0, 0, {}, fisher);
        double largest = 0;
        for (std::size_t i = 0; i < fisher.size(); ++i) {
            CHECK(fisher[i] == doctest::Approx(expected[i]).epsilon(1e-10));
            largest = std::max(largest, fisher[i]);
        }
        CHECK(largest > 1e-4);
        for (const double g : model.parameters().gradients()) CHECK(g == 0); // nothing is left for the next step
    }

    TEST_CASE("EWC's Fisher diagonal of a transformer is that of its samples one by one, dropout or not") {
        Model<Transformer<arch::Bert, B>, heads::SequenceClassification<>> model(small::config(0.3), 3);
        model.add_head({.num_labels = 3});
        Engine engine(model, 2);
        model.parameters().plan();
        const Dataset data = small::sentences("data", 5, 3, 4);
        const std::vector<double> expected = brute_force_fisher(engine, data, 0);
        AlignedVector<double> fisher(expected.size(), 0.0);
        forgetting::add_fisher(engine, data, 0, 0, {}, fisher);
        for (std::size_t i = 0; i < fisher.size(); ++i) REQUIRE(std::abs(fisher[i] - expected[i]) < 1e-12);
    }

    TEST_CASE("EWC's Fisher over drawn outcomes has the exact one as its mean") {
        // Token heads draw one label a token; averaged over many draws that is the exact sum over labels, because the
        // slopes of different tokens have mean zero under the model's own distribution.
        Model<Transformer<arch::Bert, B>, heads::TokenClassification> model(small::config(), 3);
        model.add_head({.num_labels = 2});
        auto& store = model.parameters();
        for (ParameterId id = 0; id < store.count(); ++id) store.set_trainable(id, !store[id].shared);
        store.plan();
        Engine engine(model, 1);
        Dataset data("one");
        data.append({.token_ids = {3, 8, 1}, .labels = {0, 0, 0}});
        std::vector<double> exact(store.gradients().size(), 0);
        const Batch batch = small::batch_of(data);
        for (std::size_t t = 0; t < 3; ++t)
            for (std::int32_t y = 0; y < 2; ++y) {
                const View<double> z = engine.logits(batch);
                const double p = 1 / (1 + std::exp(z(t, std::size_t(1 - y)) - z(t, std::size_t(y))));
                Batch labelled = batch;
                labelled.labels.assign(3, ignored_label);
                labelled.labels[t] = y;
                const auto g = small::mean_gradient(engine, labelled);
                for (std::size_t i = 0; i < exact.size(); ++i) exact[i] += p * g[i] * g[i];
            }
        AlignedVector<double> sum(exact.size(), 0.0);
        constexpr std::size_t draws = 4000;
        for (std::size_t seed = 0; seed < draws; ++seed)
            forgetting::add_fisher(engine, data, 0, 0, {.seed = seed}, sum);
        for (std::size_t i = 0; i < exact.size(); ++i)
            if (exact[i] > 0) CHECK(sum[i] / draws == doctest::Approx(exact[i]).epsilon(0.08));
    }

    TEST_CASE("EWC's Fisher of a tagger leaves out tokens with the ignored label") {
        Model<Transformer<arch::Bert, B>, heads::TokenClassification> model(small::config(), 3);
        model.add_head({.num_labels = 2});
        Engine engine(model, 1);
        model.parameters().plan();
        const auto fisher_of = [&](std::vector<std::int32_t> labels) {
            Dataset data("one");
            data.append({.token_ids = {3, 8, 1}, .labels = std::move(labels)});
            AlignedVector<double> fisher(model.parameters().gradients().size(), 0.0);
            forgetting::add_fisher(engine, data, 0, 0, {}, fisher);
            return std::accumulate(fisher.begin(), fisher.end(), 0.0);
        };
        CHECK(fisher_of({ignored_label, ignored_label, ignored_label}) == 0);
        CHECK(fisher_of({ignored_label, 0, ignored_label}) > 0);
        CHECK(fisher_of({ignored_label, 0, ignored_label}) != fisher_of({1, 0, 1}));
    }

    TEST_CASE("EWC's Fisher of a span head is that of its begin and its end, each over the tokens of the sequence") {
        Model<Transformer<arch::Bert, B>, heads::Span> model(small::config(), 3);
        model.add_head({.num_labels = 2});
        auto& store = model.parameters();
        for (ParameterId id = 0; id < store.count(); ++id) store.set_trainable(id, !store[id].shared);
        store.plan();
        Engine engine(model, 1);
        Dataset data("one");
        data.append({.token_ids = {3, 8, 1, 12}, .labels = {0, 0}});
        const Batch batch = small::batch_of(data);
        std::vector<double> exact(store.gradients().size(), 0);
        const View<double> z = engine.logits(batch);
        std::array<std::vector<double>, 2> p{std::vector<double>(4), std::vector<double>(4)};
        for (std::size_t side = 0; side < 2; ++side) {
            double sum = 0;
            for (std::size_t t = 0; t < 4; ++t) sum += p[side][t] = std::exp(z(t, side));
            for (double& x : p[side]) x /= sum;
        }
        for (std::int32_t begin = 0; begin < 4; ++begin)
            for (std::int32_t end = 0; end < 4; ++end) {
                Batch labelled = batch;
                labelled.labels = {begin, end};
                const auto g = small::mean_gradient(engine, labelled);
                // The loss is the mean of the two, the log-likelihood their sum.
                for (std::size_t i = 0; i < exact.size(); ++i)
                    exact[i] += p[0][std::size_t(begin)] * p[1][std::size_t(end)] * 4 * g[i] * g[i];
            }
        AlignedVector<double> sum(exact.size(), 0.0);
        constexpr std::size_t draws = 4000;
        for (std::size_t seed = 0; seed < draws; ++seed)
            forgetting::add_fisher(engine, data, 0, 0, {.seed = seed}, sum);
        for (std::size_t i = 0; i < exact.size(); ++i) {
            if (exact[i] > 1e-12)
                CHECK(sum[i] / draws == doctest::Approx(exact[i]).epsilon(0.1));
            else
                CHECK(sum[i] / draws < 1e-12);
        }
    }

    TEST_CASE(
        "EWC's empirical Fisher is the mean over samples of the squared slopes of their labels' log probability") {
        const auto check = [](auto& model, const Dataset& data, double log_probability_by_loss) {
            Engine engine(model, 2);
            model.parameters().plan();
            const std::size_t size = model.parameters().gradients().size();
            std::vector<double> expected(size, 0.0);
            for (std::uint32_t i = 0; i < data.size(); ++i) {
                const std::uint32_t one[] = {i};
                const auto g = small::mean_gradient(engine, small::batch_of(data.subset(one)));
                for (std::size_t k = 0; k < size; ++k)
                    expected[k] += std::pow(log_probability_by_loss * g[k], 2) / double(data.size());
            }
            AlignedVector<double> fisher(size, 0.0);
            forgetting::add_fisher(engine, data, 0, 0, {}, fisher, true);
            double largest = 0;
            for (std::size_t k = 0; k < size; ++k) {
                CHECK(std::abs(fisher[k] - expected[k]) <= 1e-12 + 1e-10 * expected[k]);
                largest = std::max(largest, expected[k]);
            }
            CHECK(largest > 1e-4);
            for (const double g : model.parameters().gradients()) CHECK(g == 0);
        };
        M perceptron = model_with({3});
        check(perceptron, small::vectors("data", 390, 5, 3, 4), 1); // more than one pass takes
        const auto transformer = [&]<class Head>(Head, std::size_t num_labels, const Dataset& data, double factor) {
            Model<Transformer<arch::Bert, B>, Head> model(small::config(), 3);
            model.add_head({.num_labels = num_labels});
            check(model, data, factor);
        };
        transformer(heads::SequenceClassification<>(), 3, small::sentences("data", 5, 3, 4), 1);
        Dataset tags("tags"), spans("spans"), values("values"), several("several");
        for (const std::int32_t id : {3, 8, 5}) {
            tags.append({.token_ids = {id, 8, 1, 2}, .labels = {1, ignored_label, 0, 1}});
            spans.append({.token_ids = {id, 8, 1, 12}, .labels = {1, 3}});
            values.append({.token_ids = {id, 8, 1}, .values = {0.3f}});
            several.append({.token_ids = {id, 8, 1}, .values = {1, 0, 1}});
        }
        transformer(heads::TokenClassification(), 2, tags, 3); // a mean over three tokens
        transformer(heads::Span(), 2, spans, 2);
        transformer(heads::Regression<>(), 1, values, 0.5); // (z − y)², and a normal of unit variance
        transformer(heads::MultiLabelClassification<>(), 3, several, 3);
    }

    TEST_CASE("Fisher information over labels that are not there is refused") {
        const auto check = [&]<class Head>(Head, const Dataset& data, bool empirical, const std::string& said) {
            Model<Transformer<arch::Bert, B>, Head> model(small::config(), 3);
            model.add_head({.name = "task", .num_labels = 2});
            model.parameters().plan();
            Engine engine(model, 1);
            AlignedVector<double> fisher(model.parameters().gradients().size(), 0.0);
            CHECK_THROWS_WITH_AS(forgetting::add_fisher(engine, data, 0, 0, {}, fisher, empirical), said.c_str(),
                                 Error);
        };
        Dataset none("none"), far("far");
        none.append({.token_ids = {3, 8, 1}});
        far.append({.token_ids = {3, 8, 1}, .labels = {2}});
        check(heads::SequenceClassification<>(), none, true, "task 'task': sample 0 has 0 labels for 1 rows of logits");
        check(heads::TokenClassification(), none, false, "task 'task': sample 0 has 0 labels for 3 rows of logits");
        check(heads::SequenceClassification<>(), far, true,
              "task 'task': sample 0 has label 2, the head has labels 0 to 1");
        check(heads::MultiLabelClassification<>(), none, true,
              "task 'task': sample 0 has 0 target values, the head has 2 outputs");
        check(heads::Span(), none, true,
              "task 'task': sample 0 has 0 labels, Fisher information over given ones needs more");
    }

    TEST_CASE("EWC's empirical Fisher needs labels that have a probability sample by sample, and the exact one none") {
        Model<Mlp<B>, heads::Ranking<heads::Pooling::first_token>> model(
            MlpConfig{.input_size = 5, .hidden_sizes = {8}}, 3);
        model.add_head({.name = "order", .num_labels = 1});
        Dataset data("groups");
        for (const float relevance : {0.0f, 1.0f})
            data.append({.features = {1, 2, 3, 4, relevance}, .labels = {0}, .values = {relevance}});
        const auto fit = [&](bool empirical) {
            Trainer trainer(model, forgetting::OnlineEwc{.empirical_fisher = empirical});
            trainer.fit(data, {.epochs = 1, .batch_size = 2, .threads = 1});
        };
        CHECK_NOTHROW(fit(false));
        CHECK_THROWS_WITH_AS(
            fit(true),
            "empirical Fisher information of task 'order': the labels of a ranking head have no probability sample by "
            "sample",
            Error);
        Engine engine(model, 1);
        AlignedVector<double> fisher(model.parameters().gradients().size(), 0.0);
        CHECK_THROWS_AS(forgetting::add_fisher(engine, data, 0, 0, {}, fisher, true), Error);
        CHECK(describe(forgetting::OnlineEwc{.strength = 2, .empirical_fisher = true}) ==
              "online-ewc(strength=2, decay=1, fisher_samples=0, empirical_fisher=true)");
    }

    TEST_CASE("EWC's penalty is strength/2 times decayed Fisher times the squared distance from the last anchor") {
        const Dataset first = small::vectors("first", 12, 5, 3, 1), second = small::vectors("second", 12, 5, 3, 2, 8);
        const forgetting::OnlineEwc policy{.strength = 3, .decay = 0.6};
        M model = model_with({3});
        Trainer trainer(model, policy, sgd);
        trainer.fit(Stream{experience_of(0, first)}, steps(5));
        const auto& state = trainer.policies().forgetting;
        const std::vector<double> fisher1 = brute_force_fisher(trainer.engine(), first, 0);
        const auto anchor1 = small::values_of(model);
        for (std::size_t i = 0; i < fisher1.size(); ++i) {
            CHECK(state.fisher()[i] == doctest::Approx(fisher1[i]).epsilon(1e-10));
            const auto penalty = [&](double w) { // all trains, so gradients lie as values do
                return 3 / 2.0 * 0.6 * fisher1[i] * (w - anchor1[i]) * (w - anchor1[i]);
            };
            const double w = anchor1[i] + 0.3, slope = (penalty(w + 1e-4) - penalty(w - 1e-4)) / 2e-4;
            CHECK(state.penalty(i, w) == doctest::Approx(slope).epsilon(1e-8));
            CHECK(state.penalty(i, anchor1[i]) == 0);
        }

        // The same run with a second experience: F = decay · F₁ + F₂ around the last values.
        M again = model_with({3});
        Trainer longer(again, policy, sgd);
        longer.fit(Stream{experience_of(0, first), experience_of(0, second)}, steps(5));
        const std::vector<double> fisher2 = brute_force_fisher(longer.engine(), second, 0);
        const auto& total = longer.policies().forgetting;
        for (std::size_t i = 0; i < fisher1.size(); ++i) {
            CHECK(total.fisher()[i] == doctest::Approx(0.6 * fisher1[i] + fisher2[i]).epsilon(1e-8));
            CHECK(total.anchor()[i] == again.parameters().values()[i]);
        }
    }

    TEST_CASE("EWC asks for no penalty before it has consolidated, nor where its strength or decay is 0") {
        const Dataset data = small::vectors("first", 12, 5, 3, 1);
        for (const auto& [strength, decay] : std::vector<std::pair<double, double>>{{3, 0.5}, {0, 1}, {3, 0}}) {
            M model = model_with({3});
            Trainer trainer(model, forgetting::OnlineEwc{.strength = strength, .decay = decay}, sgd);
            const auto& state = trainer.policies().forgetting;
            struct NoPenalty {
                decltype(state) of;
                void step(const report::StepReport&) { CHECK(!of.penalizes()); }
            };
            CHECK(!state.penalizes());
            trainer.fit(Stream{experience_of(0, data)}, steps(3), NoPenalty{state});
            CHECK(state.penalizes() == (strength * decay > 0));
        }
        // What does not say is asked; of two policies each may.
        M model = model_with({3});
        Trainer trainer(model, freeze::L2Sp{}, forgetting::Both<forgetting::Replay, forgetting::OnlineEwc>{}, sgd);
        CHECK(hooks::penalizes<M>(trainer.policies().freeze));
        CHECK(!hooks::penalizes<M>(trainer.policies().forgetting));
        trainer.fit(Stream{experience_of(0, data)}, steps(3));
        CHECK(hooks::penalizes<M>(trainer.policies().forgetting));
    }

    TEST_CASE("EWC with a head for each task protects the trunk and leaves the heads free") {
        M model = model_with({3, 3});
        Trainer trainer(model, forgetting::OnlineEwc{.strength = 3}, sgd);
        trainer.fit(Stream{experience_of(0, small::vectors("first", 12, 5, 3, 1))}, steps(5));
        const auto& fisher = trainer.policies().forgetting.fisher();
        for (const Parameter& p : model.parameters().parameters()) {
            double sum = 0;
            for (std::size_t i = 0; i < p.size(); ++i) sum += fisher[p.trainable_offset + i];
            CAPTURE(p.name);
            CHECK((sum > 0) == p.shared);
        }
    }

    TEST_CASE("EWC's Fisher follows its parameters when the set of trainable ones changes") {
        M model = model_with({3});
        Trainer trainer(model, freeze::GradualUnfreeze{}, forgetting::OnlineEwc{.strength = 3}, sgd);
        const Dataset data = small::vectors("first", 12, 5, 3, 1);
        trainer.fit(Stream{experience_of(0, data)}, {.epochs = 4, .batch_size = 12, .threads = 1});
        const auto fisher = trainer.policies().forgetting.fisher();
        const auto& store = model.parameters();
        std::vector<std::size_t> before;
        for (const Parameter& p : store.parameters()) before.push_back(p.trainable_offset);
        trainer.policies().plan(model, {.epoch = 0}); // only the head again
        const auto& now = trainer.policies().forgetting.fisher();
        CHECK(now.size() == store.gradients().size());
        CHECK(now.size() < fisher.size());
        for (ParameterId id = 0; id < store.count(); ++id)
            for (std::size_t i = 0; store.trains(id) && i < store[id].size(); ++i)
                CHECK(now[store[id].trainable_offset + i] == fisher[before[id] + i]);
    }

    TEST_CASE("EWC's Fisher and anchor of what freezes wait for it to thaw, in a checkpoint too") {
        M model = model_with({3});
        Trainer trainer(model, freeze::GradualUnfreeze{}, forgetting::OnlineEwc{.strength = 3, .decay = 0.5}, sgd);
        const Dataset data = small::vectors("first", 12, 5, 3, 1);
        trainer.fit(Stream{experience_of(0, data)}, {.epochs = 4, .batch_size = 12, .threads = 1});
        auto& state = trainer.policies().forgetting;
        const auto fisher = state.fisher(), anchor = state.anchor();
        REQUIRE(std::accumulate(fisher.begin(), fisher.end(), 0.0) > 0);
        trainer.policies().plan(model, {.epoch = 0}); // only the head
        REQUIRE(state.fisher().size() < fisher.size());
        Archive out;
        state.serialize(out);
        trainer.policies().plan(model, {.epoch = 3}); // all of it
        CHECK(state.fisher() == fisher);
        CHECK(state.anchor() == anchor);

        trainer.policies().plan(model, {.epoch = 0});
        Archive in(out.bytes(), "archive");
        state.serialize(in);
        // An experience that ends while they are frozen fades them as it fades the others.
        state.experience_ended(trainer.engine(), experience_of(0, Dataset("nothing")), {});
        trainer.policies().plan(model, {.epoch = 3});
        for (const Parameter& p : model.parameters().parameters())
            for (std::size_t i = 0; p.shared && i < p.size(); ++i)
                CHECK(state.fisher()[p.trainable_offset + i] == 0.5 * fisher[p.trainable_offset + i]);
    }

    TEST_CASE("learning without forgetting refuses heads whose outputs are no choice of one class") {
        Model<Mlp<B>, heads::Regression<heads::Pooling::first_token>> model(small::mlp_config(), 3);
        model.add_head({.name = "dose", .num_labels = 1});
        Dataset data("doses");
        data.append({.features = std::vector<float>(5, 1.0f), .values = {0.5f}});
        Trainer trainer(model, forgetting::LearningWithoutForgetting{});
        CHECK_THROWS_WITH(trainer.fit(data),
                          "forgetting::LearningWithoutForgetting: task 'dose' is regression; what it "
                          "distils is a choice of one class, of a sequence or of each token");
    }

    TEST_CASE("learning without forgetting distils heads that read other tokens than the current one") {
        using heads::Pooling;
        using First = heads::SequenceClassification<Pooling::first_token>;
        using Mean = heads::SequenceClassification<Pooling::mean>;
        Model<Transformer<arch::Bert, B>, First, Mean> model(small::config(), 3);
        model.add_head<Mean>({.name = "mean", .num_labels = 3});
        model.add_head<First>({.name = "first", .num_labels = 3});
        const Dataset data = small::sentences("data", 12, 3, 5);
        Trainer trainer(model, forgetting::LearningWithoutForgetting{});
        CHECK_NOTHROW(trainer.fit(Stream{experience_of(0, data), experience_of(1, data)},
                                  {.steps = 3, .batch_size = 4, .threads = 2}));
    }

    TEST_CASE("learning without forgetting adds the slope of its distillation loss") {
        M model = model_with({3, 4});
        const Dataset first = small::vectors("first", 10, 5, 3, 1), second = small::vectors("second", 6, 5, 4, 2);
        Engine engine(model, 2);
        model.parameters().plan();
        forgetting::LearningWithoutForgetting::State<M> state({.strength = 0.7, .temperature = 3}, model);
        const Moment moment;
        state.experience_began(engine, experience_of(0, first), moment);
        state.experience_ended(engine, experience_of(0, first), moment);
        state.experience_began(engine, experience_of(1, second), moment);

        // The student moves away from the teacher, which is the model as the experience began.
        Batch batch = small::batch_of(second, 1), old_head = batch;
        old_head.task = 0;
        const auto probabilities = [&] {
            const View<double> z = engine.logits(old_head);
            std::vector<std::vector<double>> p(z.rows, std::vector<double>(z.cols));
            for (std::size_t i = 0; i < z.rows; ++i) {
                double sum = 0;
                for (std::size_t c = 0; c < z.cols; ++c) sum += p[i][c] = std::exp(z(i, c) / 3);
                for (double& x : p[i]) x /= sum;
            }
            return p;
        };
        const auto teacher = probabilities();
        auto& store = model.parameters();
        Random random(6);
        for (double& w : store.values()) w += 0.2 * random.normal();
        const auto distillation = [&] {
            const auto student = probabilities();
            double loss = 0;
            for (std::size_t i = 0; i < teacher.size(); ++i)
                for (std::size_t c = 0; c < 3; ++c) loss -= teacher[i][c] * std::log(student[i][c]);
            return 0.7 * loss / double(teacher.size());
        };

        const auto plain = small::mean_gradient(engine, batch);
        engine.arena().reset();
        auto context = engine.context();
        auto& saved = engine.saved();
        engine.forward(context, batch, saved);
        model.loss(context, batch, saved, engine.losses_for(batch));
        double loss = 0;
        const double scale = 1 / model.units(batch);
        model.backward(context, batch, saved, scale, [&](View<double> dhidden) {
            loss = state.distil(engine, batch, saved, group_of({batch}), dhidden, moment);
        });
        CHECK(loss == doctest::Approx(distillation()).epsilon(1e-12));
        double largest = 0;
        for (const Parameter& p : store.parameters())
            for (std::size_t i = 0; i < p.size(); ++i) {
                double& w = store.values()[p.offset + i];
                const double keep = w, h = 1e-5;
                w = keep + h;
                const double above = distillation();
                w = keep - h;
                const double below = distillation();
                w = keep;
                const double added = store.gradients()[p.trainable_offset + i] - plain[p.trainable_offset + i];
                CHECK(std::abs(added - (above - below) / (2 * h)) < 1e-8);
                largest = std::max(largest, std::abs(added));
            }
        CHECK(largest > 1e-3);
    }

    TEST_CASE("learning without forgetting is a mean over the earlier head's rows, whatever the current one counts") {
        Model<Transformer<arch::Bert, B>, heads::SequenceClassification<>, heads::TokenClassification> model(
            small::config(), 3);
        model.add_head<heads::TokenClassification>({.name = "tags", .num_labels = 3});
        model.add_head({.name = "class", .num_labels = 3, .class_weights = {1, 5, 2}});
        Dataset tagged("tagged");
        for (std::size_t i = 0; i < 6; ++i) {
            Sample sample = small::sentences("x", 6, 3, 1).sample(i);
            sample.labels.assign(sample.token_ids.size(), 1);
            tagged.append(sample);
        }
        const Dataset classed = small::sentences("classed", 6, 3, 2);
        Engine engine(model, 1);
        model.parameters().plan();
        forgetting::LearningWithoutForgetting::State<decltype(model)> state({.strength = 2, .temperature = 1}, model);
        state.experience_ended(engine, experience_of(0, tagged), {});
        state.experience_began(engine, experience_of(1, classed), {});
        const Batch batch = small::batch_of(classed, 1);
        engine.arena().reset();
        auto context = engine.context();
        context.every_token = true;
        auto& saved = engine.saved();
        engine.forward(context, batch, saved);
        const View<double> dhidden = context.scratch(batch.tokens(), 12);
        const double loss = state.distil(engine, batch, saved, group_of({batch}), dhidden, {});
        // The teacher is the student, so that a row's cross-entropy is its entropy.
        Batch old_head = batch;
        old_head.task = 0;
        const View<double> z = engine.logits(old_head);
        double entropy = 0;
        for (std::size_t i = 0; i < z.rows; ++i) {
            const double sum = std::exp(z(i, 0)) + std::exp(z(i, 1)) + std::exp(z(i, 2));
            for (std::size_t c = 0; c < 3; ++c) entropy -= std::exp(z(i, c)) / sum * (z(i, c) - std::log(sum));
        }
        CHECK(z.rows == batch.tokens());
        // The same however the batch is cut.
        const std::uint32_t one[] = {0}, others[] = {1, 2, 3, 4, 5};
        const Batch parts[] = {small::batch_of(classed.subset(one), 1), small::batch_of(classed.subset(others), 1)};
        double sum = 0;
        for (const Batch& part : parts) {
            engine.arena().reset();
            auto of_part = engine.context();
            of_part.every_token = true;
            engine.forward(of_part, part, saved);
            const View<double> below = of_part.scratch(part.tokens(), 12);
            sum += state.distil(engine, part, saved, group_of({parts[0], parts[1]}), below, {});
        }
        CHECK(sum == doctest::Approx(loss).epsilon(1e-12));
        CHECK(loss == doctest::Approx(2 * entropy / double(z.rows)).epsilon(1e-12));
    }

    TEST_CASE("learning without forgetting adds nothing in the first experience and nothing where nothing moved") {
        const Dataset first = small::vectors("first", 12, 5, 3, 1), second = small::vectors("second", 12, 5, 4, 2);
        const auto trained = [&](auto policy, std::size_t experiences) {
            M model = model_with({3, 4});
            Trainer trainer(model, policy, sgd);
            Stream stream{experience_of(0, first), experience_of(1, second)};
            stream.resize(experiences);
            trainer.fit(stream, steps(experiences == 1 ? 4 : 1, 12));
            return small::values_of(model);
        };
        const forgetting::LearningWithoutForgetting policy{.strength = 2};
        CHECK(trained(policy, 1) == trained(None<Family::forgetting>{}, 1));
        // At the teacher itself the slope of the cross-entropy to it is zero.
        const auto with = trained(policy, 2), without = trained(None<Family::forgetting>{}, 2);
        for (std::size_t i = 0; i < with.size(); ++i) CHECK(with[i] == doctest::Approx(without[i]).epsilon(1e-12));
    }

    TEST_CASE_TEMPLATE("learning without forgetting distils the classes that a head has seen before", Heads,
                       std::integral_constant<std::size_t, 1>, std::integral_constant<std::size_t, 2>) {
        M model = model_with(Heads::value == 1 ? std::vector<std::size_t>{4} : std::vector<std::size_t>{4, 3});
        Dataset first("first"), second("second");
        for (int i = 0; i < 8; ++i) {
            Sample sample = small::vectors("x", 1, 5, 2, std::uint64_t(i)).sample(0);
            first.append(sample); // classes 0 and 1
            sample.labels[0] += 2;
            second.append(sample); // classes 2 and 3
        }
        Engine engine(model, 1);
        model.parameters().plan();
        forgetting::LearningWithoutForgetting::State<M> state({.strength = 1, .temperature = 1}, model);
        // A task that is only evaluated is not learnt.
        Experience ended = experience_of(0, first);
        if (Heads::value > 1) ended.tasks.push_back({.task = 1, .test = first});
        state.experience_ended(engine, ended, {});
        state.experience_began(engine, experience_of(0, second), {});
        auto& store = model.parameters();
        const ParameterId bias = store.find("classifier.bias");
        store.value(bias)(0, 0) += 1; // moves the odds between the old classes
        const Batch batch = small::batch_of(second);
        engine.arena().reset();
        auto context = engine.context();
        auto& saved = engine.saved();
        engine.forward(context, batch, saved);
        const View<double> dhidden = context.scratch(batch.tokens(), 7);
        fill(context, 0.0, dhidden);
        state.distil(engine, batch, saved, group_of({batch}), dhidden, {});
        const View<double> slope = store.gradient(bias);
        CHECK(slope(0, 0) > 1e-3);
        CHECK(slope(0, 0) == doctest::Approx(-slope(0, 1)));
        CHECK(slope(0, 2) == 0);
        CHECK(slope(0, 3) == 0);
        for (ParameterId id = 0; id < store.count(); ++id) {
            if (store[id].head == store[bias].head || store[id].head == 0) continue;
            const View<double> other = store.gradient(id);
            CHECK(std::all_of(other.data, other.data + other.size(), [](double x) { return x == 0; }));
        }
    }

    TEST_CASE("A-GEM's gradient never opposes the memory's, and stays as it is where it did not") {
        M model = model_with({3});
        const Dataset first = small::vectors("first", 40, 5, 3, 1);
        Engine engine(model, 2);
        auto& store = model.parameters();
        store.plan();
        forgetting::AveragedGem::State<M> state({.capacity = 40, .batch_size = 40}, model);
        state.project(engine, {}); // an empty memory changes nothing
        state.experience_ended(engine, experience_of(0, first), {});
        const Batch memory = small::batch_of(first);
        const auto r = small::mean_gradient(engine, memory);
        const double rr = std::inner_product(r.begin(), r.end(), r.begin(), 0.0);
        Random random(2);
        int opposed = 0;
        for (std::uint64_t trial = 0; trial < 60; ++trial) {
            std::vector<double> g(r.size(), 0);
            for (const TrainableLayout::Slice& slice : store.layout().slices)
                for (std::size_t i = slice.offset; i < slice.offset + slice.size; ++i) g[i] = 0.1 * random.normal();
            std::copy(g.begin(), g.end(), store.gradients().begin());
            state.project(engine, {.step = trial});
            const double product = std::inner_product(g.begin(), g.end(), r.begin(), 0.0);
            double projected = 0;
            for (std::size_t i = 0; i < g.size(); ++i) {
                const double expected = product < 0 ? g[i] - product / rr * r[i] : g[i];
                CHECK(store.gradients()[i] == doctest::Approx(expected).epsilon(1e-9));
                projected += store.gradients()[i] * r[i];
            }
            CHECK(projected > -1e-12);
            if (product >= 0) continue;
            ++opposed;
            // A small step along it changes the memory's loss by less than any multiple of its length.
            const auto keep = small::values_of(model);
            const auto change = [&](double step) {
                for (std::size_t i = 0; i < g.size(); ++i) store.values()[i] = keep[i] - step * store.gradients()[i];
                const double after = engine.mean_loss(memory);
                std::copy(keep.begin(), keep.end(), store.values().begin());
                return after - engine.mean_loss(memory);
            };
            CHECK(change(1e-4) < 1e-6);
            CHECK(change(1e-5) < 1e-8);
        }
        CHECK(opposed > 15);
        std::fill(store.gradients().begin(), store.gradients().end(), 0.0);
    }

    TEST_CASE("A-GEM leaves a head alone that only the memory or only the step touches") {
        M model = model_with({3, 3});
        Engine engine(model, 1);
        auto& store = model.parameters();
        store.plan();
        forgetting::AveragedGem::State<M> state({}, model);
        state.experience_ended(engine, experience_of(0, small::vectors("first", 12, 5, 3, 1)), {});
        state.project(engine, {}); // leaves the memory's gradient, which the step's shall oppose
        for (ParameterId id = 0; id < store.count(); ++id) {
            if (store[id].name == "classifier.weight" || store[id].name == "classifier.bias") continue;
            for (std::size_t i = 0; i < store[id].size(); ++i)
                store.gradient(id).data[i] =
                    store[id].shared ? -double(state.reference()[store[id].trainable_offset + i]) : -0.1;
        }
        const AlignedVector<double> g(store.gradients().begin(), store.gradients().end());
        state.project(engine, {});
        CHECK(!std::equal(g.begin(), g.end(), store.gradients().begin()));
        for (const Parameter& p : store.parameters()) {
            CAPTURE(p.name);
            if (!p.shared)
                for (std::size_t i = p.trainable_offset; i < p.trainable_offset + p.size(); ++i)
                    CHECK(store.gradients()[i] == g[i]);
        }
        double product = 0;
        for (std::size_t i = 0; i < g.size(); ++i) product += store.gradients()[i] * state.reference()[i];
        CHECK(product > -1e-12);
    }

    TEST_CASE("Both runs both: its rehearsal is the first's and its penalty the second's") {
        const Dataset first = small::vectors("first", 30, 5, 3, 1), second = small::vectors("second", 16, 5, 3, 2, 8);
        const forgetting::Replay replay{.capacity = 10, .batch_size = 4};
        const forgetting::OnlineEwc ewc{.strength = 50};
        const auto run = [&](const auto& policy, auto& model) {
            Trainer trainer(model, policy, sgd);
            trainer.fit(Stream{experience_of(0, first), experience_of(0, second)}, steps(6));
            return small::values_of(model);
        };
        M a = model_with({3}), b = model_with({3}), c = model_with({3}), d = model_with({3});
        const auto both = run(forgetting::Both<forgetting::Replay, forgetting::OnlineEwc>{replay, ewc}, a);
        const auto swapped = run(forgetting::Both<forgetting::OnlineEwc, forgetting::Replay>{ewc, replay}, b);
        CHECK(both == swapped); // they do not touch each other's moments
        const auto only_replay = run(replay, c), only_ewc = run(ewc, d);
        CHECK(both != only_replay);
        CHECK(both != only_ewc);

        // Without strength what is left is replay, without a memory to speak of what is left is EWC.
        M e = model_with({3});
        auto weak = ewc;
        weak.strength = 0;
        CHECK(run(forgetting::Both<forgetting::Replay, forgetting::OnlineEwc>{replay, weak}, e) == only_replay);

        M f = model_with({3});
        Trainer trainer(f, forgetting::Both<forgetting::Replay, forgetting::OnlineEwc>{replay, ewc}, sgd);
        trainer.fit(Stream{experience_of(0, first)}, steps(6));
        auto& state = trainer.policies().forgetting;
        CHECK(state.first.reservoir().offered() == 30);
        CHECK(std::accumulate(state.second.fisher().begin(), state.second.fisher().end(), 0.0) > 0);
        for (std::size_t i = 0; i < state.second.fisher().size(); ++i)
            CHECK(state.penalty(i, 0.2) == state.second.penalty(i, 0.2));
        StepBatches step;
        step.add_group(0).add_micro_batch().append(first, 0);
        state.rehearse(step, {});
        CHECK(step.groups().size() == 2);
    }

    TEST_CASE("Both adds up two penalties and runs two projections one after another") {
        using Two =
            forgetting::Both<forgetting::OnlineEwc, forgetting::Both<forgetting::OnlineEwc, forgetting::AveragedGem>>;
        M model = model_with({3});
        Trainer trainer(model, Two{{.strength = 2}, {{.strength = 5}, {}}}, sgd);
        trainer.fit(Stream{experience_of(0, small::vectors("first", 12, 5, 3, 1))}, steps(4));
        auto& state = trainer.policies().forgetting;
        double largest = 0;
        for (std::size_t i = 0; i < state.first.fisher().size(); ++i) {
            const double w = 0.4;
            CHECK(state.penalty(i, w) == doctest::Approx(state.first.penalty(i, w) + state.second.first.penalty(i, w)));
            CHECK(state.second.first.penalty(i, w) == doctest::Approx(2.5 * state.first.penalty(i, w)));
            largest = std::max(largest, std::abs(state.penalty(i, w)));
        }
        CHECK(largest > 0);
    }
}

}
