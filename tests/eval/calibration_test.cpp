#include <doctest/doctest.h>

#include "didact/eval/calibration.hpp"

namespace calibration_test {

using namespace didact;
using namespace didact::eval;
using doctest::Approx;

namespace {

using Integers = std::vector<std::int32_t>;
using Reals = std::vector<double>;

const Reals probabilities = {0.9, 0.1, 0.3, 0.7, 0.6, 0.4, 0.2, 0.8};
const Integers gold = {0, 0, 0, 1};

}

TEST_SUITE("unit") {
    TEST_CASE("reliability diagram: a confidence on a bin's upper edge belongs to that bin") {
        const std::vector<CalibrationBin> diagram = reliability_diagram(Reals{0.5, 0.5, 0.25, 0.75}, Integers{0, 0}, 4);
        REQUIRE(diagram.size() == 4);
        CHECK(diagram[1].count == 1);
        CHECK(diagram[1].confidence == Approx(0.5));
        CHECK(diagram[1].accuracy == 1);
        CHECK(diagram[2].count == 1);
        CHECK(diagram[2].accuracy == 0);
        CHECK(diagram[3].count == 0);
    }

    TEST_CASE("calibration error: the gap of each bin, weighted by its examples") {
        // Of 2 bins all fall in the upper one: confidence 0.75, accuracy 3/4.
        CHECK(expected_calibration_error(probabilities, gold, 2) == Approx(0));
        // (0.5, 0.75]: 0.7 wrong, 0.6 right; (0.75, 1]: 0.9 and 0.8, both right.
        CHECK(expected_calibration_error(probabilities, gold, 4) == Approx(0.5 * 0.15 + 0.5 * 0.15));
    }

    TEST_CASE("Brier score sums over classes, the likelihood takes the gold class only") {
        CHECK(brier_score(probabilities, gold) == Approx(2 * (0.01 + 0.49 + 0.16 + 0.04) / 4));
        CHECK(negative_log_likelihood(probabilities, gold) == Approx(-std::log(0.9 * 0.3 * 0.6 * 0.8) / 4));
        CHECK(std::isinf(negative_log_likelihood(Reals{0, 1}, Integers{0})));
        CHECK(brier_score(Reals{0, 1}, Integers{0}) == 2);
    }

    TEST_CASE("calibration: what are no probabilities is an error") {
        CHECK_THROWS_AS(brier_score(Reals{0.5, 0.6}, Integers{0}), Error);
        CHECK_THROWS_AS(brier_score(Reals{1.5, -0.5}, Integers{0}), Error);
        CHECK_THROWS_AS(brier_score(Reals{0.5, 0.5, 1}, Integers{0, 0}), Error);
        CHECK_THROWS_AS(brier_score(Reals{0.5, 0.5}, Integers{2}), Error);
        CHECK_THROWS_AS(brier_score(Reals{}, Integers{}), Error);
        CHECK_THROWS_AS(expected_calibration_error(probabilities, gold, 0), Error);
    }
}

}
