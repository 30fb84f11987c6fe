#include <doctest/doctest.h>

#include <cstdlib>

#include "../model/small_models.hpp"

namespace trainer_test {

using namespace didact;

namespace {

using F = Cpu<float>;

struct Setting {
    small::MlpModel<F> model{small::mlp_config(), 3};
    Dataset train = small::vectors("train", 12, 5, 3, 1), validation = small::vectors("validation", 40, 5, 3, 2);
    Setting() { model.add_head({.num_labels = 3}); }
};

/// Keeps the values and the metric of each epoch.
struct Epochs {
    small::MlpModel<F>& model;
    std::vector<double> metrics = {};
    std::vector<AlignedVector<float>> values = {};
    void epoch(const report::EpochReport& report) {
        metrics.push_back(report.metrics.at(1).second);
        values.push_back(small::values_of(model));
    }
};

/// Writes down every call.
struct Everything {
    std::string seen = {};
    void step(const report::StepReport& report) { seen += "s" + std::to_string(report.step) + " "; }
    void epoch(const report::EpochReport& report) { seen += "e" + std::to_string(report.epoch) + " "; }
    void checkpoint(auto& trainer) { seen += "c" + std::to_string(trainer.moment().epoch) + " "; }
    void finish() { seen += "f"; }
};

std::size_t best_of(const std::vector<double>& metrics) {
    return std::size_t(std::max_element(metrics.begin(), metrics.end()) - metrics.begin());
}

template <class MakeModel, class... Policies>
void check_threads(const std::vector<std::size_t>& counts, const MakeModel& make_model, const Stream& stream,
                   const Policies&... policies) {
    AlignedVector<float> one;
    for (const std::size_t threads : counts) {
        auto model = make_model();
        Trainer trainer(model, policies...);
        trainer.fit(stream, {.steps = 1, .batch_size = 20, .threads = threads});
        CHECK(trainer.engine().pool().threads() == threads);
        if (threads == 1)
            one = small::values_of(model);
        else
            CHECK(small::values_of(model) == one);
    }
}

/// Large enough that products, sums and the update are cut into several tiles.
TransformerConfig wide() {
    TransformerConfig config = small::config(0.1);
    config.hidden_size = 32;
    config.num_heads = 4;
    config.intermediate_size = 64;
    config.vocab_size = 400;
    config.num_layers = 2;
    return config;
}

auto wide_bert() {
    small::BertModel<F> model(wide(), 3);
    model.add_head({.num_labels = 3});
    model.add_head({.num_labels = 3});
    return model;
}

TaskData long_sentences(std::size_t task, std::uint64_t seed) {
    return {.task = task, .train = small::sentences("train", 24, 3, seed, 16, 400)};
}

}

TEST_SUITE("unit") {

    TEST_CASE("a run ends with the values of its best epoch by validation") {
        Setting s;
        Epochs epochs{s.model};
        Trainer trainer(s.model, optimizer::Sgd{.learning_rate = 2}, schedule::Constant{});
        const TrainingResult result =
            trainer.fit(s.train, s.validation, {.epochs = 12, .batch_size = 4, .threads = 1}, epochs);
        REQUIRE(epochs.metrics.size() == 12);
        CHECK(result.validation == epochs.metrics);
        const std::size_t best = best_of(epochs.metrics); // the first of equals
        CHECK(best < 11);
        CHECK(small::values_of(s.model) == epochs.values[best]);
        CHECK(evaluate(trainer.engine(), s.validation, 0).primary == epochs.metrics[best]);
    }

    TEST_CASE("without restore_best a run ends with its last values") {
        Setting s;
        Epochs epochs{s.model};
        Trainer trainer(s.model, optimizer::Sgd{.learning_rate = 2}, schedule::Constant{});
        trainer.fit(s.train, s.validation, {.epochs = 12, .batch_size = 4, .threads = 1, .restore_best = false},
                    epochs);
        REQUIRE(best_of(epochs.metrics) < 11);
        CHECK(small::values_of(s.model) == epochs.values[11]);
    }

    TEST_CASE("early stopping waits `patience` epochs without a better metric, and restores the best values") {
        for (const std::size_t patience : {1u, 2u, 4u}) {
            Setting s;
            Epochs epochs{s.model};
            Trainer trainer(s.model, optimizer::Sgd{.learning_rate = 2}, schedule::Constant{});
            const TrainingResult result = trainer.fit(
                s.train, s.validation, {.epochs = 60, .batch_size = 4, .threads = 1, .patience = patience}, epochs);
            CHECK(result.finished);
            const std::size_t best = best_of(epochs.metrics);
            std::size_t without = 0, longest = 0;
            double highest = -1;
            for (const double metric : epochs.metrics) {
                without = metric > highest ? 0 : without + 1;
                highest = std::max(highest, metric);
                longest = std::max(longest, without);
            }
            REQUIRE(epochs.metrics.size() < 60);
            CHECK(without == patience);
            CHECK(longest == patience);
            CHECK(small::values_of(s.model) == epochs.values[best]);
        }
    }

    TEST_CASE("the validation metric of several tasks is the mean over those that have validation data") {
        small::MlpModel<F> model(small::mlp_config(), 3);
        model.add_head({.num_labels = 3});
        model.add_head({.num_labels = 3});
        const Dataset validation = small::vectors("validation", 40, 5, 3, 2);
        const Stream stream{{.name = "both",
                             .tasks = {{.task = 0, .train = small::vectors("a", 12, 5, 3, 1), .validation = validation},
                                       {.task = 1, .train = small::vectors("b", 12, 5, 3, 3)}}}};
        Trainer trainer(model);
        const TrainingResult result = trainer.fit(stream, {.epochs = 1});
        REQUIRE(result.validation.size() == 1);
        CHECK(result.validation[0] == evaluate(trainer.engine(), validation, 0, 64).primary);
        CHECK(result.validation[0] > 0);
    }

    TEST_CASE("a head whose task has no samples in a step stays as it is, whatever momentum and decay say") {
        small::MlpModel<F> model(small::mlp_config(), 3);
        model.add_head({.num_labels = 3});
        model.add_head({.num_labels = 3});
        const Stream first{{.name = "a", .tasks = {{.task = 0, .train = small::vectors("a", 12, 5, 3, 1)}}}};
        const Stream second{{.name = "b", .tasks = {{.task = 1, .train = small::vectors("b", 12, 5, 3, 3)}}}};
        const auto head = [&](std::size_t task) {
            std::vector<float> values;
            const auto& store = std::as_const(model.parameters());
            for (const Parameter& p : store.parameters())
                if (p.head == task + 1)
                    values.insert(values.end(), store.values().begin() + std::ptrdiff_t(p.offset),
                                  store.values().begin() + std::ptrdiff_t(p.offset + p.size()));
            return values;
        };
        const TrainingOptions options{.steps = 5, .reset_optimizer = false};
        Trainer trainer(model, optimizer::AdamW{.learning_rate = 1e-2, .weight_decay = 0.1}, schedule::Constant{});
        const auto start = std::pair(head(0), head(1));
        REQUIRE(start.first.size() == 24);
        trainer.fit(first, options);
        CHECK(head(0) != start.first);
        CHECK(head(1) == start.second);
        const auto between = head(0);
        trainer.fit(second, options);
        CHECK(head(0) == between);
        CHECK(head(1) != start.second);
    }

    TEST_CASE("a run without an end is refused") {
        Setting one;
        Trainer trainer(one.model);
        for (const double epochs : {0.0, -1.0, HUGE_VAL, std::nan("")})
            CHECK_THROWS_WITH(trainer.fit(one.train, {.epochs = epochs}),
                              doctest::Contains("it must be finite and above 0"));
        CHECK(trainer.fit(one.train, {.epochs = -1, .steps = 1}).finished);
    }

    TEST_CASE("patience without validation data is refused") {
        Setting one;
        Trainer trainer(one.model);
        CHECK_THROWS_WITH(trainer.fit(one.train, {.patience = 3}),
                          "TrainingOptions: patience is 3 and no experience has validation data to stop by");
    }

    TEST_CASE("an epoch's report names its task where the model has several") {
        struct {
            std::vector<std::string> tasks;
            void epoch(const report::EpochReport& report) { tasks.push_back(report.task); }
        } seen;
        const Dataset data = small::vectors("a", 12, 5, 3, 1);
        Setting one;
        Trainer(one.model).fit(data, one.validation, {.epochs = 1}, seen);
        CHECK(seen.tasks == std::vector<std::string>{""});
        small::MlpModel<F> model(small::mlp_config(), 3);
        model.add_head({.name = "topic", .num_labels = 3});
        model.add_head({.name = "tone", .num_labels = 3});
        const Stream stream{{.name = "both",
                             .tasks = {{.task = 0, .train = data, .validation = data},
                                       {.task = 1, .train = data, .validation = data}}}};
        Trainer(model).fit(stream, {.epochs = 1}, seen);
        CHECK(seen.tasks == std::vector<std::string>{"", "topic", "tone"});
    }

    TEST_CASE("a metric that is not a number is below every number, and ends neither best weights nor patience") {
        small::MlpModel<F> model(small::mlp_config(), 3);
        const double nan = std::numeric_limits<double>::quiet_NaN();
        BestWeights<F> best;
        const auto epoch = [&](double metric) {
            std::fill(model.parameters().values().begin(), model.parameters().values().end(), float(metric));
            best.epoch_done(metric, {.patience = 3}, model.parameters());
        };
        epoch(nan);
        epoch(0.25);
        epoch(nan);
        epoch(0.5);
        epoch(nan);
        epoch(nan);
        CHECK_FALSE(best.stopped({.patience = 3}));
        CHECK(best.restore(model.parameters()));
        CHECK(model.parameters().values()[0] == 0.5f);
        epoch(nan);
        CHECK(best.stopped({.patience = 3}));
        CHECK_FALSE(best.stopped({.patience = 4})); // as a run that goes on with more may have it
        CHECK_FALSE(best.stopped({.patience = 0}));
    }

    TEST_CASE("of epochs whose metric is never a number the last one stays") {
        small::MlpModel<F> model(small::mlp_config(), 3);
        BestWeights<F> best;
        for (const float value : {1.f, 2.f, 3.f}) {
            std::fill(model.parameters().values().begin(), model.parameters().values().end(), value);
            best.epoch_done(std::numeric_limits<double>::quiet_NaN(), {}, model.parameters());
        }
        std::fill(model.parameters().values().begin(), model.parameters().values().end(), 4.f);
        CHECK(best.restore(model.parameters()));
        CHECK(model.parameters().values()[0] == 3.f);
    }

    TEST_CASE("an epoch that an error kept from ending ends where the run goes on") {
        const TrainingOptions options{.epochs = 3, .batch_size = 4, .threads = 1};
        Setting whole;
        Trainer reference(whole.model, optimizer::Sgd{.learning_rate = 0.1});
        const TrainingResult expected = reference.fit(whole.train, whole.validation, options);
        struct Full {
            std::size_t at = 0;
            void step(const report::StepReport& report) const {
                if (report.step == at) fail("the disk is full");
            }
        };
        for (const std::size_t at : {3u, 9u}) { // the last steps of the first and of the last epoch
            Setting one, two;
            Trainer trainer(one.model, optimizer::Sgd{.learning_rate = 0.1});
            CHECK_THROWS_WITH(trainer.fit(one.train, one.validation, options, Full{at}), "the disk is full");
            Archive out;
            trainer.serialize(out);
            Trainer next(two.model, optimizer::Sgd{.learning_rate = 0.1});
            Archive in(out.bytes(), "checkpoint");
            next.serialize(in);
            CHECK(next.fit(two.train, two.validation, options).validation == expected.validation);
            CHECK(small::values_of(two.model) == small::values_of(whole.model));
        }
    }

    TEST_CASE("a run that goes on without restore_best ends with its last values") {
        const TrainingOptions options{.epochs = 4, .batch_size = 4, .threads = 1, .restore_best = false};
        Setting whole;
        Trainer(whole.model, optimizer::Sgd{.learning_rate = 0.1}).fit(whole.train, whole.validation, options);
        Setting one, two;
        Trainer trainer(one.model, optimizer::Sgd{.learning_rate = 0.1});
        TrainingOptions first = options;
        first.restore_best = true;
        first.stop = [&] { return trainer.moment().step_of_run == 5; };
        trainer.fit(one.train, one.validation, first);
        Archive out;
        trainer.serialize(out);
        Trainer next(two.model, optimizer::Sgd{.learning_rate = 0.1});
        Archive in(out.bytes(), "checkpoint");
        next.serialize(in);
        next.fit(two.train, two.validation, options);
        CHECK(small::values_of(two.model) == small::values_of(whole.model));
    }

    TEST_CASE("an experience after one that stopped early trains to its own end") {
        Setting s;
        std::size_t steps[2] = {0, 0};
        struct {
            std::size_t* steps;
            void step(const report::StepReport& report) { ++steps[report.experience]; }
        } count{steps};
        Trainer trainer(s.model, optimizer::Sgd{.learning_rate = 2}, schedule::Constant{});
        trainer.fit(Stream{{.name = "stops", .tasks = {{.train = s.train, .validation = s.validation}}},
                           {.name = "goes on", .tasks = {{.train = s.train}}}},
                    {.epochs = 30, .batch_size = 4, .threads = 1, .patience = 1}, count);
        CHECK(steps[0] < 90);
        CHECK(steps[1] == 90);
    }

    TEST_CASE("every run evaluates each experience's test data after each experience: the matrix R") {
        Setting s;
        const Dataset tests[] = {small::vectors("t0", 30, 5, 3, 8), small::vectors("t1", 30, 5, 3, 9, 4)};
        const Stream stream{
            {.name = "0", .tasks = {{.train = s.train, .test = tests[0]}}},
            {.name = "1", .tasks = {{.train = small::vectors("train", 12, 5, 3, 3, 4), .test = tests[1]}}}};
        for (const bool before : {false, true}) {
            Setting fresh;
            Trainer trainer(fresh.model, optimizer::Sgd{.learning_rate = 0.5});
            double untrained[2];
            for (std::size_t j = 0; j < 2; ++j) untrained[j] = evaluate(trainer.engine(), tests[j], 0).primary;
            const TrainingResult result =
                trainer.fit(stream, {.epochs = 4, .batch_size = 4, .threads = 1, .evaluate_before = before});
            REQUIRE(result.matrix.size() == 6);
            for (std::size_t j = 0; j < 2; ++j) {
                CHECK((before ? result.matrix[j] == untrained[j] : std::isnan(result.matrix[j])));
                CHECK(std::isfinite(result.matrix[2 + j]));
                CHECK(result.matrix[4 + j] == evaluate(trainer.engine(), tests[j], 0).primary);
            }
        }
    }

    TEST_CASE("callbacks see steps and epochs in order, checkpoints after their epoch, and the finish once") {
        Setting s;
        Everything all;
        struct {
            int steps = 0;
            void step(const report::StepReport&) { ++steps; }
        } some;
        Trainer trainer(s.model);
        trainer.fit(s.train, s.validation, {.epochs = 2, .batch_size = 6, .threads = 1}, all, some);
        CHECK(all.seen == "s1 c0 s2 e0 c1 s3 c1 s4 e1 c2 f");
        CHECK(some.steps == 4);
    }

    TEST_CASE("a fraction of an epoch and a number of steps both set the length of an experience") {
        Setting s;
        for (const auto& [options, expected] : std::vector<std::pair<TrainingOptions, std::size_t>>{
                 {{.epochs = 0.5, .batch_size = 2, .threads = 1}, 3},
                 {{.epochs = 1.4, .batch_size = 4, .threads = 1}, 5},
                 {{.epochs = 2, .batch_size = 5, .threads = 1}, 6},
                 {{.steps = 7, .batch_size = 4, .threads = 1}, 7},
                 {{.epochs = 1, .batch_size = 100, .threads = 1}, 1}}) {
            Trainer trainer(s.model);
            trainer.fit(s.train, options);
            CHECK(trainer.moment().step_of_run == expected);
        }
    }

    TEST_CASE("the same run has the same bits on 1, 2, 3 and 4 threads") {
        const Stream together{{.name = "both", .tasks = {long_sentences(0, 1), long_sentences(1, 2)}},
                              {.name = "more", .tasks = {long_sentences(1, 3)}}};
        check_threads({1, 2, 3, 4}, wide_bert, together);
        check_threads({1, 3}, wide_bert, together, freeze::Prefix{.layers = 1}, sharing::Pcgrad{},
                      forgetting::Both<forgetting::OnlineEwc, forgetting::AveragedGem>{{.fisher_samples = 2}, {}});
        const auto gpt2 = [] {
            Model<Transformer<arch::Gpt2, F>, heads::CausalLanguageModel> model(wide(), 3);
            model.add_head({});
            return model;
        };
        check_threads({1, 2}, gpt2, Stream{{.name = "text", .tasks = {long_sentences(0, 1)}}});
        const auto stitched = [] {
            Model<CrossStitch<Transformer<arch::Bert, F>>, heads::SequenceClassification<>> model(
                CrossStitchConfig{.transformer = wide()}, 3);
            model.add_head({.num_labels = 3});
            model.add_head({.num_labels = 3});
            return model;
        };
        check_threads({1, 3}, stitched, together, sharing::CrossStitch{});
    }

    TEST_CASE("the same seed gives the same bits, another seed others") {
        AlignedVector<float> values[3];
        for (const int run : {0, 1, 2}) {
            auto model = wide_bert();
            Trainer trainer(model);
            trainer.fit(long_sentences(0, 1).train, {.steps = 2, .batch_size = 6, .seed = run < 2 ? 5u : 6u});
            values[run] = small::values_of(model);
        }
        CHECK(values[0] == values[1]);
        CHECK(values[0] != values[2]);
    }

    TEST_CASE("trainers that take turns on one model keep their own moments and importances") {
        const Dataset data = small::sentences("train", 12, 3, 1);
        small::BertModel<F> model(small::config(), 3);
        model.add_head({.num_labels = 3});
        const TrainingOptions options{.epochs = 1, .batch_size = 4, .threads = 1, .reset_optimizer = false};
        const auto moments = [](auto& trainer) {
            Archive archive;
            trainer.policies().optimizer.serialize(archive);
            return archive.bytes();
        };
        Trainer whole(model, freeze::Discriminative{.decay = 1}, forgetting::OnlineEwc{.strength = 1});
        whole.fit(data, options);
        const auto fisher = whole.policies().forgetting.fisher();
        const std::string before = moments(whole);
        Trainer part(model, freeze::Prefix{.layers = 2}, forgetting::OnlineEwc{.strength = 1});
        part.fit(data, options);
        CHECK(part.policies().forgetting.fisher().size() < fisher.size());
        whole.policies().plan(model, {});
        CHECK(whole.policies().forgetting.fisher() == fisher);
        CHECK(moments(whole) == before);
    }

    TEST_CASE("a fit after the values were changed from outside does not see states cached before") {
        const Dataset data = small::sentences("train", 12, 3, 1);
        AlignedVector<float> values[2];
        for (const bool twice : {false, true}) {
            small::BertModel<F> model(small::config(), 3);
            model.add_head({.num_labels = 3});
            Trainer trainer(model, freeze::Prefix{.layers = 2});
            const auto start = small::values_of(model);
            if (twice) {
                for (float& w : model.parameters().values()) w *= 1.5f;
                trainer.fit(data, {.epochs = 1, .batch_size = 4});
                std::copy(start.begin(), start.end(), model.parameters().values().begin());
            }
            trainer.fit(data, {.epochs = 2, .batch_size = 4});
            values[twice] = small::values_of(model);
        }
        CHECK(values[0] == values[1]);
    }

    TEST_CASE("a step allocates nothing after the first of its shape, under any policy") {
        CHECK(std::system(DIDACT_TEST_PROGRAMS "/step_allocations") == 0);
    }
}

}
