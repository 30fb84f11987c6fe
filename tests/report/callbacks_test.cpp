#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "../model/small_models.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/report/jsonl.hpp"
#include "didact/report/progress.hpp"
#include "didact/report/tensorboard.hpp"

#include <sstream>

namespace callbacks_test {

using namespace didact;

namespace {

/// Trains a small model, with these callbacks.
template <class... Callbacks>
TrainingResult train(Callbacks&... callbacks) {
    small::MlpModel<Cpu<float>> model(small::mlp_config(), 3);
    model.add_head({.num_labels = 2});
    Trainer trainer(model, optimizer::AdamW{.learning_rate = 1e-2});
    return trainer.fit(small::vectors("train", 40, 5, 2, 1), small::vectors("validation", 16, 5, 2, 2),
                       {.epochs = 2, .batch_size = 8, .threads = 1}, callbacks...);
}

}

TEST_SUITE("unit") {
    TEST_CASE("callbacks: a trainer calls all three at each step and epoch, and learns the same without them") {
        const ScratchFolder folder;
        std::ostringstream shown;
        report::JsonLines lines(folder.path / "metrics.jsonl");
        report::TensorBoard board(folder.path / "events");
        report::Progress progress({.stream = &shown, .every_seconds = 0});
        const TrainingResult result = train(lines, board, progress);

        std::istringstream written(io::read_file(folder.path / "metrics.jsonl"));
        std::size_t steps = 0, epochs = 0;
        double loss = 0;
        for (std::string line; std::getline(written, line);) {
            const auto record = nlohmann::json::parse(line);
            if (record["event"] == "step") {
                CHECK(record["step"] == ++steps);
                CHECK(record["total_steps"] == 10);
                loss = record["loss"];
            } else {
                CHECK(record["epoch"] == epochs++);
                CHECK(record["metrics"]["loss"].is_number());
            }
        }
        CHECK(steps == 10);
        CHECK(epochs == 2);
        CHECK(loss == result.last_loss);
        CHECK(std::filesystem::file_size(board.path()) > 10 * 100);
        CHECK(shown.str().find("step 10/10") != std::string::npos);
        CHECK(shown.str().find("10 steps") != std::string::npos);
        CHECK(train().last_loss == result.last_loss);
    }
}

}
