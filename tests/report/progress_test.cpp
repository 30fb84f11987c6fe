#include <doctest/doctest.h>

#include "didact/report/progress.hpp"

#include <cmath>
#include <sstream>
#include <vector>

namespace progress_test {

using namespace didact::report;

namespace {

StepReport step_report(std::size_t step, double seconds, std::size_t experience = 0) {
    return {.experience = experience,
            .epoch = 0,
            .step = step,
            .total_steps = 100,
            .tokens = 512,
            .loss = 0.5,
            .learning_rate = 3e-5,
            .seconds = seconds};
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

}

TEST_SUITE("unit") {
    TEST_CASE("progress: a log gets whole lines, one every so many seconds, the first and the last step among them") {
        std::ostringstream out;
        {
            Progress progress({.stream = &out});
            for (std::size_t step = 1; step <= 100; ++step) progress.step(step_report(step, 0.5 * double(step)));
            progress.epoch({.split = "validation", .metrics = {{"loss", 0.25}, {"accuracy", 0.875}}, .seconds = 61});
            progress.finish();
        }
        const auto lines = split(out.str(), '\n');
        REQUIRE(lines.size() == 8);
        CHECK(lines[0] == "experience 0 epoch 0 step 1/100  loss 0.5000  lr 3.0e-05");
        CHECK(lines[1] == "experience 0 epoch 0 step 21/100  loss 0.5000  lr 3.0e-05  1.02k tokens/s  0:40 left");
        CHECK(lines[5] == "experience 0 epoch 0 step 100/100  loss 0.5000  lr 3.0e-05  1.02k tokens/s");
        CHECK(lines[6] == "experience 0 epoch 0 validation: loss 0.25, accuracy 0.875 (1:01)");
        CHECK(lines[7] == "100 steps, 51.2k tokens in 1:01, 839 tokens/s");
        CHECK(out.str().find('\r') == std::string::npos);
        CHECK(out.str().find('\x1b') == std::string::npos);
    }

    TEST_CASE("progress: a second run with one object is shown from its beginning") {
        std::ostringstream out;
        Progress progress({.stream = &out, .every_seconds = 10});
        for (std::size_t step = 1; step <= 100; ++step) progress.step(step_report(step, double(step)));
        progress.finish();
        out.str("");
        for (std::size_t step = 1; step <= 12; ++step) progress.step(step_report(step, double(step)));
        const auto lines = split(out.str(), '\n');
        REQUIRE(lines.size() == 2);
        CHECK(lines[0] == "experience 0 epoch 0 step 1/100  loss 0.5000  lr 3.0e-05");
        CHECK(lines[1] == "experience 0 epoch 0 step 11/100  loss 0.5000  lr 3.0e-05  512 tokens/s  1:29 left");
    }

    TEST_CASE("progress: a terminal's line is written over and never wider than the terminal") {
        for (const bool unicode : {false, true}) {
            for (std::size_t width = 1; width <= 200; width += width < 12 ? 1 : 7) {
                std::ostringstream out;
                Progress progress(
                    {.stream = &out, .terminal = true, .every_seconds = 0, .width = width, .unicode = unicode});
                for (std::size_t step = 1; step <= 100; step += 9) progress.step(step_report(step, double(step)));
                const auto lines = split(out.str(), '\r');
                REQUIRE(lines.size() == 13); // nothing stands before the first
                for (std::size_t i = 1; i < lines.size(); ++i) {
                    const std::string shown = lines[i].substr(0, lines[i].find("\x1b[K"));
                    CHECK(valid_utf8(shown) == shown);
                    CHECK(display_width(shown) <= std::max<std::size_t>(1, width - 1));
                    if (width == 200) CHECK(display_width(shown) > 100);
                }
                CHECK(out.str().find('\n') == std::string::npos);
            }
        }
    }

    TEST_CASE("progress: the bar is as full as the experience is done") {
        std::ostringstream out;
        Progress progress({.stream = &out, .terminal = true, .every_seconds = 0, .width = 200, .unicode = false});
        progress.step(step_report(50, 1));
        CHECK(out.str() == "\rexperience 0 epoch 0 ####################....................  50%  50/100  loss 0.5000  "
                           "lr 3.0e-05\x1b[K");
    }

    TEST_CASE("progress: a line that stays is written in place of the bar, and the last bar ends with a line feed") {
        std::ostringstream out;
        {
            Progress progress({.stream = &out, .terminal = true, .every_seconds = 0, .width = 120, .unicode = false});
            progress.step(step_report(1, 1));
            progress.epoch({.split = "a\nb\xFF", .metrics = {}, .seconds = 2});
            CHECK(split(out.str(), '\r')[2] == "\x1b[Kexperience 0 epoch 0 a b\uFFFD: (0:02)\n");
            progress.step(step_report(2, 3));
        }
        CHECK(out.str().back() == '\n');
    }

    TEST_CASE("progress: evaluation between two steps slows neither, and the next experience has a pace of its own") {
        std::ostringstream out;
        Progress progress({.stream = &out, .every_seconds = 0});
        progress.step(step_report(99, 1));
        progress.step(step_report(100, 2));
        progress.epoch({.split = "validation", .seconds = 1000});
        progress.step(step_report(1, 1001, 1));
        const auto lines = split(out.str(), '\n');
        CHECK(lines.back() == "experience 1 epoch 0 step 1/100  loss 0.5000  lr 3.0e-05  512 tokens/s  1:39 left");
    }

    TEST_CASE("progress: a stream that fails stops no run") {
        std::ostringstream out;
        out.setstate(std::ios::badbit);
        Progress progress({.stream = &out, .terminal = true});
        progress.step(step_report(1, 1));
        progress.finish();
        CHECK(out.str().empty());
    }
}

}
