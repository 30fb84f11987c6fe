#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <numeric>
#include <utility>

#include "didact/core/arena.hpp"
#include "didact/core/checked_size.hpp"
#include "didact/core/gram_matrix.hpp"
#include "didact/core/leading_number.hpp"
#include "didact/core/parallel.hpp"

namespace memory_test {

using namespace didact;

namespace {

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % memory_alignment == 0; }

}

TEST_SUITE("unit") {

    TEST_CASE("an arena's arrays are aligned and apart") {
        Arena arena;
        const auto a = arena.array<float>(3);
        const auto b = arena.zeros<double>(5);
        const auto c = arena.array<char>(0);
        const View<float> d = arena.matrix<float>(2, 7);
        CHECK(aligned(a.data()));
        CHECK(aligned(b.data()));
        CHECK(aligned(d.data));
        CHECK(a.size() == 3);
        CHECK(c.empty());
        CHECK(d.rows == 2);
        CHECK(d.stride == 7);
        std::fill(a.begin(), a.end(), 1.f);
        for (std::size_t i = 0; i < d.size(); ++i) d.data[i] = 2;
        for (const double x : b) CHECK(x == 0);
        CHECK(a[2] == 1);
    }

    TEST_CASE("an arena that needed several blocks has one of their size after a reset, and grows no more") {
        Arena arena;
        CHECK(arena.capacity() == 0);
        const auto step = [&] {
            arena.reset();
            std::vector<std::span<double>> arrays;
            for (const std::size_t size : {100u, 200000u, 3u, 300000u, 50u})
                arrays.push_back(arena.array<double>(size));
            for (std::size_t i = 0; i < arrays.size(); ++i) std::fill(arrays[i].begin(), arrays[i].end(), double(i));
            for (std::size_t i = 0; i < arrays.size(); ++i) {
                CHECK(arrays[i].front() == double(i));
                CHECK(arrays[i].back() == double(i));
            }
        };
        step();
        const std::size_t first = arena.capacity();
        CHECK(first >= 500153 * sizeof(double));
        step();
        CHECK(arena.capacity() == first);
        const double* const place = arena.array<double>(1).data();
        step();
        step();
        CHECK(arena.capacity() == first);
        CHECK(arena.array<double>(1).data() == place); // the same memory, in the same order
    }

    TEST_CASE("a scope gives back what it took, across blocks") {
        Arena arena;
        const auto before = arena.array<int>(10);
        before[0] = 5;
        int* inner = nullptr;
        {
            const ArenaScope scope(arena);
            inner = arena.array<int>(4).data();
            arena.array<double>(1000000); // another block
        }
        CHECK(arena.array<int>(4).data() == inner);
        CHECK(before[0] == 5);
    }

    TEST_CASE("arithmetic on sizes from files refuses to overflow and says which") {
        const std::uint64_t most = ~std::uint64_t(0);
        CHECK((CheckedSize(6) * 7 + 8 - 50).value() == 0);
        CHECK_THROWS_WITH_AS(CheckedSize(most) + 1, "size overflow: 18446744073709551615 + 1", Error);
        CHECK_THROWS_WITH_AS(CheckedSize(std::uint64_t(1) << 33) * (std::uint64_t(1) << 31),
                             "size overflow: 8589934592 * 2147483648", Error);
        CHECK_THROWS_WITH_AS(CheckedSize(3) - 4, "size underflow: 3 - 4", Error);
        CHECK(CheckedSize(65).aligned_up(64).value() == 128);
        CHECK(CheckedSize(64).aligned_up(64).value() == 64);
        CHECK(CheckedSize(0).aligned_up(64).value() == 0);
        CHECK_THROWS_AS(CheckedSize(most).aligned_up(64), Error);
        CHECK(CheckedSize(10).within(10, "rank") == 10);
        CHECK_THROWS_WITH_AS(CheckedSize(11).within(10, "rank"), "rank is 11, more than the limit of 10", Error);
        CHECK(CheckedSize(3) < CheckedSize(4));
        const std::int64_t shape[] = {3, 4, 5}, negative[] = {3, -1}, large[] = {std::int64_t(1) << 62, 4};
        CHECK(checked_product(shape).value() == 60);
        CHECK(checked_product({}).value() == 1);
        CHECK_THROWS_WITH_AS(checked_product(negative), "negative extent -1 in a shape", Error);
        CHECK_THROWS_AS(checked_product(large), Error);
    }

    TEST_CASE("an excerpt is short and shows no control characters") {
        CHECK(excerpt("plain") == "plain");
        CHECK(excerpt(std::string("a\nb\x7f\0c", 6)) == "a?b??c");
        CHECK(excerpt(std::string(100, 'x')) == std::string(60, 'x') + "...");
        CHECK(excerpt("abcdef", 3) == "abc...");
        CHECK_THROWS_WITH_AS(fail("one ", 2, " three"), "one 2 three", Error);
        CHECK_NOTHROW(require(true, "not thrown"));
        CHECK_THROWS_WITH_AS(require(false, "thrown ", 1.5), "thrown 1.5", Error);
    }

    TEST_CASE("the number that a text begins with is read, and nothing else is taken for one") {
        CHECK(leading_number("11.output.dense.weight") == 11);
        CHECK(leading_number("0") == 0);
        CHECK_THROWS_WITH_AS(leading_number("x1"), "'x1' does not begin with a number", Error);
        CHECK_THROWS_AS(leading_number(""), Error);
        CHECK_THROWS_AS(leading_number("-1"), Error);
        CHECK_THROWS_AS(leading_number("99999999999999999999999"), Error);
    }

    TEST_CASE("a pool calls every tile once, whatever their number, and can be used again and again") {
        for (const std::size_t threads : {1u, 2u, 3u}) {
            ThreadPool pool(threads);
            CHECK(pool.threads() == threads);
            for (const std::size_t tiles : {0u, 1u, 2u, 3u, 100u, 1000u})
                for (int again = 0; again < 20; ++again) {
                    std::vector<std::atomic<int>> calls(tiles);
                    pool.for_each_tile(tiles, [&](std::size_t tile) { calls[tile].fetch_add(1); });
                    bool once = true;
                    for (const auto& count : calls) once &= count.load() == 1;
                    CHECK(once);
                }
        }
    }

    TEST_CASE("a pool's threads sleep when nothing comes, and wake up") {
        ThreadPool pool(3);
        for (int again = 0; again < 5; ++again) {
            std::this_thread::sleep_for(std::chrono::milliseconds(3));
            std::atomic<int> sum{0};
            pool.for_each_tile(50, [&](std::size_t tile) { sum += int(tile); });
            CHECK(sum == 1225);
        }
    }

    TEST_CASE("tiles cover a range without gap or overlap") {
        for (const std::size_t size : {0u, 1u, 9u, 10u, 11u, 100u}) {
            std::size_t at = 0;
            for (std::size_t tile = 0; tile < tile_count(size, 10); ++tile) {
                const TileRange range = tile_range(tile, 10, size);
                CHECK(range.begin == at);
                CHECK(range.size() >= 1);
                CHECK(range.size() <= 10);
                at = range.end;
            }
            CHECK(at == size);
        }
    }

    TEST_CASE("denormal numbers are flushed while the guard lives, and only then") {
        volatile float tiny = 1e-38f, factor = 1e-3f;
        CHECK(tiny * factor > 0);
        {
            const FlushDenormals flush;
            CHECK(tiny * factor == 0);
        }
        CHECK(tiny * factor > 0);
    }

    TEST_CASE("a Gram matrix is zero when it is resized") {
        GramMatrix gram(2);
        gram(1, 0) = 3;
        CHECK(std::as_const(gram)(1, 0) == 3);
        gram.resize(3);
        CHECK(gram.size() == 3);
        for (std::size_t k = 0; k < 3; ++k)
            for (std::size_t l = 0; l < 3; ++l) CHECK(gram(k, l) == 0);
    }
}

}
