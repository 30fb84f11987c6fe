#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "didact/core/random.hpp"

namespace random_test {

using namespace didact;

TEST_SUITE("unit") {

    TEST_CASE("Philox4x32-10 has the known answers of its authors' library, Random123") {
        using Words = std::array<std::uint32_t, 4>;
        CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
        constexpr std::uint32_t ones = 0xffffffff;
        CHECK(philox({ones, ones, ones, ones}, {ones, ones}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
        CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
    }

    TEST_CASE("counters side by side give what each gives alone") {
        std::array<std::array<WordVector, 3>, 4> x;
        for (std::size_t word = 0; word < 4; ++word)
            for (std::size_t lane = 0; lane < 3 * word_lanes; ++lane)
                x[word][lane / word_lanes][lane % word_lanes] = std::uint32_t(0x9E3779B9u * (97 * word + lane));
        const auto of_lane = [](const auto& words, std::size_t lane) {
            std::array<std::uint32_t, 4> result;
            for (std::size_t word = 0; word < 4; ++word)
                result[word] = words[word][lane / word_lanes][lane % word_lanes];
            return result;
        };
        const auto before = x;
        philox_lanes(x, {0xa4093822, 0x299f31d0});
        for (std::size_t lane = 0; lane < 3 * word_lanes; ++lane)
            CHECK(of_lane(x, lane) == philox(of_lane(before, lane), {0xa4093822, 0x299f31d0}));
    }

    TEST_CASE("mix_bits is SplitMix64: its values at multiples of the golden gamma are that generator's outputs") {
        constexpr std::uint64_t gamma = 0x9E3779B97F4A7C15ull;
        CHECK(mix_bits(0) == 0xE220A8397B1DCDAFull);
        CHECK(mix_bits(gamma) == 0x6E789E6AA1B965F4ull);
        CHECK(mix_bits(2 * gamma) == 0x06C45D188009454Full);
    }

    TEST_CASE("a sequence of random numbers belongs to its key and its position") {
        const RandomKey key{.seed = 3, .purpose = RandomPurpose::order, .epoch = 2};
        Random a(key), b(key);
        std::vector<std::uint32_t> first;
        for (int i = 0; i < 11; ++i) first.push_back(a.bits());
        for (const std::uint32_t x : first) CHECK(b.bits() == x);
        CHECK(a.position() == 11);
        a.seek(3);
        CHECK(a.bits() == first[3]);
        a.seek(10);
        CHECK(a.bits() == first[10]);
        Random copy = a;
        CHECK(copy.bits() == a.bits());
    }

    TEST_CASE("every part of a key changes the numbers") {
        std::set<std::uint64_t> seen;
        const RandomKey base{
            .seed = 1, .purpose = RandomPurpose::dropout, .experience = 1, .epoch = 1, .step = 1, .sample = 1};
        seen.insert(base.bits());
        for (std::uint64_t value : {0u, 2u, 3u, 1000u}) {
            for (const int part : {0, 1, 2, 3, 4}) {
                RandomKey key = base;
                (part == 0   ? key.seed
                 : part == 1 ? key.experience
                 : part == 2 ? key.epoch
                 : part == 3 ? key.step
                             : key.sample) = value;
                seen.insert(key.bits());
            }
        }
        RandomKey key = base;
        key.purpose = RandomPurpose::order;
        seen.insert(key.bits());
        CHECK(seen.size() == 1 + 4 * 5 + 1);
    }

    TEST_CASE("small seeds and all purposes have keys of their own") {
        std::set<std::uint64_t> seen;
        for (std::uint64_t seed = 0; seed < 50; ++seed)
            for (int purpose = 0; purpose <= int(RandomPurpose::user); ++purpose)
                seen.insert(RandomKey{.seed = seed, .purpose = RandomPurpose(purpose)}.bits());
        CHECK(seen.size() == 50 * (std::size_t(RandomPurpose::user) + 1));
    }
}

TEST_SUITE("property") {

    TEST_CASE("uniform numbers lie in [0, 1) with the moments of the uniform distribution") {
        Random random(5);
        constexpr int count = 100000;
        double sum = 0, squares = 0, least = 1, most = 0;
        for (int i = 0; i < count; ++i) {
            const double x = random.uniform();
            sum += x, squares += x * x;
            least = std::min(least, x), most = std::max(most, x);
        }
        CHECK(least >= 0);
        CHECK(most < 1);
        CHECK(std::abs(sum / count - 0.5) < 4 * std::sqrt(1 / 12.0 / count));
        CHECK(std::abs(squares / count - 1 / 3.0) < 4 * std::sqrt(4 / 45.0 / count));
    }

    TEST_CASE("normal numbers have mean 0, variance 1, no skew, and the kurtosis 3") {
        Random random(6);
        constexpr int count = 100000;
        double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
        for (int i = 0; i < count; ++i) {
            const double x = random.normal();
            m1 += x, m2 += x * x, m3 += x * x * x, m4 += x * x * x * x;
        }
        // Four standard errors; the variances of x, x², x³ and x⁴ are 1, 2, 15 and 96.
        CHECK(std::abs(m1 / count) < 4 * std::sqrt(1.0 / count));
        CHECK(std::abs(m2 / count - 1) < 4 * std::sqrt(2.0 / count));
        CHECK(std::abs(m3 / count) < 4 * std::sqrt(15.0 / count));
        CHECK(std::abs(m4 / count - 3) < 4 * std::sqrt(96.0 / count));
    }

    TEST_CASE("below(n) gives each of n numbers equally often") {
        Random random(7);
        for (const std::uint64_t bound : {1u, 2u, 7u, 10u}) {
            std::vector<double> counts(bound, 0);
            for (int i = 0; i < 20000; ++i) {
                const std::uint64_t x = random.below(bound);
                REQUIRE(x < bound);
                ++counts[x];
            }
            const double expected = 20000.0 / double(bound);
            double chi_square = 0;
            for (const double k : counts) chi_square += (k - expected) * (k - expected) / expected;
            CHECK(chi_square < 27.9); // 99.9 % with at most 9 degrees of freedom
        }
        // A bound near 2⁶⁴ would show a bias of a plain remainder at once.
        const std::uint64_t bound = (std::uint64_t(3) << 62) + 1;
        int low = 0;
        for (int i = 0; i < 20000; ++i) low += random.below(bound) < bound / 3;
        CHECK(std::abs(low / 20000.0 - 1 / 3.0) < 0.014);
    }

    TEST_CASE("a shuffle gives each permutation equally often") {
        std::vector<double> counts(24, 0);
        Random random(8);
        for (int i = 0; i < 12000; ++i) {
            std::array<int, 4> items{0, 1, 2, 3};
            random.shuffle(std::span<int>(items));
            std::size_t number = 0;
            for (int a = 0; a < 4; ++a) {
                std::size_t smaller = 0;
                for (int b = a + 1; b < 4; ++b) smaller += items[std::size_t(b)] < items[std::size_t(a)];
                number = number * std::size_t(4 - a) + smaller;
            }
            ++counts[number];
        }
        double chi_square = 0;
        for (const double k : counts) chi_square += (k - 500) * (k - 500) / 500;
        CHECK(chi_square < 49.7); // 99.9 % with 23 degrees of freedom
    }
}

}
