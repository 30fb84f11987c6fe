#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "backend_setting.hpp"

namespace gemm_test {

using namespace didact;
using namespace didact::backend_test;

namespace {

constexpr Transpose both[] = {Transpose::no, Transpose::yes};
constexpr std::size_t few = cpu::ThinGemm<float>::most; // rows that are multiplied in another way than more

}

TEST_SUITE("unit") {

    TEST_CASE_TEMPLATE("a matrix product is the sum over k, in every layout, with bias or added to what is there", T,
                       float, double) {
        // The last two are cut into tiles, by rows and by columns.
        for (const auto& [m, n, k] : std::vector<std::array<std::size_t, 3>>{
                 {1, 1, 1}, {5, 3, 7}, {4, 4, 4}, {few + 2, 31, 9}, {65, 80, 52}, {few + 5, 200, 67}})
            for (const Transpose ta : both)
                for (const Transpose tb : both)
                    for (const int kind : {0, 1, 2}) { // plain, bias, accumulate
                        if (m * n > 1000 && kind == 2) continue;
                        Setting<T> s;
                        const View<T> a = ta == Transpose::no ? s.matrix(m, k, 3) : s.matrix(k, m, 3);
                        const View<T> b = tb == Transpose::no ? s.matrix(k, n, 5) : s.matrix(n, k, 5);
                        const View<T> c = s.matrix(m, n, 2), before = s.copy_of(c), bias = s.matrix(1, n);
                        const T beyond = c.data[c.cols];
                        if (kind == 0) // not read, then
                            for (std::size_t i = 0; i < m; ++i)
                                std::fill_n(c.row(i), n, std::numeric_limits<T>::quiet_NaN());
                        gemm(s.context, ta, a, tb, b, c, kind == 2, kind == 1 ? View<const T>(bias) : View<const T>());
                        const auto expected = [&, k = k](std::size_t i, std::size_t j) {
                            double sum = kind == 2 ? double(before(i, j)) : kind == 1 ? double(bias(0, j)) : 0;
                            for (std::size_t l = 0; l < k; ++l)
                                sum += double(ta == Transpose::no ? a(i, l) : a(l, i)) *
                                       double(tb == Transpose::no ? b(l, j) : b(j, l));
                            return sum;
                        };
                        CHECK(difference(c, expected) < 20 * tolerance<T>);
                        CHECK(c.data[c.cols] == beyond); // what lies between rows is not touched
                    }
    }

    TEST_CASE_TEMPLATE("a row of a product has the same bits whatever rows come with it, and however many", T, float,
                       double) {
        // The last ones have sums longer than a provider adds up at once.
        for (const std::array<std::size_t, 2>& shape :
             {std::array<std::size_t, 2>{7, 9}, {20, 12}, {101, 40}, {1024, 40}, {300, 20}, {256, 784}, {40, 1540}})
            for (const Transpose tb : both) {
                Setting<T> s;
                const std::size_t n = shape[0], k = shape[1];
                const View<T> a = s.repeating_matrix(400, k);
                const View<T> b = tb == Transpose::no ? s.repeating_matrix(k, n) : s.repeating_matrix(n, k);
                const View<T> bias = s.matrix(1, n), some = s.result(400, n);
                // Few rows are multiplied in another way than many.
                std::vector<std::size_t> many = {few + 1, few + 2, 31, 50, 67, 72};
                // Tiles of whole panels; those of oneDNN with AVX-512 are only known to hold for the rows above.
                if (cpu::GemmProvider<T>::row_panel() < 16) many.insert(many.end(), {131, 400});
                for (const std::vector<std::size_t>& counts : {std::vector<std::size_t>{1, 3, 4, 11, few}, many}) {
                    const std::size_t most = counts.back();
                    const View<T> all = s.result(most, n);
                    gemm(s.context, Transpose::no, a.middle_rows(0, most), tb, b, all, false, bias);
                    for (const std::size_t rows : counts)
                        for (const std::size_t first : {std::size_t(0), (most - rows) / 2}) {
                            const View<T> part = some.middle_rows(0, rows);
                            gemm(s.context, Transpose::no, a.middle_rows(first, rows), tb, b, part, false, bias);
                            CAPTURE(n);
                            CAPTURE(rows);
                            CHECK(same_bits(part, all.middle_rows(first, rows)));
                        }
                }
            }
    }

    TEST_CASE("operands whose rows all lie on the same sets of a cache are multiplied as others are") {
        Setting<float> s;
        const View<float> left = s.matrix(70, 1024), right = s.matrix(70, 1024), c = s.matrix(96, 100);
        const View<float> a = left.middle_cols(16, 96), b = right.middle_cols(32, 100), d = s.matrix(96, 96);
        gemm(s.context, Transpose::yes, a, Transpose::no, b, c);
        CHECK(difference(c, [&](std::size_t i, std::size_t j) {
                  double sum = 0;
                  for (std::size_t l = 0; l < a.rows; ++l) sum += double(a(l, i)) * double(b(l, j));
                  return sum;
              }) < 20 * tolerance<float>);
        gemm(s.context, Transpose::yes, a, Transpose::no, a, d); // both operands are the same
        CHECK(difference(d, [&](std::size_t i, std::size_t j) {
                  double sum = 0;
                  for (std::size_t l = 0; l < a.rows; ++l) sum += double(a(l, i)) * double(a(l, j));
                  return sum;
              }) < 20 * tolerance<float>);
    }

    TEST_CASE_TEMPLATE("a product in registers is the sum over k; packing transposes and fills up with zeros", T, float,
                       double) {
        using Gemm = cpu::OuterGemm<T>;
        for (const auto& [m, n, k] : std::vector<std::array<std::size_t, 3>>{
                 {1, 1, 1}, {5, 3, 7}, {13, 16, 40}, {17, 50, 9}, {64, 128, 32}, {23, 100, 70}})
            for (const bool transpose : {false, true})
                for (const bool accumulate : {false, true}) {
                    Setting<T> s;
                    const View<T> a = transpose ? s.matrix(k, m, 3) : s.matrix(m, k, 3), b = s.matrix(k, n, 5);
                    const View<T> c = s.matrix(m, n, 2), before = s.copy_of(c);
                    Gemm::product(transpose ? Gemm::transposed(a) : Gemm::left(a), k, b, c, accumulate);
                    CHECK(difference(c, [&, k = k](std::size_t i, std::size_t j) {
                              double sum = accumulate ? double(before(i, j)) : 0;
                              for (std::size_t l = 0; l < k; ++l)
                                  sum += double(transpose ? a(l, i) : a(i, l)) * double(b(l, j));
                              return sum;
                          }) < 20 * tolerance<T>);

                    const std::size_t stride = cpu::spread_stride<T>(a.rows) + 2 * cpu::packet_size<T>;
                    std::vector<T> memory(2 * (m + k + stride) * (m + k + stride));
                    const View<T> packed = cpu::pack_rows<T>(a, T(2), memory.data());
                    const View<T> across = cpu::pack_transpose<T>(packed, stride, packed.row(packed.rows));
                    CHECK(packed.stride * sizeof(T) % 128 == 64); // an odd number of cache lines
                    CHECK(across.stride == stride);
                    CHECK(across.rows == packed.cols);
                    CHECK(across.cols == cpu::in_packets<T>(a.rows));
                    CHECK(difference(across, [&](std::size_t i, std::size_t j) {
                              return i < a.cols && j < a.rows ? 2 * double(a(j, i)) : 0.0;
                          }) == 0);
                }
    }

    TEST_CASE_TEMPLATE("a product of few rows, tiles of every height, has in each row the bits of that row alone", T,
                       float, double) {
        using Gemm = cpu::OuterGemm<T>;
        constexpr std::size_t n = 8 * cpu::packet_size<T> + 3, k = 2 * cpu::packet_size<T> + 5;
        for (std::size_t m = 0; m <= 2 * cpu::ThinGemm<T>::most; ++m)
            for (const bool accumulate : {false, true}) {
                Setting<T> s;
                const View<T> a = s.matrix(m, k, 3), b = s.matrix(n, k, 5), b_transposed = s.matrix(k, n, 0);
                for (std::size_t j = 0; j < n; ++j)
                    for (std::size_t l = 0; l < k; ++l) b_transposed(l, j) = b(j, l);
                const View<T> c = s.matrix(m, n, 2), before = s.copy_of(c), outer = s.copy_of(c);
                cpu::ThinGemm<T>::product(Transpose::no, a, Transpose::yes, b, c, accumulate);
                Gemm::product(Gemm::left(a), k, b_transposed, outer, accumulate);
                const auto expected = [&](std::size_t i, std::size_t j) {
                    double sum = accumulate ? double(before(i, j)) : 0;
                    for (std::size_t l = 0; l < k; ++l) sum += double(a(i, l)) * double(b(j, l));
                    return sum;
                };
                CHECK(difference(c, expected) < 20 * tolerance<T>);
                CHECK(difference(outer, expected) < 20 * tolerance<T>);
                for (std::size_t i = 0; i < m; ++i) {
                    const View<T> row = s.copy_of(before.middle_rows(i, 1)), other = s.copy_of(row);
                    cpu::ThinGemm<T>::product(Transpose::no, a.middle_rows(i, 1), Transpose::yes, b, row, accumulate);
                    Gemm::product(Gemm::left(a.middle_rows(i, 1)), k, b_transposed, other, accumulate);
                    CHECK(std::equal(row.row(0), row.row(0) + n, c.row(i)));
                    CHECK(std::equal(other.row(0), other.row(0) + n, outer.row(i)));
                }
            }
    }

    TEST_CASE_TEMPLATE("a step down a product has the bits of the product and then the step, however many zeros", T,
                       float, double) {
        using Gemm = cpu::OuterGemm<T>;
        const T rate = T(0.3);
        for (const auto& [m, n, terms] : std::vector<std::array<std::size_t, 3>>{{1, 1, 1},
                                                                                 {5, 3, 7},
                                                                                 {13, 16, 10},
                                                                                 {17, 50, 9},
                                                                                 {64, 131, 16},
                                                                                 {23, 100, 23},
                                                                                 {30, 259, 10},
                                                                                 {50, 1000, 20},
                                                                                 {150, 131, 10},
                                                                                 {7, 300, 48}})
            for (const double zeros : {0.0, 0.3, 0.5, 0.8, 1.0}) {
                Setting<T> s;
                const View<T> a = s.matrix(terms, m, 3), b = s.matrix(terms, n, 5), c = s.matrix(m, n, 2),
                              expected = s.copy_of(c), product = s.result(m, n);
                for (std::size_t d = 0; d < terms; ++d)
                    for (std::size_t i = 0; i < m; ++i)
                        if (s.random.uniform() < zeros) a(d, i) = T(0);
                Gemm::descend(a, b, c, rate);
                Gemm::product(Gemm::transposed(a), terms, b, product, false);
                for (std::size_t i = 0; i < m; ++i) {
                    CHECK(difference(c.middle_rows(i, 1), [&](std::size_t, std::size_t j) {
                              return double(expected(i, j)) - double(rate) * double(product(i, j));
                          }) < tolerance<T>);
                    const auto step = [&](const auto& x, const auto& slope) { return cpu::descended(x, rate, slope); };
                    cpu::map_packets(n, expected.row(i), step, expected.row(i), product.row(i));
                }
                CHECK(same_bits(c, expected));
            }
    }

    TEST_CASE_TEMPLATE("the places of what is not zero: numbers that are none are not, zeros of either sign are", T,
                       float, double) {
        for (const std::size_t rows : {1, 31, 33, 48})
            for (const std::size_t cols : {1, 16, 37}) {
                Setting<T> s;
                const View<T> a = s.matrix(rows, cols, 3);
                for (std::size_t d = 0; d < rows; ++d)
                    for (std::size_t i = 0; i < cols; ++i)
                        if (const std::size_t kind = (3 * d + i) % 7; kind < 3)
                            a(d, i) = kind == 0 ? T(0) : kind == 1 ? T(-0.0) : std::numeric_limits<T>::quiet_NaN();
                std::vector<std::uint64_t> places(cols, 7);
                const std::size_t count = cpu::find_nonzeros<T>(a, places.data());
                std::size_t expected_count = 0;
                for (std::size_t i = 0; i < cols; ++i) {
                    std::uint64_t expected = 0;
                    for (std::size_t d = 0; d < rows; ++d)
                        if ((3 * d + i) % 7 > 1) expected |= std::uint64_t(1) << d, ++expected_count;
                    CHECK(places[i] == expected);
                }
                CHECK(count == expected_count);
            }
    }

    TEST_CASE_TEMPLATE("a product visited without its zeros is the product, each element once", T, float, double) {
        using Gemm = cpu::OuterGemm<T>;
        for (const std::size_t m : {std::size_t(1), std::size_t(37), Gemm::rows_of_terms})
            for (const std::size_t terms : {1, 10, 24, 25, 48})
                for (const std::size_t n : {1, 40, 256, 300, 784}) {
                    Setting<T> s;
                    const View<T> a = s.matrix(terms, m, 3), b = s.matrix(terms, n, 5), c = s.result(m, n),
                                  product = s.result(m, n), visits = s.result(m, n);
                    fill(s.context, T(0), visits);
                    const auto visit = [&](std::size_t i, std::size_t j, std::span<const T> part) {
                        std::copy(part.begin(), part.end(), c.row(i) + j);
                        for (std::size_t k = 0; k < part.size(); ++k) ++visits(i, j + k);
                    };
                    CHECK(!Gemm::visit_without_zeros(a, b, visit));
                    CHECK(difference(visits, [](std::size_t, std::size_t) { return 0; }) == 0);
                    for (std::size_t d = 0; d < terms; ++d)
                        for (std::size_t i = 0; i < m; ++i)
                            if ((d + i) % 3 != 0 || terms == 1) a(d, i) = T(0);
                    CHECK(Gemm::visit_without_zeros(a, b, visit));
                    CHECK(difference(visits, [](std::size_t, std::size_t) { return 1; }) == 0);
                    Gemm::product(Gemm::transposed(a), terms, b, product, false);
                    CHECK(difference(c, [&](std::size_t i, std::size_t j) { return double(product(i, j)); }) == 0);
                }
        Setting<T> s;
        const View<T> zeros = s.result(49, 2), b = s.matrix(49, 5);
        fill(s.context, T(0), zeros);
        CHECK(!Gemm::visit_without_zeros(zeros, b, [](auto...) { FAIL("visited"); }));
    }

    TEST_CASE("a step down a product of many zeros reads no row of B that only they meet") {
        using Gemm = cpu::OuterGemm<float>;
        Setting<float> s;
        constexpr std::size_t terms = 40;
        const View<float> a = s.matrix(terms, 50), b = s.matrix(terms, 400), c = s.matrix(50, 400);
        for (std::size_t d = 0; d < terms; d += 2) {
            std::fill_n(a.row(d), a.cols, 0.0f);
            std::fill_n(b.row(d), b.cols, std::numeric_limits<float>::quiet_NaN());
        }
        Gemm::descend(a, b, c, 0.3f);
        for (std::size_t i = 0; i < c.rows; ++i)
            CHECK(std::all_of(c.row(i), c.row(i) + c.cols, [](float x) { return std::isfinite(x); }));
    }

    TEST_CASE_TEMPLATE("a product with a large matrix has in each part the bits of the product with that part", T,
                       float, double) {
        using Gemm = cpu::OuterGemm<T>;
        constexpr std::size_t k = 1300, columns = 256 / sizeof(T), n = 16 * columns + 27; // on more pages than 1024
        for (const std::size_t m : {1, 4, 13})
            for (const bool accumulate : {false, true}) {
                Setting<T> s;
                const View<T> a = s.matrix(m, k, 3), b = s.repeating_matrix(k, n), c = s.matrix(m, n, 2),
                              before = s.copy_of(c);
                Gemm::product(Gemm::left(a), k, b, c, accumulate);
                CHECK(difference(c, [&](std::size_t i, std::size_t j) {
                          double sum = accumulate ? double(before(i, j)) : 0;
                          for (std::size_t l = 0; l < k; ++l) sum += double(a(i, l)) * double(b(l, j));
                          return sum;
                      }) < 300 * tolerance<T>);
                for (std::size_t j = 0; j < n; j += columns) {
                    const std::size_t count = std::min(columns, n - j);
                    const View<T> part = before.middle_cols(j, count);
                    Gemm::product(Gemm::left(a), k, s.copy_of(b.middle_cols(j, count)), part, accumulate);
                    CHECK(same_bits(part, c.middle_cols(j, count)));
                }
            }
    }

    TEST_CASE_TEMPLATE("a product has the same bits for any number of threads", T, float, double) {
        for (const Transpose ta : both) {
            Setting<T> one(1);
            const View<T> a = ta == Transpose::no ? one.matrix(75, 50) : one.matrix(50, 75);
            const View<T> b = one.matrix(50, 80), c = one.matrix(75, 80);
            gemm(one.context, ta, a, Transpose::no, b, c);
            for (const std::size_t threads : {2u, 3u}) {
                Setting<T> many(threads);
                const View<T> d = many.matrix(75, 80);
                gemm(many.context, ta, a, Transpose::no, b, d);
                CHECK(difference(d, c) == 0);
            }
        }
    }

    TEST_CASE_TEMPLATE("a product over an empty dimension is the bias", T, float, double, bf16) {
        Setting<T> s;
        using S = typename Setting<T>::S;
        for (const std::size_t rows : {std::size_t(3), few + 5}) {
            const View<S> c = s.matrix(rows, 4), bias = s.matrix(1, 4), a = s.matrix(rows, 1), b = s.matrix(1, 4);
            gemm(s.context, Transpose::no, View<const S>(a.data, rows, 0), Transpose::no, View<const S>(b.data, 0, 4),
                 c, false, bias);
            CHECK(difference(c, [&](std::size_t, std::size_t j) { return bias(0, j); }) == 0);
        }
    }

    TEST_CASE("a product of shapes that do not fit is an error that shows them") {
        Setting<float> s;
        const View<float> a = s.matrix(2, 3), b = s.matrix(4, 5), c = s.matrix(2, 5);
        CHECK_THROWS_WITH_AS(gemm(s.context, Transpose::no, a, Transpose::no, b, c),
                             "matrix product of (2, 3) and (4, 5) into (2, 5)", Error);
        CHECK_THROWS_WITH_AS(gemm(s.context, Transpose::yes, a, Transpose::yes, b, c),
                             "matrix product of (2, 3)ᵀ and (4, 5)ᵀ into (2, 5)", Error);
    }
}

}
