#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "didact/report/tensorboard.hpp"

#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

namespace tensorboard_parity_test {

using namespace didact::report;

namespace {

/// Ends as tests/parity/tensorboard_read.py says. DIDACT_PYTHON names a Python that has the package `tensorboard`.
int read_back(const std::filesystem::path& folder, const std::filesystem::path& expected) {
    const char* python = std::getenv("DIDACT_PYTHON");
    const std::string command = std::string("'") + (python ? python : "python3") +
                                "' '" DIDACT_SOURCE_DIR "/tests/parity/tensorboard_read.py' '" + folder.string() +
                                "' '" + expected.string() + "' 2>/dev/null";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

double loss_at(std::size_t step) { return 1.0 / double(step) + 1e-3; }

}

TEST_SUITE("parity") {
    TEST_CASE("TensorBoard's own reader finds every scalar of a run that was stopped and resumed") {
        const ScratchFolder folder;
        std::map<std::string, std::vector<std::pair<std::size_t, nlohmann::json>>> expected;
        const auto step_of = [](std::size_t experience, std::size_t step) {
            return StepReport{.experience = experience,
                              .step = step,
                              .total_steps = 300,
                              .tokens = 64,
                              .loss = loss_at(step),
                              .learning_rate = 1e-4 * double(step),
                              .gradient_norm = 2,
                              .seconds = 0.25 * double(step)};
        };
        const auto expect_step = [&](std::size_t run_step, const StepReport& report, bool timed) {
            expected["train/loss"].emplace_back(run_step, report.loss);
            expected["train/learning_rate"].emplace_back(run_step, report.learning_rate);
            expected["train/gradient_norm"].emplace_back(run_step, report.gradient_norm);
            if (timed) expected["train/tokens_per_second"].emplace_back(run_step, 256.0);
            expected["train/experience"].emplace_back(run_step, report.experience);
        };
        const EpochReport epoch{.split = "validation", .metrics = {{"accuracy", 0.8}, {"größe", std::nan("")}}};
        {
            // 300 steps of experience 0, then 7 of experience 1; a checkpoint after the fourth of these.
            TensorBoard board(folder.path / "run");
            for (std::size_t step = 1; step <= 300; ++step) {
                board.step(step_of(0, step));
                expect_step(step, step_of(0, step), step > 1);
            }
            board.epoch(epoch);
            expected["validation/accuracy"].emplace_back(300, 0.8);
            expected["validation/größe"].emplace_back(300, nullptr);
            for (std::size_t step = 1; step <= 7; ++step) {
                StepReport report = step_of(1, step);
                report.seconds += 75; // the clock goes on
                board.step(report);
                if (step <= 4) expect_step(300 + step, report, true);
            }
        }
        {
            TensorBoard board(folder.path / "run");
            for (std::size_t step = 5; step <= 9; ++step) {
                StepReport report = step_of(1, step);
                report.step_of_run = 300 + step; // as a Trainer's has it
                report.gradient_norm = 3;        // so that one sees from which file it is
                board.step(report);
                expect_step(300 + step, report, step > 5);
            }
            board.finish();
        }
        AppendFile file(folder.path / "expected.json");
        file.write(nlohmann::json(expected).dump());
        file.close();
        const int status = read_back(folder.path / "run", folder.path / "expected.json");
        if (status == 77 || status == 127) {
            MESSAGE("skipped: no Python with the package tensorboard; DIDACT_PYTHON may name one");
            return;
        }
        CHECK(status == 0);

        // The comparison itself can fail.
        expected["train/loss"][10].second = 0.5;
        AppendFile wrong(folder.path / "wrong.json");
        wrong.write(nlohmann::json(expected).dump());
        wrong.close();
        CHECK(read_back(folder.path / "run", folder.path / "wrong.json") == 1);
    }
}

}
