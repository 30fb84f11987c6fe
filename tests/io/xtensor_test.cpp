#include <doctest/doctest.h>

#include <cstddef>
#include <numeric>
#include <vector>

#include "didact/core/xtensor.hpp"

namespace xtensor_test {

TEST_SUITE("unit") {

    TEST_CASE("sums, means and variances along each axis of an xtensor equal plain loops") {
        const std::size_t a = 3, b = 4, c = 5;
        xt::xarray<double> x = xt::zeros<double>({a, b, c});
        std::iota(x.begin(), x.end(), 1.0);
        const auto at = [&](std::size_t i, std::size_t j, std::size_t k) { return double(1 + (i * b + j) * c + k); };

        const xt::xarray<double> first = xt::sum(x, {0}), middle = xt::mean(x, {1}), last = xt::variance(x, {2});
        REQUIRE(first.dimension() == 2);
        REQUIRE(middle.dimension() == 2);
        REQUIRE(last.dimension() == 2);
        for (std::size_t j = 0; j < b; ++j)
            for (std::size_t k = 0; k < c; ++k) CHECK(first(j, k) == at(0, j, k) + at(1, j, k) + at(2, j, k));
        for (std::size_t i = 0; i < a; ++i)
            for (std::size_t k = 0; k < c; ++k) CHECK(middle(i, k) == (at(i, 0, k) + at(i, 3, k)) / 2);
        for (std::size_t i = 0; i < a; ++i)
            for (std::size_t j = 0; j < b; ++j) CHECK(last(i, j) == doctest::Approx(2.0)); // of 5 numbers in sequence
        CHECK(xt::sum(x)() == 60 * 61 / 2);
    }

    TEST_CASE("reductions of views, of expressions and of adapted memory are right, and immediate ones too") {
        std::vector<float> memory(12);
        std::iota(memory.begin(), memory.end(), 0.0f);
        const auto x = xt::adapt(memory, std::vector<std::size_t>{3, 4});
        const xt::xarray<float> columns = xt::sum(xt::view(x, xt::all(), xt::range(1, 3)), {0});
        REQUIRE(columns.dimension() == 1);
        CHECK(columns(0) == 1 + 5 + 9);
        CHECK(columns(1) == 2 + 6 + 10);
        const xt::xarray<float> centred = x - xt::mean(x, {0}, xt::keep_dims | xt::evaluation_strategy::immediate);
        CHECK(centred(0, 3) == -4);
        CHECK(centred(1, 3) == 0);
        const xt::xarray<float> squares = xt::sum(x * x + 1.0f, {1}, xt::evaluation_strategy::immediate) * 2.0f;
        REQUIRE(squares.dimension() == 1);
        CHECK(squares(0) == 2 * (0 + 1 + 4 + 9 + 4));
        CHECK(xt::amax(x)() == 11);
    }
}

}
