#include <doctest/doctest.h>

#include <map>

#include "didact/eval/continual.hpp"

namespace continual_test {

using namespace didact;
using namespace didact::eval;
using doctest::Approx;

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

// Three experiences; row 0 is the untrained model.
const std::vector<double> rows = {0.1, 0.2, 0.3, //
                                  0.9, 0.3, 0.3, //
                                  0.7, 0.8, 0.5, //
                                  0.5, 0.9, 0.6};

std::map<std::string, double> all(const ResultMatrix& r) {
    const auto list = continual_metrics(r);
    return {list.begin(), list.end()};
}

}

TEST_SUITE("unit") {
    TEST_CASE("continual metrics: each type gives its paper's number") {
        const ResultMatrix r(rows);
        CHECK(r.experiences() == 3);
        CHECK(AverageAccuracy::of(r) == Approx((0.5 + 0.9 + 0.6) / 3));
        CHECK(AverageIncrementalAccuracy::of(r) == Approx((0.9 + (0.7 + 0.8) / 2 + (0.5 + 0.9 + 0.6) / 3) / 3));
        CHECK(LearningAccuracy::of(r) == Approx((0.9 + 0.8 + 0.6) / 3));
        CHECK(BackwardTransfer::of(r) == Approx(((0.5 - 0.9) + (0.9 - 0.8)) / 2));
        CHECK(ForwardTransfer::of(r) == Approx(((0.3 - 0.2) + (0.5 - 0.3)) / 2));
        CHECK(Forgetting::of(r) == Approx(((0.9 - 0.5) + (0.8 - 0.9)) / 2));
        CHECK(all(r).size() == 6);
    }

    TEST_CASE("forgetting takes the best earlier score, backward transfer the first") {
        ResultMatrix r(3);
        r(1, 0) = 0.6, r(2, 0) = 0.9, r(3, 0) = 0.5;
        r(2, 1) = 0.7, r(3, 1) = 0.7, r(3, 2) = 0.8;
        CHECK(Forgetting::of(r) == Approx(0.2));
        CHECK(BackwardTransfer::of(r) == Approx(-0.05));
    }

    TEST_CASE("continual metrics: a missing entry is an error that names it, and its metric is left out") {
        std::vector<double> partly = rows;
        partly[0] = partly[1] = partly[2] = none;
        const ResultMatrix r(partly);
        CHECK(!r.evaluated(0, 1));
        CHECK_THROWS_WITH_AS(ForwardTransfer::of(r),
                             "result matrix: experience 1 (from 0) was not evaluated after 0 experiences, or its "
                             "metric is not a number; "
                             "TrainingOptions::evaluate_before fills row 0",
                             Error);
        CHECK(!all(r).contains("forward_transfer"));
        CHECK(all(r).size() == 5);
        CHECK(all(r).at("backward_transfer") == Approx(-0.15));
        CHECK(all(ResultMatrix(2)).empty());
    }

    TEST_CASE("continual metrics: one experience has an accuracy and no transfer") {
        const ResultMatrix r(std::vector<double>{0.1, 0.8});
        CHECK(AverageAccuracy::of(r) == 0.8);
        CHECK(AverageIncrementalAccuracy::of(r) == 0.8);
        CHECK_THROWS_AS(BackwardTransfer::of(r), Error);
        CHECK_THROWS_AS(Forgetting::of(r), Error);
        CHECK(all(r).size() == 3);
    }

    TEST_CASE("result matrix: a list of another length is an error") {
        CHECK_THROWS_WITH_AS(ResultMatrix(std::vector<double>(7)),
                             "result matrix: 7 entries, expected (T + 1) T for T experiences", Error);
        CHECK_THROWS_AS(ResultMatrix(std::vector<double>{}), Error);
        CHECK_THROWS_AS(ResultMatrix(2)(3, 0), Error);
        CHECK_THROWS_AS(ResultMatrix(2)(0, 2), Error);
    }
}

}
