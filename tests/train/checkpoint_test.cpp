#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "../model/small_models.hpp"
#include "didact/train/checkpoint.hpp"

namespace checkpoint_test {

using namespace didact;

TEST_SUITE("unit") {
    TEST_CASE("checkpoint: a run goes on from the newest that is whole, and says what is wrong where none is") {
        const ScratchFolder folder;
        const auto model = [] {
            small::MlpModel<Cpu<float>> result(small::mlp_config(), 3);
            result.add_head({.num_labels = 3});
            return result;
        };
        const Dataset data = small::vectors("train", 32, 5, 3, 1);
        auto trained = model();
        Checkpoint write({folder.path, 2, 3});
        Trainer(trained).fit(data, {.steps = 8, .batch_size = 8}, write);
        REQUIRE(folder.entries() == 3);

        const auto resumed_at = [&] {
            auto fresh = model();
            Trainer trainer(fresh);
            const bool found = Checkpoint({folder.path}).resume(trainer); // a CHECK would keep its Error
            CHECK(found);
            return trainer.moment().step_of_run;
        };
        CHECK(resumed_at() == 8);
        std::filesystem::resize_file(folder.path / "step-8.checkpoint", 100);
        CHECK(resumed_at() == 6);
        folder.file("step-6.checkpoint", "nothing of the kind");
        CHECK(resumed_at() == 4);
        std::filesystem::resize_file(folder.path / "step-4.checkpoint", 0);
        const std::string said = error_of([&] { resumed_at(); }, folder.path);
        CHECK(said.rfind("step-8.checkpoint: the checkpoint has ", 0) == 0);

        auto fresh = model();
        Trainer trainer(fresh);
        CHECK_FALSE(Checkpoint({folder.path / "empty"}).resume(trainer));
    }

    TEST_CASE(
        "checkpoint: a run with other policies, data or seed does not go on from it; one of another length does") {
        const ScratchFolder folder;
        const Dataset data = small::vectors("train", 32, 5, 3, 1), other = small::vectors("train", 32, 5, 3, 2);
        const TrainingOptions options{.steps = 4, .batch_size = 8};
        const auto go_on = [&](const Dataset& train, const TrainingOptions& changed, const auto&... policies) {
            small::MlpModel<Cpu<float>> model(small::mlp_config(), 3);
            model.add_head({.num_labels = 3});
            Trainer trainer(model, policies...);
            load_checkpoint(trainer, folder.path / "step-2.checkpoint");
            trainer.fit(train, changed);
            return trainer.moment().step_of_run;
        };
        const optimizer::AdamW adamw{.learning_rate = 1e-3};
        small::MlpModel<Cpu<float>> model(small::mlp_config(), 3);
        model.add_head({.num_labels = 3});
        Checkpoint write({folder.path, 2, 3});
        Trainer(model, adamw).fit(data, options, write);
        REQUIRE(std::filesystem::exists(folder.path / "step-2.checkpoint"));

        CHECK(go_on(data, options, adamw) == 4);
        TrainingOptions changed = options;
        changed.steps = 6;
        changed.threads = 1;
        CHECK(go_on(data, changed, adamw) == 6);

        const auto error = [&](const auto&... arguments) {
            return error_of([&] { go_on(arguments...); }, folder.path);
        };
        const std::string of_run = "step-2.checkpoint: it is of a run with ";
        CHECK(error(data, options, optimizer::AdamW{.learning_rate = 2e-3}) ==
              of_run +
                  "optimizer adamw(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01) and "
                  "this trainer has optimizer adamw(learning_rate=0.002, beta1=0.9, beta2=0.999, epsilon=1e-08, "
                  "weight_decay=0.01)");
        CHECK(error(data, options, adamw, forgetting::Replay{.capacity = 9}).rfind(of_run + "forgetting none and", 0) ==
              0);
        CHECK(error(other, options, adamw)
                  .rfind(of_run + "in experience 'train' for task 0 32 training samples of digest", 0) == 0);
        changed = options;
        changed.seed = 7;
        CHECK(error(data, changed, adamw) == of_run + "seed 0 and this one has seed 7");
        changed = options;
        changed.batch_size = 16;
        CHECK(error(data, changed, adamw) == of_run + "batch_size 8 and this one has batch_size 16");
    }

    TEST_CASE("checkpoint: a trainer of a run that had finished trains on other data, with what its policies know") {
        const ScratchFolder folder;
        const Dataset first = small::vectors("first", 32, 5, 3, 1), second = small::vectors("second", 24, 5, 3, 2);
        const TrainingOptions options{.epochs = 2, .batch_size = 8, .threads = 1};
        using M = small::MlpModel<Cpu<float>>;
        const auto days = [&](const auto& policy) {
            const auto make = [] {
                M model(small::mlp_config(), 3);
                model.add_head({.num_labels = 3});
                return model;
            };
            M at_once = make(), day = make(), next_day = make(), alone = make();
            Trainer both(at_once, policy);
            both.fit(first, options);
            const auto after_first = small::values_of(at_once);
            both.fit(second, options);

            Trainer trainer(day, policy);
            trainer.fit(first, options);
            save_checkpoint(trainer, folder.path / "day");
            Trainer later(next_day, policy);
            load_checkpoint(later, folder.path / "day");
            CHECK(later.fit(first, options).finished); // the same run has nothing left to do
            CHECK(small::values_of(next_day) == after_first);
            load_checkpoint(later, folder.path / "day");
            CHECK(later.fit(second, options).finished);
            CHECK(small::values_of(next_day) == small::values_of(at_once));
            CHECK(later.moment().step_of_run == 6);

            // What the policy knows makes the difference.
            std::copy(after_first.begin(), after_first.end(), alone.parameters().values().begin());
            Trainer(alone).fit(second, options);
            CHECK(small::values_of(alone) != small::values_of(at_once));
        };
        days(forgetting::Replay{.capacity = 9, .batch_size = 4});
        days(forgetting::OnlineEwc{.strength = 50});
    }

    TEST_CASE("checkpoint: a run with another loss or dropout does not go on from it") {
        const ScratchFolder folder;
        const Dataset data = small::sentences("train", 16, 3, 1);
        const TrainingOptions options{.steps = 2, .batch_size = 8};
        const auto run = [&](const TransformerConfig& config, const HeadOptions& head, bool resumes) {
            small::BertModel<Cpu<float>> model(config, 3);
            model.add_head(head);
            Trainer trainer(model);
            if (resumes) load_checkpoint(trainer, folder.path / "step-1.checkpoint");
            Checkpoint write({folder.path, 1});
            trainer.fit(data, options, write);
        };
        const HeadOptions plain{.num_labels = 3};
        run(small::config(0.1), plain, false);
        CHECK_NOTHROW(run(small::config(0.1), plain, true));
        const auto error = [&](const TransformerConfig& config, const HeadOptions& head) {
            return error_of([&] { run(config, head, true); }, folder.path);
        };
        CHECK(error(small::config(0.1), {.num_labels = 3, .label_smoothing = 0.1}) ==
              "step-1.checkpoint: it is of a run with a head for single_label_classification of task 'main', pooling "
              "first_token_tanh, label_smoothing 0 and this one has a head for single_label_classification of task "
              "'main', pooling first_token_tanh, label_smoothing 0.1");
        CHECK(error(small::config(0.2), plain).find("hidden_dropout 0.1 and this one has hidden_dropout 0.2") !=
              std::string::npos);
        TransformerConfig other = small::config(0.1);
        other.num_heads = 3;
        CHECK(error(other, plain).find("num_heads 2 and this one has num_heads 3") != std::string::npos);
    }

    TEST_CASE("checkpoint: an earlier run's in the same folder neither stay nor make a run remove its own") {
        const ScratchFolder folder;
        const Dataset data = small::vectors("train", 32, 5, 3, 1);
        const auto run = [&](std::size_t steps, bool anew) {
            small::MlpModel<Cpu<float>> model(small::mlp_config(), 3);
            model.add_head({.num_labels = 3});
            if (anew) remove_checkpoints(folder.path);
            CHECK((!anew || folder.entries() == 0));
            Checkpoint write({folder.path, 2});
            Trainer(model).fit(data, {.steps = steps, .batch_size = 8}, write);
        };
        const auto there = [&](int step) {
            return std::filesystem::exists(folder.path / ("step-" + std::to_string(step) + ".checkpoint"));
        };
        run(8, false);
        CHECK((there(6) && there(8)));
        run(4, false);
        CHECK((there(2) && there(4)));
        CHECK(folder.entries() == 2);
        run(2, true);
        CHECK(there(2));
        CHECK(folder.entries() == 1);
    }

    TEST_CASE("checkpoint: one whose reading ends in an error leaves a trainer that does not train") {
        const ScratchFolder folder;
        const Dataset data = small::vectors("train", 32, 5, 3, 1);
        small::MlpModel<Cpu<float>> model(small::mlp_config(), 3);
        model.add_head({.num_labels = 3});
        Trainer trainer(model);
        trainer.fit(data, {.steps = 2, .batch_size = 8});
        Archive out;
        trainer.serialize(out);
        Archive cut(out.bytes().substr(0, out.bytes().size() - 1), "cut.checkpoint");
        CHECK_THROWS_AS(trainer.serialize(cut), Error);
        CHECK_THROWS_WITH_AS(trainer.fit(data, {.steps = 2, .batch_size = 8}),
                             "cut.checkpoint: reading it ended in an error, so the trainer's state is no run's", Error);
        Archive again;
        CHECK_THROWS_AS(trainer.serialize(again), Error);
        Archive longer(out.bytes() + "more", "longer.checkpoint");
        CHECK_THROWS_AS(trainer.serialize(longer), Error);
        CHECK_THROWS_AS(trainer.fit(data, {.steps = 2, .batch_size = 8}), Error);
        Archive in(out.bytes(), "whole.checkpoint");
        trainer.serialize(in);
        CHECK_NOTHROW(trainer.fit(data, {.steps = 2, .batch_size = 8}));
    }
}

}
