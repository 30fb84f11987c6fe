#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/report/jsonl.hpp"

#include <cmath>
#include <limits>
#include <sstream>

namespace jsonl_test {

using namespace didact;
using namespace didact::report;

namespace {

std::vector<nlohmann::json> lines_of(const std::filesystem::path& path) {
    std::vector<nlohmann::json> lines;
    std::istringstream text(io::read_file(path));
    for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
}

StepReport step_report(std::size_t step, double seconds) {
    return {.experience = 1,
            .epoch = 2,
            .step = step,
            .total_steps = 9,
            .tokens = 512,
            .loss = 0.1 + 0.2,
            .learning_rate = 3e-5,
            .gradient_norm = 1.5,
            .seconds = seconds};
}

}

TEST_SUITE("unit") {
    TEST_CASE("JSON lines: every value of a report is read back bit for bit") {
        const ScratchFolder folder;
        JsonLines log(folder.path / "metrics.jsonl");
        log.step(step_report(3, 0.25));
        log.epoch({.experience = 1, .epoch = 2, .split = "validation", .metrics = {{"accuracy", 0.7}}, .seconds = 0.5});
        log.finish();
        const auto lines = lines_of(folder.path / "metrics.jsonl");
        REQUIRE(lines.size() == 2);
        CHECK(lines[0] == nlohmann::json{{"event", "step"},
                                         {"experience", 1},
                                         {"epoch", 2},
                                         {"step", 3},
                                         {"total_steps", 9},
                                         {"tokens", 512},
                                         {"loss", 0.1 + 0.2},
                                         {"learning_rate", 3e-5},
                                         {"gradient_norm", 1.5},
                                         {"seconds", 0.25}});
        CHECK(lines[1] == nlohmann::json{{"event", "epoch"},
                                         {"experience", 1},
                                         {"epoch", 2},
                                         {"split", "validation"},
                                         {"metrics", {{"accuracy", 0.7}}},
                                         {"seconds", 0.5}});
    }

    TEST_CASE("JSON lines: what JSON cannot say is null or replaced, never a broken line") {
        const ScratchFolder folder;
        JsonLines log(folder.path / "metrics.jsonl");
        log.epoch(
            {.split = "a\"\n\xFF", .metrics = {{"f1", std::nan("")}, {"x", std::numeric_limits<double>::infinity()}}});
        const auto lines = lines_of(folder.path / "metrics.jsonl"); // an epoch's line is there before finish()
        REQUIRE(lines.size() == 1);
        CHECK(lines[0]["split"] == "a\"\n\uFFFD");
        CHECK(lines[0]["metrics"]["f1"].is_null());
        CHECK(lines[0]["metrics"]["x"].is_null());
    }

    TEST_CASE("JSON lines: a run goes on after the steps that it had done, whatever stands behind them") {
        const ScratchFolder folder;
        const std::filesystem::path path = folder.path / "metrics.jsonl";
        CHECK(JsonLines::place_after(path, 3).offset == 0);
        std::uint64_t after_epoch = 0, after_all = 0;
        {
            JsonLines log(path);
            for (std::size_t step = 1; step <= 5; ++step) {
                log.step(step_report(step, 0.5 * double(step)));
                if (step == 3) log.epoch({.split = "validation", .seconds = 1.75}), after_epoch = log.offset();
            }
            after_all = log.offset();
        }
        CHECK(JsonLines::place_after(path, 3).offset == after_epoch);
        CHECK(JsonLines::place_after(path, 3).seconds == 1.75);
        CHECK(JsonLines::place_after(path, 9).offset == after_all);
        CHECK(JsonLines::place_after(path, 0).offset == 0);
        std::filesystem::resize_file(path, after_all - 1); // a line that was cut off
        CHECK(JsonLines::place_after(path, 9).offset < after_all - 1);
        CHECK(JsonLines::place_after(path, 4).offset == JsonLines::place_after(path, 9).offset);
    }

    TEST_CASE("JSON lines: a resumed run ends with the lines of one that was never stopped") {
        const ScratchFolder folder;
        {
            JsonLines log(folder.path / "whole.jsonl");
            for (std::size_t step = 1; step <= 6; ++step) log.step(step_report(step, 0.5 * double(step)));
            log.finish();
        }
        std::uint64_t offset = 0;
        double seconds = 0;
        {
            JsonLines log(folder.path / "resumed.jsonl");
            for (std::size_t step = 1; step <= 5; ++step) {
                log.step(step_report(step, 0.5 * double(step)));
                if (step == 3) offset = log.offset(), seconds = log.seconds();
            }
        }
        CHECK(lines_of(folder.path / "resumed.jsonl").size() == 5);
        {
            JsonLines log(folder.path / "resumed.jsonl", offset, seconds);
            CHECK(log.offset() == offset);
            CHECK(log.seconds() == 1.5);
            for (std::size_t step = 4; step <= 6; ++step) log.step(step_report(step, 0.5 * double(step - 3)));
            log.finish();
        }
        CHECK(io::read_file(folder.path / "resumed.jsonl") == io::read_file(folder.path / "whole.jsonl"));
    }

    TEST_CASE(
        "JSON lines: a place that is no line's end, a file that is gone and a full disk are errors with its name") {
        const ScratchFolder folder;
        const std::string path = (folder.path / "metrics.jsonl").string();
        JsonLines(path).step(step_report(1, 0));
        const std::string before = io::read_file(path);
        CHECK(error_of([&] { JsonLines log(path, 5); }) == path + ": byte 5 is not the end of a line");
        CHECK(error_of([&] { JsonLines log(path, before.size() + 1); }).rfind(path + ": has ", 0) == 0);
        CHECK(io::read_file(path) == before);
        CHECK(error_of([&] {
                  JsonLines log(folder.path / "gone.jsonl", 5);
              }).rfind((folder.path / "gone.jsonl").string(), 0) == 0);
        CHECK(error_of([] {
                  JsonLines log("/dev/full");
                  for (std::size_t step = 1; step < 100; ++step) log.step(step_report(step, double(step)));
              }).rfind("/dev/full: cannot be written: ", 0) == 0);
    }
}

}
