#include <doctest/doctest.h>

#include <vector>

#include "backend_setting.hpp"

namespace factor_test {

using namespace didact;
using namespace didact::backend_test;

namespace {

constexpr std::size_t many = Cpu<bf16>::independent_rows, row_counts[] = {1, many - 1, many, 33, 128, 300};
constexpr std::size_t column_counts[] = {1, 31, 64, 130};
constexpr FactorUses all_uses = {.left = true, .left_transposed = true, .right = true, .column_sums = true};

using B = Cpu<bf16>;
using FloatView = View<const float>;

/// `factor` in each place of a product does what `values` do there, bit by bit.
void check_products(Setting<bf16>& s, const Factor<B>& factor, View<float> values) {
    const std::size_t m = values.rows, n = values.cols;
    const auto check = [&](Transpose ta, const Factor<B>& a, Transpose tb, const Factor<B>& b, FloatView plain_a,
                           FloatView plain_b) {
        const std::size_t rows = ta == Transpose::no ? a.rows : a.cols, cols = tb == Transpose::no ? b.cols : b.rows;
        const View<float> expected = s.result(rows, cols), got = s.result(rows, cols);
        gemm(s.context, ta, plain_a, tb, plain_b, expected);
        gemm(s.context, ta, a, tb, b, got);
        CHECK(same_bits(got, expected));
    };
    const FloatView by_columns = s.matrix(n, 21), by_rows = s.matrix(m, 21), few = s.matrix(40, m);
    check(Transpose::no, factor, Transpose::no, by_columns, values, by_columns);
    check(Transpose::yes, factor, Transpose::no, by_rows, values, by_rows);
    check(Transpose::no, few, Transpose::no, factor, few, values);
    check(Transpose::yes, by_rows, Transpose::no, factor, by_rows, values);
    check(Transpose::yes, factor, Transpose::no, factor, values, values);
}

void check_column_sums(Setting<bf16>& s, const Factor<B>& factor, FloatView values) {
    const View<float> sums = s.result(1, values.cols);
    std::fill_n(sums.data, values.cols, 3.0f);
    add_column_sums(s.context, factor, sums);
    CHECK(difference(sums, [&](std::size_t, std::size_t j) {
              double sum = 3;
              for (std::size_t i = 0; i < values.rows; ++i) sum += values(i, j);
              return sum;
          }) < 300 * tolerance<float>);
}

}

TEST_SUITE("unit") {

    TEST_CASE("a factor made once enters every product as its matrix does, bit by bit, and has its column sums") {
        for (const std::size_t rows : row_counts)
            for (const std::size_t cols : column_counts) {
                CAPTURE(rows);
                CAPTURE(cols);
                Setting<bf16> s;
                const View<float> x = s.matrix(rows, cols, 3);
                const Factor<B> made = factor<B>(s.context, x, all_uses);
                check_products(s, made, x);
                check_column_sums(s, made, x);
                CHECK(made.data == x.data);
            }
    }

    TEST_CASE("a factor made for some products enters the others as well") {
        for (const FactorUses& uses : {FactorUses{.left = true}, FactorUses{.left_transposed = true},
                                       FactorUses{.right = true}, FactorUses{.column_sums = true}, FactorUses{}}) {
            Setting<bf16> s;
            const View<float> x = s.matrix(50, 70);
            const Factor<B> made = factor<B>(s.context, x, uses);
            check_products(s, made, x);
            check_column_sums(s, made, x);
        }
    }

    TEST_CASE("an activation as a factor is the factor of the activation, and so is its gradient") {
        const FlushDenormals flush; // as workers do: GELU has some
        for (const Activation kind : {Activation::gelu, Activation::gelu_tanh, Activation::relu, Activation::tanh})
            for (const std::size_t rows : {std::size_t(3), many, std::size_t(150)})
                for (const std::size_t cols : {20u, 300u})
                    for (const bool with_values : {false, true}) {
                        CAPTURE(rows);
                        CAPTURE(cols);
                        Setting<bf16> s;
                        const View<float> x = s.matrix(rows, cols, 4), dy = s.matrix(rows, cols);
                        const View<float> activated = s.result(rows, cols), gradient = s.result(rows, cols);
                        activation_forward(s.context, kind, FloatView(x), activated);
                        activation_backward(s.context, kind, FloatView(x), FloatView(dy), gradient);
                        const Factor<B> made = activated_factor<B>(s.context, kind, x, all_uses, with_values);
                        check_products(s, made, activated);
                        check_column_sums(s, made, activated);
                        if (with_values) CHECK(difference(made, [&](auto i, auto j) { return activated(i, j); }) == 0);
                        const Factor<B> slopes =
                            activation_gradient_factor<B>(s.context, kind, x, dy, all_uses, with_values);
                        check_products(s, slopes, gradient);
                        check_column_sums(s, slopes, gradient);
                    }
    }

    TEST_CASE("cross-entropy of a product is that of its logits, whose gradient is the same factor") {
        for (const std::size_t rows : {std::size_t(3), many, std::size_t(150)})
            for (const std::size_t classes : {20u, 700u})
                for (const double smoothing : {0.0, 0.1})
                    for (const Transpose transpose : {Transpose::no, Transpose::yes}) {
                        CAPTURE(rows);
                        CAPTURE(classes);
                        CAPTURE(smoothing);
                        constexpr std::size_t terms = 70;
                        Setting<bf16> s;
                        const bool transposed = transpose == Transpose::yes;
                        const View<float> a = s.matrix(rows, terms, 2), logits = s.result(rows, classes);
                        const View<float> b = s.matrix(transposed ? classes : terms, transposed ? terms : classes);
                        const FloatView bias = smoothing > 0 ? FloatView(s.matrix(1, classes)) : FloatView();
                        for (std::size_t i = 0; i < b.size(); ++i) b.data[i] *= 0.3f;
                        std::vector<std::int32_t> labels(rows);
                        for (std::size_t i = 0; i < rows; ++i) labels[i] = std::int32_t(i * 61 % classes);
                        labels[0] = std::int32_t(classes - 1);
                        const std::vector<float> weights = s.list(rows);
                        std::vector<float> log_sums(rows), losses(rows), of_product(rows), losses_of_product(rows);
                        gemm(s.context, Transpose::no, FloatView(a), transpose, FloatView(b), logits, false, bias);
                        cross_entropy_forward(s.context, FloatView(logits), labels, smoothing,
                                              std::span<float>(log_sums), std::span<float>(losses));
                        product_cross_entropy_forward<B>(s.context, a, transpose, b, bias, labels, smoothing, 40,
                                                         of_product, losses_of_product);
                        for (std::size_t i = 0; i < rows; ++i) {
                            CHECK(of_product[i] == doctest::Approx(log_sums[i]).epsilon(2e-6));
                            CHECK(losses_of_product[i] == doctest::Approx(losses[i]).epsilon(1e-5));
                        }
                        const Factor<B> made = product_cross_entropy_gradient<B>(
                            s.context, a, transpose, b, bias, labels, smoothing, log_sums, weights, all_uses);
                        cross_entropy_backward(s.context, FloatView(logits), labels, smoothing,
                                               std::span<const float>(log_sums), std::span<const float>(weights),
                                               logits);
                        check_products(s, made, logits);
                        check_column_sums(s, made, logits);
                    }
    }

    TEST_CASE("cross-entropy of a product has the same bits for any number of threads") {
        std::vector<float> expected;
        for (const std::size_t threads : {1u, 2u, 3u}) {
            Setting<bf16> s(threads);
            const View<float> a = s.matrix(150, 40), b = s.matrix(1000, 40);
            const std::vector<std::int32_t> labels(150, 7);
            std::vector<float> log_sums(150), losses(150);
            product_cross_entropy_forward<B>(s.context, a, Transpose::yes, b, {}, labels, 0.1, 60, log_sums, losses);
            log_sums.insert(log_sums.end(), losses.begin(), losses.end());
            if (expected.empty()) expected = log_sums;
            CHECK(log_sums == expected);
        }
    }

    TEST_CASE("a factor has the same column sums for any number of threads") {
        std::vector<float> expected;
        for (const std::size_t threads : {1u, 2u, 3u, 4u}) {
            Setting<bf16> s(threads);
            const View<float> x = s.matrix(700, 90), sums = s.result(1, 90);
            add_column_sums(s.context, factor<B>(s.context, x, all_uses), sums);
            const std::vector<float> got(sums.data, sums.data + 90);
            if (expected.empty()) expected = got;
            CHECK(got == expected);
        }
    }

    TEST_CASE("a factor without values is refused by a product that it is not made for") {
        Setting<bf16> s;
        if (!cpu::makes_factors<B>(40)) {
            MESSAGE("skipped: this processor has no tile registers");
            return;
        }
        const View<float> x = s.matrix(40, 50), other = s.matrix(40, 20), c = s.result(50, 20);
        const Factor<B> made = activated_factor<B>(s.context, Activation::gelu, x, {.left = true}, false);
        CHECK_THROWS_WITH_AS(gemm(s.context, Transpose::yes, made, Transpose::no, other, c),
                             "a factor of (40, 50) is not made for this product and has no values", Error);
        const View<float> few = s.matrix(8, 40), few_rows = s.result(8, 50), sums = s.result(1, 50);
        const Factor<B> right = activated_factor<B>(s.context, Activation::gelu, x, {.right = true}, false);
        CHECK_THROWS_WITH_AS(gemm(s.context, Transpose::no, few, Transpose::no, right, few_rows),
                             "a product of 8 rows needs the values of its factors", Error);
        CHECK_THROWS_WITH_AS(add_column_sums(s.context, right, sums),
                             "a factor of (40, 50) has neither column sums nor values", Error);
    }

    TEST_CASE(
        "what is made of a weight is kept while it is frozen or stays, and gone once its values may have changed") {
        constexpr std::size_t rows = 40, columns = 70;
        Setting<bf16> s;
        const ParameterId id = s.store.add_matrix("weight", rows, columns, Initializer::normal(1));
        const ParameterId other = s.store.add_matrix("other", rows, columns, Initializer::normal(1));
        s.store.plan();
        const bool makes = cpu::makes_factors<B>(many);
        if (!makes) MESSAGE("this processor has no tile registers: nothing is made of weights");
        const auto kept = [&](bool transposed) {
            return s.store.derived_values().find(id, transposed ? 1 : 0, s.store.version(id)) != nullptr;
        };
        /// The weight enters products as its values do, and is kept afterwards or not.
        const auto check = [&](bool keeps, bool often = false) {
            for (const std::size_t count : {many - 1, many, std::size_t(70)})
                for (const bool transposed : {false, true}) {
                    CAPTURE(count);
                    CAPTURE(transposed);
                    const auto transpose = transposed ? Transpose::yes : Transpose::no;
                    const FloatView a = s.matrix(count, transposed ? columns : rows);
                    const View<float> expected = s.result(count, transposed ? rows : columns);
                    const View<float> got = s.result(count, expected.cols);
                    gemm(s.context, Transpose::no, a, transpose, std::as_const(s.store).value(id), expected);
                    for ([[maybe_unused]] const int again : {0, 1}) {
                        gemm(s.context, Transpose::no, a, transpose,
                             weight_factor<B>(s.context, id, transpose, count, often), got);
                        CHECK(same_bits(got, expected));
                    }
                    if (count >= many) CHECK(kept(transposed) == (keeps && makes));
                }
        };
        const auto change = [&](float* values) {
            for (std::size_t i = 0; i < rows * columns; ++i) values[i] = 1.5f * values[i] + 0.25f;
        };
        const auto offset = s.store[id].offset;
        check(false);
        check(true, true);
        change(s.store.value(id).data);
        check(false);
        s.context.weights_stay = true;
        check(true);
        change(s.store.values().data() + offset);
        check(true);
        for (const TrainableSegment& segment : s.store.segments())
            if (segment.offset == offset) change(s.store.values(segment).data());
        check(true);
        AlignedVector<float> teacher(s.store.snapshot());
        change(teacher.data() + offset);
        s.store.swap_values(teacher);
        check(true);
        s.context.weights_stay = false;
        s.store.set_trainable(id, false);
        s.store.plan();
        CHECK(!kept(false));
        check(true);
        for (const TrainableSegment& segment : s.store.segments()) s.store.values(segment)[0] = 2;
        CHECK(kept(false) == makes);
        s.store.value(other)(0, 0) = 3;
        CHECK(!kept(false));
    }

    TEST_CASE("with other precisions a factor is the matrix itself") {
        CHECK(std::is_same_v<Factor<Cpu<float>>, View<const float>>);
        CHECK(std::is_same_v<Factor<Cpu<double>>, View<const double>>);
        Setting<float> s;
        const View<float> x = s.matrix(40, 50);
        const std::size_t before = s.arena.mark().used;
        CHECK(factor<Cpu<float>>(s.context, x, all_uses).data == x.data);
        CHECK(s.arena.mark().used == before);
    }
}

}
