#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "../model/small_models.hpp"
#include "didact/train/checkpoint.hpp"

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
}
