#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "didact/core/normals.hpp"

namespace normals_test {

using namespace didact;

TEST_SUITE("unit") {

    TEST_CASE("normals are Box and Muller's of the stream's words") {
        constexpr std::uint64_t key = 0x0123456789ABCDEF;
        // The second part begins where a counter's low word runs over.
        for (const std::uint64_t first : {std::uint64_t(0), 4 * ((std::uint64_t(7) << 32) - 20)}) {
            std::vector<double> drawn(4000);
            normals<double>(key, first, 3, drawn);
            for (std::size_t i = 0; i < drawn.size(); ++i) {
                const std::uint64_t block = (first + i) / 4;
                const auto words = philox({std::uint32_t(block), std::uint32_t(block >> 32), 0, 1},
                                          {std::uint32_t(key), std::uint32_t(key >> 32)});
                const std::size_t pair = 2 * (i % 4 / 2);
                const double radius = std::sqrt(-2 * std::log(double(float(words[pair]) + 0.5f) * 0x1p-32));
                const double angle = 2 * std::numbers::pi * double(words[pair + 1] >> 8) * 0x1p-24;
                const double expected = 3 * radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
                CHECK(std::abs(drawn[i] - expected) < 1e-5);
            }
        }
    }

    TEST_CASE("a part of a stream has the bits of the whole") {
        std::vector<float> whole(1500);
        normals<float>(5, 0, 0.02, whole);
        for (const std::size_t first : {0u, 1u, 2u, 3u, 255u, 700u})
            for (const std::size_t count : {0u, 1u, 5u, 64u, 513u}) {
                std::vector<float> part(count);
                normals<float>(5, first, 0.02, part);
                CHECK(std::equal(part.begin(), part.end(), whole.begin() + std::ptrdiff_t(first)));
            }
    }
}

TEST_SUITE("property") {

    TEST_CASE("a stream of normals has mean 0, variance 1, no skew, the kurtosis 3, and no tie to the next stream") {
        constexpr std::size_t count = 100000;
        std::vector<float> x(count), y(count);
        normals<float>(6, 0, 1, x);
        normals<float>(7, 0, 1, y);
        double m1 = 0, m2 = 0, m3 = 0, m4 = 0, product = 0, neighbours = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const double z = x[i];
            m1 += z, m2 += z * z, m3 += z * z * z, m4 += z * z * z * z;
            product += z * double(y[i]);
            neighbours += z * double(x[i ^ 1]);
        }
        // Four standard errors; the variances of x, x², x³ and x⁴ are 1, 2, 15 and 96, of xy 1, of a pair's twice 2.
        CHECK(std::abs(m1 / count) < 4 * std::sqrt(1.0 / count));
        CHECK(std::abs(m2 / count - 1) < 4 * std::sqrt(2.0 / count));
        CHECK(std::abs(m3 / count) < 4 * std::sqrt(15.0 / count));
        CHECK(std::abs(m4 / count - 3) < 4 * std::sqrt(96.0 / count));
        CHECK(std::abs(product / count) < 4 * std::sqrt(1.0 / count));
        CHECK(std::abs(neighbours / count) < 4 * std::sqrt(2.0 / count));
    }
}

}
