#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "backend_setting.hpp"

namespace bf16_gemm_test {

using namespace didact;
using namespace didact::backend_test;

namespace {

constexpr std::size_t few = cpu::ThinGemm<float>::most; // rows or terms, which are multiplied as floats

constexpr Transpose both[] = {Transpose::no, Transpose::yes};

double rounded(float value) { return double(float(bf16::nearest(value))); }

/// Σ over k of the operands as they are rounded, in double: m rows of n.
std::vector<double> sums_of_rounded(Transpose ta, View<const float> a, Transpose tb, View<const float> b) {
    const std::size_t m = ta == Transpose::no ? a.rows : a.cols, k = ta == Transpose::no ? a.cols : a.rows;
    const std::size_t n = tb == Transpose::no ? b.cols : b.rows;
    std::vector<double> sums(m * n), right(n * k);
    for (std::size_t j = 0; j < n; ++j)
        for (std::size_t l = 0; l < k; ++l) right[l * n + j] = rounded(tb == Transpose::no ? b(l, j) : b(j, l));
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t l = 0; l < k; ++l) {
            const double left = rounded(ta == Transpose::no ? a(i, l) : a(l, i));
            for (std::size_t j = 0; j < n; ++j) sums[i * n + j] += left * right[l * n + j];
        }
    return sums;
}

/// Calls check(name, multiply) for each way in which this machine multiplies bf16; `multiply` is gemm by that way.
template <class Check>
void for_each_way(Setting<bf16>& s, const Check& check) {
    check("gemm", [&s](auto... arguments) { gemm(s.context, arguments...); });
    const auto with = [&s]<class Provider>(Provider) {
        return [&s](Transpose ta, View<const float> a, Transpose tb, View<const float> b, View<float> c,
                    bool accumulate, View<const float> bias) {
            const ArenaScope scope(s.arena);
            using Operand = typename Provider::Operand;
            cpu::gemm_in_tiles<Provider>(s.context, ta, cpu::rounded<Operand>(s.context, a, 1), tb,
                                         cpu::rounded<Operand>(s.context, b, 1), c, accumulate, bias);
        };
    };
    check("rounded floats", with(cpu::GemmProvider<float>()));
#if DIDACT_WITH_ONEDNN
    if (cpu::OneDnnBf16Gemm<float>::serves()) check("oneDNN's bf16", with(cpu::OneDnnBf16Gemm<float>()));
#endif
}

}

TEST_SUITE("unit") {

    TEST_CASE("a matrix product with Cpu<bf16> is the sum over k of rounded operands, in every layout") {
        for (const auto& [m, n, k] : std::vector<std::array<std::size_t, 3>>{{few + 1, 1, 1},
                                                                             {few + 1, 5, 0},
                                                                             {few + 1, 3, 70},
                                                                             {few + 2, 31, few + 1},
                                                                             {65, 80, 52},
                                                                             {few + 5, 200, 67},
                                                                             {200, 20, 67},
                                                                             {130, 40, 800},
                                                                             {150, 33, 9000}})
            for (const Transpose ta : both)
                for (const Transpose tb : both) {
                    Setting<bf16> s;
                    if (ta == Transpose::yes && k <= few) continue;
                    const View<float> a = ta == Transpose::no ? s.matrix(m, k, 3) : s.matrix(k, m, 3);
                    const View<float> b = tb == Transpose::no ? s.matrix(k, n, 5) : s.matrix(n, k, 5);
                    const View<float> before = s.matrix(m, n), bias = s.matrix(1, n);
                    const std::vector<double> sums = sums_of_rounded(ta, a, tb, b);
                    for (const int kind : {0, 1, 2}) // plain, bias, accumulate
                        for_each_way(s, [&, m = m, n = n, k = k](const std::string& way, const auto& multiply) {
                            const View<float> c = s.matrix(m, n, 2);
                            const float beyond = c.data[c.cols];
                            for (std::size_t i = 0; i < m; ++i)
                                kind == 2 ? std::copy_n(before.row(i), n, c.row(i))
                                          : std::fill_n(c.row(i), n, std::numeric_limits<float>::quiet_NaN());
                            multiply(ta, View<const float>(a), tb, View<const float>(b), c, kind == 2,
                                     kind == 1 ? View<const float>(bias) : View<const float>());
                            CAPTURE(way);
                            CHECK(difference(c, [&](std::size_t i, std::size_t j) {
                                      return sums[i * n + j] + (kind == 2   ? double(before(i, j))
                                                                : kind == 1 ? double(bias(0, j))
                                                                            : 0.0);
                                  }) < 100 * tolerance<float> * double(1 + k / 1000));
                            CHECK(c.data[c.cols] == beyond);
                        });
                }
    }

    TEST_CASE("products of few rows, or of few terms, are those of floats") {
        Setting<bf16> s;
        Setting<float> floats;
        const View<float> a = s.matrix(5, 40), b = s.matrix(30, 40), c = s.matrix(5, 30), d = s.matrix(5, 30);
        gemm(s.context, Transpose::no, a, Transpose::yes, b, c);
        gemm(floats.context, Transpose::no, a, Transpose::yes, b, d);
        CHECK(difference(c, [&](std::size_t i, std::size_t j) { return d(i, j); }) == 0);
    }

    TEST_CASE("a row of a product of bf16 has the same bits whatever rows come with it, and however many") {
        for (const std::array<std::size_t, 2>& shape : {std::array<std::size_t, 2>{7, 9},
                                                        {20, 12},
                                                        {101, 40},
                                                        {1024, 40},
                                                        {300, 20},
                                                        {256, 784},
                                                        {40, 1540},
                                                        {1024, 768},
                                                        {96, 3072},
                                                        {3072, 520}})
            for (const Transpose tb : both) {
                Setting<bf16> s;
                const std::size_t n = shape[0], k = shape[1], most = 400;
                const View<float> a = s.repeating_matrix(most, k);
                const View<float> b = tb == Transpose::no ? s.repeating_matrix(k, n) : s.repeating_matrix(n, k);
                const View<float> bias = s.matrix(1, n), all = s.result(most, n), some = s.result(most, n);
                for_each_way(s, [&](const std::string& way, const auto& multiply) {
                    multiply(Transpose::no, View<const float>(a), tb, View<const float>(b), all, false,
                             View<const float>(bias));
                    for (const std::size_t rows : {few + 1, few + 2, std::size_t(31), std::size_t(50), std::size_t(67),
                                                   std::size_t(72), std::size_t(131), std::size_t(257)})
                        for (const std::size_t first : {std::size_t(0), (most - rows) / 2}) {
                            const View<float> part = some.middle_rows(0, rows);
                            multiply(Transpose::no, View<const float>(a.middle_rows(first, rows)), tb,
                                     View<const float>(b), part, false, View<const float>(bias));
                            CAPTURE(way);
                            CAPTURE(n);
                            CAPTURE(k);
                            CAPTURE(rows);
                            CHECK(same_bits(part, all.middle_rows(first, rows)));
                        }
                });
            }
    }

    TEST_CASE("a product of bf16 has the same bits for any number of threads") {
        for (const Transpose ta : both) {
            Setting<bf16> one(1);
            const View<float> a = ta == Transpose::no ? one.matrix(375, 50) : one.matrix(50, 375);
            const View<float> b = one.matrix(50, 80), c = one.matrix(375, 80);
            gemm(one.context, ta, a, Transpose::no, b, c);
            for (const std::size_t threads : {2u, 3u, 4u}) {
                Setting<bf16> many(threads);
                const View<float> d = many.matrix(375, 80);
                gemm(many.context, ta, a, Transpose::no, b, d);
                CHECK(difference(d, [&](std::size_t i, std::size_t j) { return c(i, j); }) == 0);
            }
        }
    }
}

}
