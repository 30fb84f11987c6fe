#include <doctest/doctest.h>

#include "didact/eval/significance.hpp"

namespace significance_test {

using namespace didact;
using namespace didact::eval;
using doctest::Approx;

namespace {

using Reals = std::vector<double>;

/// The share of samples of `n` standard normals (or, `skewed`, of exponentials) whose interval holds the true mean.
template <class Method>
double coverage(std::size_t n, bool skewed, Method method) {
    constexpr int rounds = 400;
    int held = 0;
    for (int i = 0; i < rounds; ++i) {
        Random random({.seed = 3, .experience = n, .sample = std::uint64_t(i)});
        Reals values(n);
        for (double& x : values) x = skewed ? -std::log(1 - random.uniform()) - 1 : random.normal();
        const Interval interval = method(values);
        held += interval.low <= 0 && 0 <= interval.high;
    }
    return double(held) / rounds;
}

}

TEST_SUITE("unit") {
    TEST_CASE("t interval: three values give 4.302653 standard errors, the tables' quantile for two degrees") {
        const Reals values = {1, 2, 3};
        CHECK(standard_deviation(values) == Approx(1));
        CHECK(standard_error(values) == Approx(1 / std::sqrt(3.0)));
        const Interval interval = t_interval(values);
        CHECK(interval.mean == 2);
        CHECK(interval.n == 3);
        CHECK(interval.high == Approx(2 + 4.30265273 / std::sqrt(3.0)).epsilon(1e-8));
        CHECK(interval.low == Approx(2 - 4.30265273 / std::sqrt(3.0)).epsilon(1e-8));
        CHECK(t_interval(Reals{5, 5}).high == 5);
        CHECK(std::isinf(t_interval(Reals{5}).high));
        CHECK_THROWS_AS(t_interval(Reals{}), Error);
        CHECK_THROWS_AS(t_interval(values, 1), Error);
    }

    TEST_CASE("Student's t: one degree is Cauchy's distribution, many are near the normal one") {
        CHECK(student_t_two_sided(1, 1) == Approx(0.5));
        CHECK(student_t_quantile(0.75, 1) == Approx(1));
        CHECK(student_t_quantile(0.025, 1) == Approx(-12.7062047));
        CHECK(student_t_quantile(0.975, 1e6) == Approx(normal_quantile(0.975)).epsilon(1e-5));
        CHECK(normal_quantile(0.975) == Approx(1.959963985));
        CHECK(normal_cdf(normal_quantile(0.2)) == Approx(0.2));
    }

    TEST_CASE("quantile is linear between neighbours") {
        CHECK(quantile(Reals{1, 2, 4}, 0.5) == 2);
        CHECK(quantile(Reals{1, 2, 4}, 0.75) == Approx(3));
        CHECK(quantile(Reals{1, 2, 4}, 1) == 4);
        CHECK(quantile(Reals{7}, 0.3) == 7);
    }

    TEST_CASE("bootstrap: the same seed gives the same interval, another seed another") {
        const Reals values = {0.1, 0.4, 0.2, 0.9, 0.5, 0.3, 0.7};
        const Interval a = bootstrap_bca(values, 0.95, {.seed = 1}), b = bootstrap_bca(values, 0.95, {.seed = 1});
        CHECK(a.low == b.low);
        CHECK(a.high == b.high);
        CHECK(bootstrap_means(values, {.seed = 1}) != bootstrap_means(values, {.seed = 2}));
        CHECK(a.low < a.mean);
        CHECK(a.mean < a.high);
        CHECK(bootstrap_bca(Reals{2, 2, 2}).low == 2);
    }

    TEST_CASE("bootstrap: means of resamples spread like the standard error") {
        Reals values(50);
        Random random({.seed = 9});
        for (double& x : values) x = random.normal();
        const double expected = standard_error(values) * std::sqrt(49.0 / 50);
        CHECK(standard_deviation(bootstrap_means(values)) == Approx(expected).epsilon(0.03));
    }

    TEST_CASE("t test: two values against a tabulated p, constants without a test") {
        // t = 2 / (1 / √3) = 3.4641 with two degrees: p = 1 − t / √(2 + t²).
        CHECK(t_test(Reals{1, 2, 3}) == Approx(1 - std::sqrt(12.0 / 14)));
        CHECK(t_test(Reals{2, 2}) == 0);
        CHECK(t_test(Reals{0, 0}) == 1);
        CHECK(std::isnan(t_test(Reals{1})));
    }

    TEST_CASE("sign-flip test: counts the patterns whose sum is at least as far from 0") {
        CHECK(sign_flip_test(Reals{1, 2, 3}) == 0.25);
        // Sums ±6 ±4 ±2 0 0 from 1 2 3; the observed |−1 + 2 + 3| = 4.
        CHECK(sign_flip_test(Reals{-1, 2, 3}) == 0.5);
        CHECK(sign_flip_test(Reals{1, -1}) == 1);
        CHECK(sign_flip_test(Reals{0.1, 0.2, 0.3, 0.4, 0.5, 0.6}) == Approx(2.0 / 64));
    }

    TEST_CASE("sign-flip test: random patterns come near what all patterns give") {
        Reals values(17);
        Random random({.seed = 4});
        for (double& x : values) x = random.normal() + 0.5;
        const double sampled = sign_flip_test(values, {.resamples = 20000});
        std::size_t count = 0;
        const double observed = std::abs(std::accumulate(values.begin(), values.end(), 0.0)) - 1e-12;
        for (std::uint32_t pattern = 0; pattern < 1u << 17; ++pattern) {
            double sum = 0;
            for (std::size_t i = 0; i < 17; ++i) sum += pattern >> i & 1 ? -values[i] : values[i];
            count += std::abs(sum) >= observed;
        }
        const double exact = double(count) / double(1u << 17);
        CHECK(std::abs(sampled - exact) < 5 * std::sqrt(exact * (1 - exact) / 20000));
        CHECK(sign_flip_test(Reals(40, 1.0), {.resamples = 99}) == Approx(0.01));
    }

    TEST_CASE("paired comparison: what a and b share does not blur their difference") {
        const Reals a = {0.52, 0.81, 0.33, 0.95, 0.64}, b = {0.50, 0.80, 0.30, 0.93, 0.63};
        const PairedComparison c = compare_paired(a, b);
        CHECK(c.difference.mean == Approx(0.018));
        CHECK(c.difference.low > 0);
        CHECK(c.p_t < 0.05);
        CHECK(c.p_permutation == Approx(2.0 / 32));
        CHECK(c.better_share == 1);
        CHECK(c.bootstrap.low > 0);
        CHECK(compare_paired(b, a).difference.high < 0);
        CHECK(compare_paired(a, a).better_share == 0.5);
        // Of 0.1 0.2 -0.3, sums of all three in any order are ties but for rounding: 6 of 27 samples; 11 are above 0.
        CHECK(compare_paired(Reals{0.1, 0.2, -0.3}, Reals{0, 0, 0}).better_share ==
              Approx((11 + 6 / 2.0) / 27).epsilon(0.03));
        CHECK(compare_paired(a, a).p_t == 1);
        CHECK_THROWS_AS(compare_paired(a, Reals{1}), Error);
    }

    TEST_CASE("Holm: ascending p values times what is left, never descending, at most 1") {
        const Reals adjusted = holm(Reals{0.04, 0.01, 0.03, 0.6});
        CHECK(adjusted[1] == Approx(0.04));
        CHECK(adjusted[2] == Approx(0.09));
        CHECK(adjusted[0] == Approx(0.09));
        CHECK(adjusted[3] == Approx(0.6));
        CHECK(holm(Reals{0.7, 0.8}) == Reals{1, 1});
        CHECK(holm(Reals{}).empty());
        CHECK_THROWS_AS(holm(Reals{1.2}), Error);
    }
}

TEST_SUITE("property") {
    TEST_CASE("95 % intervals: t holds the mean of three normal values as often as it says, the percentile bootstrap "
              "much less often") {
        const double deviation = std::sqrt(0.95 * 0.05 / 400);
        const double t = coverage(3, false, [](const Reals& v) { return t_interval(v); });
        CHECK(std::abs(t - 0.95) < 4 * deviation);
        const double percentile =
            coverage(3, false, [](const Reals& v) { return bootstrap_percentile(v, 0.95, {.resamples = 999}); });
        CHECK(percentile < 0.95 - 8 * deviation);
    }

    TEST_CASE("95 % intervals: the accelerated bootstrap of forty skewed values comes near what it says") {
        const double held =
            coverage(40, true, [](const Reals& v) { return bootstrap_bca(v, 0.95, {.resamples = 999}); });
        CHECK(held > 0.9);
        CHECK(held < 0.985);
    }
}

}
