#include <doctest/doctest.h>

#include <array>

#include "didact/eval/language_model.hpp"
#include "didact/eval/multitask.hpp"
#include "didact/eval/regression.hpp"

namespace regression_test {

using namespace didact;
using namespace didact::eval;
using doctest::Approx;

namespace {

using Reals = std::vector<double>;

}

TEST_SUITE("unit") {
    TEST_CASE("errors of a regression are means of squares and of absolute values") {
        const Reals gold = {1, 2, 3, 6};
        const std::vector<float> predicted = {1, 3, 1, 6};
        CHECK(mean_squared_error(predicted, gold) == Approx(5.0 / 4));
        CHECK(mean_absolute_error(predicted, gold) == Approx(3.0 / 4));
        // Σ (y − 3)² = 4 + 1 + 0 + 9.
        CHECK(r_squared(predicted, gold) == Approx(1 - 5.0 / 14));
        CHECK(r_squared(Reals{3, 3, 3, 3}, gold) == Approx(0));
        CHECK_THROWS_AS(mean_squared_error(Reals{1}, gold), Error);
        CHECK_THROWS_AS(mean_absolute_error(Reals{}, Reals{}), Error);
    }

    TEST_CASE("R squared of constant values is 1 for exact predictions and 0 for others") {
        CHECK(r_squared(Reals{2, 2}, Reals{2, 2}) == 1);
        CHECK(r_squared(Reals{2, 3}, Reals{2, 2}) == 0);
        CHECK(std::isnan(r_squared(Reals{2}, Reals{2})));
    }

    TEST_CASE("Pearson and Spearman: lines give ±1, a constant gives NaN") {
        const Reals x = {1, 2, 3, 4};
        CHECK(pearson(x, Reals{3, 5, 7, 9}) == Approx(1));
        CHECK(pearson(x, Reals{4, 3, 2, 1}) == Approx(-1));
        // Σ xy = 4, Σ xx = 5, Σ yy = 5 around the means.
        CHECK(pearson(x, Reals{1, 3, 2, 4}) == Approx(4.0 / 5));
        CHECK(spearman(x, Reals{1, 10, 100, 1000}) == Approx(1));
        CHECK(std::isnan(pearson(x, Reals{2, 2, 2, 2})));
        CHECK(std::isnan(spearman(Reals{2, 2, 2, 2}, x)));
        CHECK(std::isnan(pearson(Reals{1}, Reals{1})));
        CHECK(std::isnan(spearman(Reals{1, std::nan("")}, Reals{1, 2})));
    }

    TEST_CASE("ranks: equal values share the mean of their ranks") {
        CHECK(average_ranks(Reals{10, 30, 10, 20, 30, 30}) == Reals{1.5, 5, 1.5, 3, 5, 5});
        CHECK_THROWS_WITH(average_ranks(Reals{1, std::nan(""), 2}), "value 1 of 3 to rank is NaN");
        // Ranks 1.5 1.5 3 against 1 2 3: Σ xy = 1.5, Σ xx = 1.5, Σ yy = 2.
        CHECK(spearman(Reals{1, 1, 2}, std::array{1.0, 2.0, 3.0}) == Approx(1.5 / std::sqrt(1.5 * 2)));
    }

    TEST_CASE("perplexity of a uniform guess over k is k, and bits per byte its logarithm") {
        CHECK(perplexity(10 * std::log(50.0), 10) == Approx(50));
        CHECK(bits_per_byte(100 * std::log(256.0), 100) == Approx(8));
        CHECK_THROWS_AS(perplexity(1, 0), Error);
        CHECK_THROWS_AS(bits_per_byte(1, 0), Error);
    }

    TEST_CASE("delta_m: gains are relative, signed by what is better, and averaged per task first") {
        CHECK(relative_gain({.multitask = 0.9, .single_task = 0.6}) == Approx(0.5));
        CHECK(relative_gain({.multitask = 3, .single_task = 2, .higher_is_better = false}) == Approx(-0.5));
        CHECK(relative_gain({.multitask = -1, .single_task = -2}) == Approx(0.5));
        const std::vector<std::vector<MultitaskScore>> tasks = {{{0.55, 0.5}}, {{1.8, 2, false}, {0.8, 1}, {0.8, 1}}};
        CHECK(delta_m(tasks) == Approx((0.1 + (0.1 - 0.2 - 0.2) / 3) / 2));
        CHECK_THROWS_AS(relative_gain({.multitask = 1, .single_task = 0}), Error);
        CHECK_THROWS_AS(delta_m({}), Error);
    }
}

}
