#include <doctest/doctest.h>

#include "../model/small_models.hpp"

namespace resume_test {

using namespace didact;

namespace {

using F = Cpu<float>;

TransformerConfig two_layers() {
    TransformerConfig config = small::config(0.1);
    config.num_layers = 2;
    return config;
}

template <class Adapter = nn::NoAdapter>
auto bert_with(std::size_t heads) {
    return [heads] {
        small::BertModel<F, Adapter> model(two_layers(), 3);
        for (std::size_t t = 0; t < heads; ++t) model.add_head({.num_labels = 3});
        return model;
    };
}

auto stitched() {
    Model<CrossStitch<Transformer<arch::Bert, F>>, heads::SequenceClassification<>> model(
        CrossStitchConfig{.transformer = two_layers()}, 3);
    model.add_head({.num_labels = 3});
    model.add_head({.num_labels = 3});
    return model;
}

TaskData data_of(std::size_t task, std::uint64_t seed, std::size_t samples = 14) {
    return {.task = task,
            .train = small::sentences("train", samples, 3, seed),
            .validation = small::sentences("validation", 4, 3, seed + 100),
            .test = small::sentences("test", 4, 3, seed + 200)};
}

const Stream one_task{{.name = "first", .tasks = {data_of(0, 1)}}, {.name = "second", .tasks = {data_of(0, 2)}}};
const Stream a_head_each{{.name = "first", .tasks = {data_of(0, 1)}}, {.name = "second", .tasks = {data_of(1, 2)}}};
const Stream tasks_together{{.name = "both", .tasks = {data_of(0, 1, 17), data_of(1, 2, 6)}},
                            {.name = "more", .tasks = {data_of(1, 3, 9), data_of(0, 4, 9)}}};

template <class S>
struct Outcome {
    AlignedVector<S> values;
    TrainingResult result;
    std::string state;
    std::size_t steps = 0;
};

/// Runs to the end, stopping after each of `stops` steps of the run to go on in a new model and a new trainer.
template <class MakeModel, class... Policies>
auto run(const MakeModel& make_model, const Stream& stream, const std::vector<std::size_t>& stops,
         const Policies&... policies) {
    Outcome<float> outcome;
    std::string checkpoint;
    for (std::size_t part = 0; part <= stops.size(); ++part) {
        auto model = make_model();
        if (part > 0) // nothing may depend on the values that a restored model happened to have
            for (float& w : model.parameters().values()) w = 0.01f;
        Trainer trainer(model, policies..., optimizer::AdamW{.learning_rate = 1e-2});
        if (part > 0) {
            Archive in(checkpoint, "checkpoint");
            trainer.serialize(in);
            in.finish();
        }
        TrainingOptions options{.epochs = 2.5,
                                .batch_size = 3,
                                .accumulation = 2,
                                .seed = 9,
                                .threads = 1 + part % 2,
                                .patience = 5,
                                .evaluate_before = true};
        options.stop = [&] { return part < stops.size() && trainer.moment().step_of_run == stops[part]; };
        outcome.result = trainer.fit(stream, options);
        CHECK(outcome.result.finished == (part == stops.size()));
        Archive out;
        trainer.serialize(out);
        checkpoint = out.bytes();
        outcome.values = small::values_of(model);
        outcome.steps = trainer.moment().step_of_run;
    }
    outcome.state = checkpoint;
    return outcome;
}

/// Stops in the middle of epochs, at their ends, at the end of the first experience, and within the second.
template <class MakeModel, class... Policies>
void check_resume(const MakeModel& make_model, const Stream& stream, const Policies&... policies) {
    const auto whole = run(make_model, stream, {}, policies...);
    const std::size_t epoch = (stream[0].train_size() + 5) / 6, first = epoch * 5 / 2 + epoch % 2;
    REQUIRE(whole.steps > first + 3);
    const auto parts = run(make_model, stream, {1, epoch, epoch + 1, first, first + 1, first + 3}, policies...);
    CHECK(parts.values == whole.values);
    CHECK(parts.state == whole.state);
    CHECK(parts.result.last_loss == whole.result.last_loss);
    CHECK(parts.result.tokens == whole.result.tokens);
    CHECK(parts.result.validation == whole.result.validation);
    REQUIRE(parts.result.matrix.size() == whole.result.matrix.size());
    for (std::size_t i = 0; i < whole.result.matrix.size(); ++i)
        CHECK((parts.result.matrix[i] == whole.result.matrix[i] && std::isfinite(whole.result.matrix[i])));
}

}

TEST_SUITE("unit") {

    TEST_CASE("a run that was stopped goes on to the same bits: plain and momentum") {
        check_resume(bert_with(1), one_task);
        const auto mlp = [] {
            small::MlpModel<F> model(small::mlp_config(), 3);
            model.add_head({.num_labels = 3});
            return model;
        };
        const auto data = [](std::uint64_t seed) -> TaskData {
            return {.train = small::vectors("train", 14, 5, 3, seed),
                    .validation = small::vectors("validation", 9, 5, 3, seed + 10),
                    .test = small::vectors("test", 9, 5, 3, seed + 20)};
        };
        check_resume(mlp, {{.name = "first", .tasks = {data(1)}}, {.name = "second", .tasks = {data(2)}}},
                     schedule::Cosine{});
    }

    TEST_CASE("a run that was stopped goes on to the same bits: freezing") {
        check_resume(bert_with(1), one_task, freeze::Prefix{.layers = 1});
        check_resume(bert_with(1), one_task, freeze::Prefix{.layers = 2, .dropout = true});
        check_resume(bert_with(1), one_task, freeze::AllButHead{});
        check_resume(bert_with(1), one_task, freeze::GradualUnfreeze{.layers_per_epoch = 2});
        check_resume(bert_with(1), one_task, freeze::Discriminative{.decay = 0.5});
        check_resume(bert_with(1), one_task, freeze::L2Sp{.alpha = 0.5, .beta = 0.1});
        check_resume(bert_with<adapters::Lora>(1), one_task, freeze::Lora{.rank = 2, .dropout = 0.1});
    }

    TEST_CASE("a run that was stopped goes on to the same bits: curricula") {
        check_resume(bert_with(1), one_task, curriculum::Competence<>{.initial = 0.3});
        check_resume(bert_with(1), one_task, curriculum::Competence<difficulty::ModelLoss>{.initial = 0.3});
        check_resume(bert_with(2), tasks_together, curriculum::Mastery<difficulty::Rarity>{.longest = 1});
    }

    TEST_CASE("a run that was stopped goes on to the same bits: sharing") {
        check_resume(bert_with(2), tasks_together);
        check_resume(bert_with(2), tasks_together, sharing::Hard{.exponent = 0.3});
        check_resume(bert_with(2), tasks_together, sharing::UncertaintyWeighting{});
        check_resume(bert_with(2), tasks_together, sharing::Pcgrad{});
        check_resume(stitched, tasks_together, sharing::CrossStitch{});
    }

    TEST_CASE("a run that was stopped goes on to the same bits: forgetting") {
        check_resume(bert_with(1), one_task, forgetting::Replay{.capacity = 10, .batch_size = 3});
        check_resume(bert_with(1), one_task, forgetting::OnlineEwc{.strength = 10, .decay = 0.5, .fisher_samples = 5});
        check_resume(bert_with(1), one_task, forgetting::LearningWithoutForgetting{});
        check_resume(bert_with(2), a_head_each, forgetting::LearningWithoutForgetting{.strength = 3});
        check_resume(bert_with(2), a_head_each, forgetting::AveragedGem{.capacity = 10, .batch_size = 4});
        check_resume(bert_with(2), a_head_each,
                     forgetting::Both<forgetting::Replay, forgetting::OnlineEwc>{{.capacity = 9, .batch_size = 2}, {}});
    }

    TEST_CASE("a run that was stopped goes on to the same bits: one policy of every family at once") {
        check_resume(bert_with(2), tasks_together, freeze::GradualUnfreeze{.layers_per_epoch = 2},
                     curriculum::Competence<>{.initial = 0.3}, sharing::Pcgrad{},
                     forgetting::Both<forgetting::Replay, forgetting::OnlineEwc>{{.capacity = 9, .batch_size = 2}, {}});
    }
}

}
