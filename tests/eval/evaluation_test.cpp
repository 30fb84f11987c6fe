#include <doctest/doctest.h>

#include "didact/eval/evaluation.hpp"

namespace evaluation_test {

using namespace didact;
using doctest::Approx;

TEST_SUITE("unit") {

    TEST_CASE("macro F1 of several labels is the mean over all of them, those that do not occur among them") {
        // scikit-learn: f1_score([[1,0,0],[1,1,0]], [[1,0,0],[0,1,0]], average="macro", zero_division=0)
        Evaluation result{.predicted = {1, 0, 0, 0, 1, 0}, .gold = {1, 0, 0, 1, 1, 0}};
        eval::add_metrics(result, "multi_label_classification", 3, {});
        CHECK(result.metric("macro_f1") == Approx((2.0 / 3 + 1 + 0) / 3));
        CHECK(result.metric("micro_f1") == Approx(4.0 / 5));
        CHECK(result.metric("subset_accuracy") == Approx(0.5));
    }
}

}
