#include <doctest/doctest.h>

#include "backend_setting.hpp"

namespace attention_test {

using namespace didact;
using namespace didact::backend_test;

namespace {

constexpr std::size_t heads = 3, size = 5, hidden = heads * size;

/// What attention reads and writes for one packing.
template <class T>
struct Packed {
    using S = typename Setting<T>::S;
    Setting<T>& s;
    AttentionShape shape;
    View<S> q, k, v, out, dout, dq, dk, dv;
    std::vector<S> log_sums;

    Packed(Setting<T>& s, const std::vector<std::int32_t>& cu_seqlens, bool causal)
        : s(s), shape{.cu_seqlens = cu_seqlens, .num_heads = heads, .causal = causal, .scale = 1 / std::sqrt(5.0)} {
        const std::size_t tokens = std::size_t(cu_seqlens.back());
        // Query, key and value lie in the columns of one matrix, as layers have them.
        const View<S> qkv = s.matrix(tokens, 3 * hidden), dqkv = s.matrix(tokens, 3 * hidden);
        q = qkv.middle_cols(0, hidden), k = qkv.middle_cols(hidden, hidden), v = qkv.middle_cols(2 * hidden, hidden);
        dq = dqkv.middle_cols(0, hidden), dk = dqkv.middle_cols(hidden, hidden);
        dv = dqkv.middle_cols(2 * hidden, hidden);
        out = s.matrix(tokens, hidden), dout = s.matrix(tokens, hidden);
        log_sums.resize(tokens * heads);
    }
    void run() {
        attention_forward(s.context, shape, q, k, v, out, std::span<S>(log_sums));
        attention_backward(s.context, shape, q, k, v, out, std::span<const S>(log_sums), dout, dq, dk, dv);
    }
};

/// Attention over one sequence by its formula, and its gradients by the chain rule, in double.
struct Naive {
    std::vector<double> out, dq, dk, dv;

    template <class T>
    Naive(const Packed<T>& a, std::size_t begin, std::size_t length)
        : out(length * hidden), dq(out.size()), dk(out.size()), dv(out.size()) {
        for (std::size_t h = 0; h < heads; ++h)
            for (std::size_t i = 0; i < length; ++i) {
                const auto at = [&](const auto& x, std::size_t t, std::size_t d) {
                    return double(x(begin + t, h * size + d));
                };
                const std::size_t keys = a.shape.causal ? i + 1 : length;
                std::vector<double> p(keys), dp(keys, 0.0);
                double sum = 0, mean = 0;
                for (std::size_t j = 0; j < keys; ++j) {
                    double score = 0;
                    for (std::size_t d = 0; d < size; ++d) score += at(a.q, i, d) * at(a.k, j, d);
                    sum += p[j] = std::exp(score * a.shape.scale);
                }
                for (std::size_t j = 0; j < keys; ++j) {
                    p[j] /= sum;
                    for (std::size_t d = 0; d < size; ++d) {
                        const std::size_t column = h * size + d;
                        out[i * hidden + column] += p[j] * at(a.v, j, d);
                        dv[j * hidden + column] += p[j] * at(a.dout, i, d);
                        dp[j] += at(a.v, j, d) * at(a.dout, i, d);
                    }
                    mean += p[j] * dp[j];
                }
                for (std::size_t j = 0; j < keys; ++j)
                    for (std::size_t d = 0; d < size; ++d) {
                        const double ds = p[j] * (dp[j] - mean) * a.shape.scale;
                        dq[i * hidden + h * size + d] += ds * at(a.k, j, d);
                        dk[j * hidden + h * size + d] += ds * at(a.q, i, d);
                    }
            }
    }
};

/// Absorbed attention of one query a sequence, with all that it writes, as doubles.
template <class T>
std::vector<double> absorbed(std::size_t threads, bool causal, double dropout) {
    static const std::vector<std::int32_t> packing{0, 5, 137, 138, 140}, queries{2, 130, 137, 138};
    Setting<T> s(threads);
    const AttentionShape shape{.cu_seqlens = packing,
                               .num_heads = heads,
                               .causal = causal,
                               .scale = 0.3,
                               .dropout = dropout,
                               .dropout_key = 5,
                               .queries = queries};
    const View<T> x = s.matrix(140, hidden), u = s.matrix(4, heads * hidden), dc = s.matrix(4, heads * hidden);
    const View<T> dweights = s.matrix(4, heads), dx = s.matrix(140, hidden), du = s.matrix(4, heads * hidden);
    const View<T> c = s.matrix(4, heads * hidden), weights = s.matrix(4, heads), added = s.copy_of(dx);
    std::vector<T> log_sums(4 * heads);
    absorbed_attention_forward(s.context, shape, u, x, c, weights, std::span<T>(log_sums));
    for (const bool accumulate : {true, false})
        absorbed_attention_backward(s.context, shape, u, x, c, weights, std::span<const T>(log_sums), dc, dweights, du,
                                    accumulate ? added : dx, accumulate);
    std::vector<double> all;
    for (const View<T>& written : {c, weights, du, dx, added})
        for (std::size_t i = 0; i < written.size(); ++i) all.push_back(double(written.data[i]));
    return all;
}

template <class T>
void check_naive(const std::vector<std::int32_t>& cu_seqlens, bool causal, double tolerance) {
    Setting<T> s;
    Packed<T> a(s, cu_seqlens, causal);
    a.run();
    for (std::size_t n = 0; n + 1 < cu_seqlens.size(); ++n) {
        const std::size_t begin = std::size_t(cu_seqlens[n]), length = std::size_t(cu_seqlens[n + 1]) - begin;
        const Naive naive(a, begin, length);
        const auto check = [&](const auto& found, const std::vector<double>& expected) {
            CHECK(difference(found.middle_rows(begin, length),
                             [&](auto i, auto j) { return expected[i * hidden + j]; }) < tolerance);
        };
        check(a.out, naive.out), check(a.dq, naive.dq), check(a.dk, naive.dk), check(a.dv, naive.dv);
    }
}

}

TEST_SUITE("unit") {

    TEST_CASE("packed attention and its gradients are the formula's, sequence by sequence and head by head") {
        for (const bool causal : {false, true}) {
            check_naive<double>({0, 1, 5, 12}, causal, 1e-12);
            check_naive<float>({0, 1, 5, 12}, causal, 1e-5);
            check_naive<double>({0, 2, 72}, causal, 1e-12);          // two blocks of queries
            check_naive<bf16>({0, 1, 5, 12, 84, 217}, causal, 0.06); // a few roundings of numbers up to 4
            check_naive<double>({0, 530}, causal, 1e-12);            // two blocks of keys
        }
        check_naive<double>({0, 2100}, true, 1e-12); // blocks of more queries and fewer keys, nine of each
    }

    TEST_CASE_TEMPLATE("packed attention has the bits of its sequences one by one", T, float, double, bf16) {
        for (const bool causal : {false, true}) {
            Setting<T> s;
            const std::vector<std::int32_t> together{0, 1, 8, 21, 24};
            Packed<T> all(s, together, causal);
            all.run();
            for (std::size_t n = 0; n + 1 < together.size(); ++n) {
                const std::size_t begin = std::size_t(together[n]), length = std::size_t(together[n + 1]) - begin;
                const std::vector<std::int32_t> alone{0, std::int32_t(length)};
                Packed<T> one(s, alone, causal);
                copy(s.context, all.q.middle_rows(begin, length), one.q);
                copy(s.context, all.k.middle_rows(begin, length), one.k);
                copy(s.context, all.v.middle_rows(begin, length), one.v);
                copy(s.context, all.dout.middle_rows(begin, length), one.dout);
                one.run();
                CHECK(difference(one.out, all.out.middle_rows(begin, length)) == 0);
                CHECK(difference(one.dq, all.dq.middle_rows(begin, length)) == 0);
                CHECK(difference(one.dk, all.dk.middle_rows(begin, length)) == 0);
                CHECK(difference(one.dv, all.dv.middle_rows(begin, length)) == 0);
            }
        }
    }

    TEST_CASE("scores that grow from one block of keys to the next do not overflow") {
        // Scores of 0 for the first keys and of 600 for the last ones: those alone count.
        Setting<float> s;
        const std::vector<std::int32_t> packing{0, 1100};
        Packed<float> a(s, packing, false);
        for (std::size_t t = 0; t < 1100; ++t)
            for (std::size_t h = 0; h < heads; ++h)
                for (std::size_t d = 0; d < size; ++d) {
                    a.q(t, h * size + d) = d == 0 ? 1.0f : 0.0f;
                    a.k(t, h * size + d) = d == 0 ? float(t >= 1000 ? 600 : t >= 600 ? 100 : 0) : 0.0f;
                    a.v(t, h * size + d) = t >= 1000 ? float(d) : 1e6f;
                }
        a.shape.scale = 1;
        a.run();
        CHECK(difference(a.out, [](auto, auto j) { return double(j % size); }) < 1e-5);
        for (const float log_sum : a.log_sums) REQUIRE(log_sum == doctest::Approx(600 + std::log(100.0)));
        CHECK(difference(a.dk.middle_rows(0, 1000), [](auto, auto) { return 0; }) < 1e-20);
    }

    TEST_CASE("causal attention does not see what comes later, not even its infinities") {
        Setting<float> s;
        const std::vector<std::int32_t> packing{0, 70};
        Packed<float> a(s, packing, true);
        a.run();
        const View<float> before = s.copy_of(a.out);
        for (std::size_t t = 40; t < 70; ++t)
            for (std::size_t j = 0; j < hidden; ++j) a.k(t, j) = a.v(t, j) = 1e6f;
        a.run();
        CHECK(difference(a.out.middle_rows(0, 40), before.middle_rows(0, 40)) == 0);
        CHECK(difference(a.out.middle_rows(40, 30), before.middle_rows(40, 30)) > 1);
    }

    TEST_CASE("attention's probabilities are dropped with their share, the same in backward as in forward") {
        const auto check = [](const std::vector<std::int32_t>& packing, std::uint64_t keys) {
            Setting<double> s;
            Packed<double> a(s, packing, false);
            a.shape.dropout = 0.4;
            // With equal keys every probability is 1 / length, and with values of one the output counts what is kept.
            for (std::size_t i = 0; i < a.k.rows; ++i)
                for (std::size_t j = 0; j < hidden; ++j) a.k(i, j) = a.v(i, j) = 1;
            double kept = 0, probabilities = 0;
            for (std::uint64_t key = 0; key < keys; ++key) {
                a.shape.dropout_key = key;
                a.run();
                for (std::size_t t = 0; t < a.out.rows; ++t)
                    for (std::size_t h = 0; h < heads; ++h) {
                        const auto end = std::ranges::upper_bound(packing, std::int32_t(t));
                        const double length = *end - *(end - 1), count = a.out(t, h * size) * length * 0.6;
                        REQUIRE(std::abs(count - std::round(count)) < 1e-9);
                        kept += count, probabilities += length;
                    }
            }
            CHECK(std::abs(kept / probabilities - 0.6) < 4 * std::sqrt(0.24 / probabilities));
            // dv sums the same dropped probabilities that made the outputs.
            fill(s.context, 1.0, a.dout);
            a.run();
            double sum_out = 0, sum_dv = 0;
            for (std::size_t t = 0; t < a.out.rows; ++t)
                for (std::size_t j = 0; j < hidden; ++j) sum_out += a.out(t, j), sum_dv += a.dv(t, j);
            CHECK(sum_dv == doctest::Approx(sum_out).epsilon(1e-12));
        };
        check({0, 9, 20}, 50);
        check({0, 600}, 5); // two blocks of keys
    }

    TEST_CASE_TEMPLATE("the scratch for a long sequence does for a shorter one", T, float, double) {
        for (const std::size_t width : {size, std::size_t(64)})
            for (std::size_t length = 1; length < 5000; ++length)
                REQUIRE(cpu::HeadProducts<T>::memory(length, width, 7, 2, 2) <=
                        cpu::HeadProducts<T>::memory(length + 1, width, 7, 2, 2));
    }

    TEST_CASE_TEMPLATE("attention of some queries is that of all, at their rows", T, float, double) {
        // Of 137 queries 130 take three blocks; the second sequence has none, and its keys and values no gradient. In
        // the last one a block of queries begins before the second block of keys and ends in it.
        const std::vector<std::int32_t> packing{0, 137, 142, 146, 746};
        std::vector<std::int32_t> some{142, 145};
        for (std::int32_t t = 136; t >= 7; --t) some.insert(some.begin(), t);
        for (std::int32_t t = 146 + 13; t < 746; ++t) some.push_back(t);
        for (const bool causal : {false, true}) {
            Setting<T> s;
            Packed<T> all(s, packing, causal);
            all.shape.dropout = 0.3;
            all.shape.dropout_key = 5;
            Packed<T> part = all;
            part.shape.queries = some;
            part.q = s.matrix(some.size(), hidden), part.out = s.matrix(some.size(), hidden);
            part.dq = s.matrix(some.size(), hidden), part.dout = s.matrix(some.size(), hidden);
            part.dk = s.matrix(746, hidden), part.dv = s.matrix(746, hidden);
            gather_rows(s.context, all.q, some, part.q);
            gather_rows(s.context, all.dout, some, part.dout);
            fill(s.context, T(0), all.dout);
            scatter_add_rows(s.context, part.dout, some, all.dout);
            all.run();
            part.run();
            const auto at = [&](View<T> x) { return [&, x](auto i, auto j) { return x(std::size_t(some[i]), j); }; };
            CHECK(difference(part.out, at(all.out)) < tolerance<T>);
            CHECK(difference(part.dq, at(all.dq)) < 10 * tolerance<T>);
            CHECK(difference(part.dk, all.dk) < 10 * tolerance<T>);
            CHECK(difference(part.dv, all.dv) < 10 * tolerance<T>);
            for (const View<T>& x : {part.dk, part.dv})
                CHECK(difference(x.middle_rows(137, 5), [](auto, auto) { return 0; }) == 0);
        }
    }

    TEST_CASE("attention has the same bits for any number of threads") {
        const std::vector<std::int32_t> packing{0, 3, 20, 21, 33};
        std::vector<std::vector<float>> results;
        for (const std::size_t threads : {1u, 2u, 4u}) {
            Setting<float> s(threads);
            Packed<float> a(s, packing, true);
            a.shape.dropout = 0.2;
            a.run();
            results.emplace_back();
            for (const View<float>& x : {a.out, a.dq, a.dk, a.dv})
                for (std::size_t i = 0; i < x.rows; ++i)
                    results.back().insert(results.back().end(), x.row(i), x.row(i) + x.cols);
        }
        CHECK(results[1] == results[0]);
        CHECK(results[2] == results[0]);
    }

    TEST_CASE("attention has the same bits in results that are written past the caches") {
        const std::vector<std::int32_t> packing{0, 3, 20, 21, 33};
        Setting<float> s;
        Packed<float> plain(s, packing, true);
        plain.run();
        for (const std::size_t first : {0u, 1u, 4u}) { // 1: not where whole packets can go
            CAPTURE(first);
            Packed<float> wide = plain;
            for (View<float>* x : {&wide.out, &wide.dq, &wide.dk, &wide.dv}) {
                *x = s.result(33, std::size_t(1) << 15).middle_cols(first, hidden);
                REQUIRE(cpu::outgrows_cache(*x));
                REQUIRE(!cpu::outgrows_cache(plain.out));
            }
            wide.run();
            CHECK(difference(wide.out, plain.out) == 0);
            CHECK(difference(wide.dq, plain.dq) == 0);
            CHECK(difference(wide.dk, plain.dk) == 0);
            CHECK(difference(wide.dv, plain.dv) == 0);
            for (const View<float>& x : {wide.out, wide.dq, wide.dk, wide.dv})
                for (std::size_t i = 0; i < x.rows; ++i) CHECK(x.row(i)[hidden] == 0);
        }
    }

    TEST_CASE("absorbed attention has the same bits for any number of threads, and of floats those of doubles nearly") {
        for (const bool causal : {false, true})
            for (const double dropout : {0.0, 0.3}) {
                const std::vector<double> one = absorbed<float>(1, causal, dropout);
                CHECK(absorbed<float>(2, causal, dropout) == one);
                CHECK(absorbed<float>(3, causal, dropout) == one);
                const std::vector<double> exact = absorbed<double>(2, causal, dropout);
                double largest = 0;
                for (std::size_t i = 0; i < one.size(); ++i) largest = std::max(largest, std::abs(one[i] - exact[i]));
                CHECK(largest < 1e-4);
            }
    }
}

}
