#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "didact/eval/classification.hpp"

namespace classification_test {

using namespace didact;
using namespace didact::eval;
using doctest::Approx;

namespace {

using Integers = std::vector<std::int32_t>;

// Counts, gold down, predicted across:  0: 2 1 0   1: 0 1 0   2: 1 0 1   and class 3 is only predicted, once, for a 2.
const Integers gold = {0, 0, 0, 1, 2, 2, 2}, predicted = {0, 0, 1, 1, 0, 2, 3};

}

TEST_SUITE("unit") {
    TEST_CASE("confusion matrix: rows are gold classes, columns predicted ones") {
        const ConfusionMatrix matrix(predicted, gold);
        CHECK(matrix.classes() == 4);
        CHECK(matrix(0, 0) == 2);
        CHECK(matrix(0, 1) == 1);
        CHECK(matrix(1, 1) == 1);
        CHECK(matrix(2, 0) == 1);
        CHECK(matrix(2, 2) == 1);
        CHECK(matrix(2, 3) == 1);
        CHECK(matrix(3, 3) == 0);
        CHECK_THROWS_AS(matrix(4, 0), Error);
        CHECK(ConfusionMatrix(predicted, gold, 6).classes() == 6);
    }

    TEST_CASE("class scores: precision, recall, F1 and support of each class are the counts' ratios") {
        const std::vector<ClassScores> scores = class_scores(predicted, gold);
        REQUIRE(scores.size() == 4);
        CHECK(scores[0].support == 3);
        CHECK(scores[0].false_positives() == 1);
        CHECK(scores[0].false_negatives() == 1);
        CHECK(scores[0].precision() == Approx(2.0 / 3));
        CHECK(scores[0].recall() == Approx(2.0 / 3));
        CHECK(scores[1].precision() == Approx(0.5));
        CHECK(scores[1].recall() == 1);
        CHECK(scores[1].f1() == Approx(2.0 / 3));
        CHECK(scores[2].precision() == 1);
        CHECK(scores[2].recall() == Approx(1.0 / 3));
        CHECK(scores[2].f1() == Approx(0.5));
        CHECK(scores[3].precision() == 0);
        CHECK(scores[3].recall() == 0);
        CHECK(scores[3].f1() == 0);
    }

    TEST_CASE("averages: macro F1 is over all classes that occur, balanced accuracy over those with examples") {
        CHECK(accuracy(predicted, gold) == Approx(4.0 / 7));
        CHECK(macro_f1(predicted, gold) == Approx((2.0 / 3 + 2.0 / 3 + 0.5 + 0) / 4));
        CHECK(micro_f1(predicted, gold) == Approx(4.0 / 7));
        CHECK(weighted_f1(predicted, gold) == Approx((3 * 2.0 / 3 + 1 * 2.0 / 3 + 3 * 0.5) / 7));
        CHECK(balanced_accuracy(predicted, gold) == Approx((2.0 / 3 + 1 + 1.0 / 3) / 3));
    }

    TEST_CASE("averages: a class that never occurs changes none") {
        const std::vector<ClassScores> four = class_scores(predicted, gold), ten = class_scores(predicted, gold, 10);
        CHECK(ten.size() == 10);
        CHECK(macro_f1(ten) == macro_f1(four));
        CHECK(weighted_f1(ten) == weighted_f1(four));
        CHECK(balanced_accuracy(ten) == balanced_accuracy(four));
        CHECK(matthews_correlation(ten) == matthews_correlation(four));
    }

    TEST_CASE("micro F1 of some classes counts those only") {
        const std::vector<ClassScores> scores = class_scores(predicted, gold);
        // Classes 1 and 2: 2 true positives, 3 predicted, 4 gold.
        CHECK(micro_f1(std::span(scores).subspan(1, 2)) == Approx(4.0 / 7));
        CHECK(micro_f1(std::span(scores).subspan(3, 1)) == 0);
    }

    TEST_CASE("Matthews: two classes give the formula of the four counts, a constant prediction gives 0") {
        // TP 3, TN 2, FP 1, FN 1.
        const Integers truth = {1, 1, 1, 1, 0, 0, 0}, guess = {1, 1, 1, 0, 0, 0, 1};
        CHECK(matthews_correlation(guess, truth) == Approx((3.0 * 2 - 1 * 1) / std::sqrt(4.0 * 4 * 3 * 3)));
        CHECK(matthews_correlation(truth, truth) == Approx(1));
        CHECK(matthews_correlation(Integers(7, 1), truth) == 0);
        CHECK(matthews_correlation(Integers(7, 1), Integers(7, 1)) == 0);
    }

    TEST_CASE("Matthews: several classes give Gorodkin's R_K") {
        // n 7, right 4; gold counts 3 1 3 0, predicted 3 2 1 1.
        const double covariance = 4.0 * 7 - (9 + 2 + 3 + 0);
        CHECK(matthews_correlation(predicted, gold) == Approx(covariance / std::sqrt((49.0 - 15) * (49.0 - 19))));
    }

    TEST_CASE("classification metrics: what cannot be counted is an error that says so") {
        CHECK_THROWS_WITH_AS(accuracy(Integers{1}, Integers{1, 2}), "classification metric: 1 predictions for 2 labels",
                             Error);
        CHECK_THROWS_AS(macro_f1(Integers{}, Integers{}), Error);
        CHECK_THROWS_WITH_AS(macro_f1(Integers{0, 1}, Integers{0, -100}),
                             "classification metric: label 1 is -100, expected 0 or more", Error);
        CHECK_THROWS_AS(class_scores(Integers{0, 5}, Integers{0, 1}, 3), Error);
        CHECK_THROWS_AS(ConfusionMatrix(Integers{2000000000}, Integers{0}), Error);
    }
}

}
