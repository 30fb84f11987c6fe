#include <doctest/doctest.h>

#include <numeric>

#include "backend_setting.hpp"

namespace operations_test {

using namespace didact;
using namespace didact::backend_test;

namespace {

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double gelu_tanh(double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

/// The slope of f at x by differences of fourth order.
template <class F>
double slope(const F& f, double x, double h = 1e-3) {
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h);
}

}

TEST_SUITE("unit") {

    TEST_CASE_TEMPLATE("add, copy, scale and fill work element by element, through strides and in place", T, float,
                       double) {
        for (const std::size_t cols : {1u, 3u, 70u}) {
            Setting<T> s;
            const View<T> a = s.matrix(9, cols, 2), b = s.matrix(9, cols), c = s.matrix(9, cols, 1);
            add(s.context, a, b, c);
            CHECK(difference(c, [&](auto i, auto j) { return a(i, j) + b(i, j); }) == 0);
            const View<T> before = s.copy_of(c);
            scale(s.context, T(0.5), a, c, true);
            CHECK(difference(c, [&](auto i, auto j) { return double(before(i, j)) + 0.5 * double(a(i, j)); }) <
                  tolerance<T>);
            scale(s.context, T(-2), a, c);
            CHECK(difference(c, [&](auto i, auto j) { return T(-2) * a(i, j); }) == 0);
            copy(s.context, b, c);
            CHECK(difference(c, b) == 0);
            add(s.context, c, a, c);
            CHECK(difference(c, [&](auto i, auto j) { return b(i, j) + a(i, j); }) == 0);
            fill(s.context, T(3), c);
            CHECK(difference(c, [](auto, auto) { return 3; }) == 0);
        }
    }

    TEST_CASE("elements beyond one tile are reached") {
        Setting<float> s(3);
        const View<float> a = s.matrix(700, 60), b = s.matrix(700, 60);
        add(s.context, a, b, b);
        const View<float> c = s.matrix(1, 40000);
        fill(s.context, 1.f, c);
        CHECK(difference(c, [](auto, auto) { return 1; }) == 0);
        CHECK(dot(s.context, std::span<const float>(c.data, 40000), std::span<const float>(c.data, 40000)) == 40000);
    }

    TEST_CASE_TEMPLATE("rows are gathered by number and their gradients go back where they came from", T, float,
                       double) {
        Setting<T> s;
        const std::vector<std::int32_t> rows{4, 0, 6};
        const View<T> a = s.matrix(7, 5), out = s.matrix(3, 5);
        gather_rows(s.context, a, rows, out);
        CHECK(difference(out, [&](auto i, auto j) { return a(std::size_t(rows[i]), j); }) == 0);
        const View<T> da = s.matrix(7, 5), before = s.copy_of(da);
        scatter_add_rows(s.context, out, rows, da);
        CHECK(difference(da, [&](auto i, auto j) {
                  const auto found = std::find(rows.begin(), rows.end(), std::int32_t(i));
                  return before(i, j) + (found == rows.end() ? T(0) : out(std::size_t(found - rows.begin()), j));
              }) == 0);
    }

    TEST_CASE_TEMPLATE("the mean of a segment is that of its rows, and spreads its gradient evenly", T, float, double) {
        Setting<T> s;
        const std::vector<std::int32_t> offsets{0, 1, 4, 9};
        const View<T> a = s.matrix(9, 6), out = s.matrix(3, 6);
        segment_mean(s.context, a, offsets, out);
        CHECK(difference(out, [&](auto k, auto j) {
                  double sum = 0;
                  for (std::int32_t i = offsets[k]; i < offsets[k + 1]; ++i) sum += double(a(std::size_t(i), j));
                  return sum / (offsets[k + 1] - offsets[k]);
              }) < tolerance<T>);
        const View<T> da = s.matrix(9, 6), before = s.copy_of(da);
        segment_mean_backward(s.context, out, offsets, da);
        CHECK(difference(da, [&](auto i, auto j) {
                  const std::size_t k = i < 1 ? 0 : i < 4 ? 1 : 2;
                  return double(before(i, j)) + double(out(k, j)) / (offsets[k + 1] - offsets[k]);
              }) < tolerance<T>);
    }

    TEST_CASE_TEMPLATE("every activation is its formula, and its slope the slope of it", T, float, double) {
        const std::pair<Activation, double (*)(double)> kinds[] = {
            {Activation::gelu, gelu},
            {Activation::gelu_tanh, gelu_tanh},
            {Activation::relu, [](double x) { return x > 0 ? x : 0.0; }},
            {Activation::tanh, [](double x) { return std::tanh(x); }}};
        for (const auto& [kind, f] : kinds) {
            Setting<T> s;
            const View<T> x = s.matrix(5, 61), y = s.matrix(5, 61), dy = s.matrix(5, 61), dx = s.matrix(5, 61);
            for (std::size_t i = 0; i < x.size(); ++i) x.data[i] *= T(i % 3 == 0 ? 4 : 1);
            x(0, 0) = T(-30), x(0, 1) = T(30), x(0, 2) = T(0), x(0, 3) = T(1e-4);
            activation_forward(s.context, kind, x, y);
            CHECK(difference(y, [&, f = f](auto i, auto j) { return f(double(x(i, j))); }) < 2 * tolerance<T>);
            activation_backward(s.context, kind, x, dy, dx);
            CHECK(difference(dx, [&, kind = kind, f = f](auto i, auto j) {
                      const double at = double(x(i, j));
                      const double g = kind == Activation::relu ? double(at > 0) : slope(f, at);
                      return double(dy(i, j)) * g;
                  }) < (sizeof(T) == 4 ? 1e-5 : 1e-9));
            activation_forward(s.context, kind, x, x); // in place
            CHECK(difference(x, y) == 0);
        }
    }

    TEST_CASE("each row of an activation's input serves as many rows of its gradient") {
        Setting<double> s;
        const View<double> x = s.matrix(2, 5), dy = s.matrix(6, 5), dx = s.matrix(6, 5);
        activation_backward(s.context, Activation::relu, x, dy, dx);
        CHECK(difference(dx, [&](auto i, auto j) { return x(i / 3, j) > 0 ? dy(i, j) : 0.0; }) == 0);
    }

    TEST_CASE_TEMPLATE("tanh's gradient from its output is that from its input", T, float, double) {
        Setting<T> s;
        const View<T> x = s.matrix(4, 20), y = s.matrix(4, 20), dy = s.matrix(4, 20), dx = s.matrix(4, 20);
        activation_forward(s.context, Activation::tanh, x, y);
        activation_backward(s.context, Activation::tanh, x, dy, dx);
        tanh_backward_from_output(s.context, y, dy);
        CHECK(difference(dx, dy) < tolerance<T>);
    }

    TEST_CASE("functions of packets have the accuracy that they state, whatever the place of an element") {
        std::vector<float> x, y;
        for (double at = -80; at < 80; at += 0.0137) x.push_back(float(at));
        y.resize(x.size());
        const float sum = cpu::shifted_exponentials<float>(x.size(), x.data(), 0, y.data());
        double worst = 0, all = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            worst = std::max(worst, std::abs(double(y[i]) / std::exp(double(x[i])) - 1));
            all += std::exp(double(x[i]));
        }
        CHECK(worst < 2e-7); // two units in the last place of a float
        CHECK(double(sum) == doctest::Approx(all).epsilon(1e-6));
        CHECK(cpu::shifted_exponentials<float>(x.size(), x.data(), 0, nullptr) == sum);
        for (const std::size_t count : {1u, 5u, 16u, 19u}) {
            std::vector<float> few(count);
            cpu::shifted_exponentials<float>(count, x.data() + 100, 0, few.data());
            CHECK(std::equal(few.begin(), few.end(), y.begin() + 100));
            CHECK(cpu::largest<float>(count, x.data()) == x[count - 1]);
        }
        float extremes[] = {-1000, 1000, 0, std::numeric_limits<float>::quiet_NaN()};
        cpu::shifted_exponentials<float>(4, extremes, 0, extremes);
        CHECK(extremes[0] < 1e-37f);
        CHECK(extremes[1] > 1e38f);
        CHECK(extremes[2] == 1);
        CHECK(std::isnan(extremes[3]));
    }

    TEST_CASE_TEMPLATE("activations are near those of doubles, and their slopes", T, float, bf16) {
        for (const Activation kind : {Activation::gelu, Activation::gelu_tanh, Activation::tanh}) {
            constexpr std::size_t count = 20001;
            Setting<T> s;
            Setting<double> t;
            const View<float> x = s.matrix(1, count), y = s.matrix(1, count), dy = s.matrix(1, count);
            const View<double> exact_x = t.matrix(1, count), exact_y = t.matrix(1, count),
                               exact_dy = t.matrix(1, count);
            for (std::size_t i = 0; i < count; ++i) {
                exact_x.data[i] = x.data[i] = float(-10 + 0.001 * double(i));
                exact_dy.data[i] = dy.data[i] = 1;
            }
            activation_forward(s.context, kind, x, y);
            activation_forward(t.context, kind, exact_x, exact_y);
            activation_backward(s.context, kind, x, dy, dy);
            activation_backward(t.context, kind, exact_x, exact_dy, exact_dy);
            double value = 0, slope = 0;
            for (std::size_t i = 0; i < count; ++i) {
                const double unit = std::max(1.0, std::abs(exact_x.data[i]));
                value = std::max(value, std::abs(double(y.data[i]) - exact_y.data[i]) / unit);
                slope = std::max(slope, std::abs(double(dy.data[i]) - exact_dy.data[i]) / unit);
            }
            CAPTURE(int(kind));
            // Per unit of x. What is to be rounded to bf16 is less exact, though far more than bf16 is.
            const bool rounded = std::is_same_v<T, bf16> && kind != Activation::tanh;
            CHECK(value < (rounded ? 2e-5 : kind == Activation::gelu ? 2e-7 : 4e-7));
            CHECK(slope < (rounded ? 1e-4 : kind == Activation::gelu ? 4e-7 : 1e-6));
            for (const std::size_t end : {std::size_t(0), count - 1}) // where x is −10 and 10
                CHECK(std::abs(double(y.data[end]) - exact_y.data[end]) < 2e-6);
        }
    }

    TEST_CASE("square roots are those of the library, in any number") {
        for (const std::size_t count : {0u, 1u, 3u, 4u, 7u, 8u, 21u}) {
            std::vector<float> x(count), y(count);
            std::vector<double> u(count), v(count);
            Random random(2);
            for (std::size_t i = 0; i < count; ++i) u[i] = x[i] = float(random.uniform());
            cpu::square_roots(count, x.data(), y.data());
            cpu::square_roots(count, u.data(), v.data());
            for (std::size_t i = 0; i < count; ++i) {
                CHECK(y[i] == std::sqrt(x[i]));
                CHECK(v[i] == std::sqrt(u[i]));
            }
        }
    }

    TEST_CASE_TEMPLATE("layer norm is (x - mean) / sqrt(variance + epsilon), scaled and shifted, row by row", T, float,
                       double) {
        for (const std::size_t n : {1u, 7u, 64u, 130u, 384u}) {
            CAPTURE(n);
            Setting<T> s;
            constexpr std::size_t rows = 39;
            const View<T> x = s.matrix(rows, n), weight = s.matrix(1, n), bias = s.matrix(1, n);
            const View<T> y = s.result(rows, n), alone = s.result(rows, n);
            for (std::size_t j = 0; j < n; ++j) x(3, j) = T(100) + x(3, j); // far from zero
            std::vector<T> mean(rows), rstd(rows), mean_alone(rows), rstd_alone(rows);
            layer_norm_forward(s.context, x, weight, bias, 1e-3, y, std::span<T>(mean), std::span<T>(rstd));
            for (std::size_t i = 0; i < rows; ++i)
                layer_norm_forward(s.context, View<const T>(x.middle_rows(i, 1)), weight, bias, 1e-3,
                                   alone.middle_rows(i, 1), std::span(mean_alone).subspan(i, 1),
                                   std::span(rstd_alone).subspan(i, 1));
            CHECK(same_bits(y, alone));
            CHECK((mean == mean_alone && rstd == rstd_alone));
            CHECK(difference(y, [&](auto i, auto j) {
                      double m = 0, v = 0;
                      for (std::size_t k = 0; k < n; ++k) m += double(x(i, k)) / double(n);
                      for (std::size_t k = 0; k < n; ++k)
                          v += (double(x(i, k)) - m) * (double(x(i, k)) - m) / double(n);
                      return (double(x(i, j)) - m) / std::sqrt(v + 1e-3) * double(weight(0, j)) + double(bias(0, j));
                  }) < (sizeof(T) == 4 ? 1e-4 : 1e-11));
            layer_norm_forward(s.context, View<const T>(x), weight, bias, 1e-3, x, std::span<T>(mean),
                               std::span<T>(rstd));
            CHECK(same_bits(y, x));
        }
    }

    TEST_CASE_TEMPLATE("a layer norm's gradients follow their formula, each the same whichever others are wanted", T,
                       float, double) {
        for (const std::size_t n : {1u, 7u, 8u, 33u, 64u, 130u}) {
            CAPTURE(n);
            Setting<T> s;
            constexpr std::size_t rows = 40;
            const View<T> x = s.matrix(rows, n, 1), weight = s.matrix(1, n), dy = s.matrix(rows, n, 3);
            const std::vector<T> mean = s.list(rows), rstd = s.list(rows);
            const View<T> dx = s.matrix(rows, n, 2), dweight = s.matrix(1, n), dbias = s.matrix(1, n);
            const View<T> weight_before = s.copy_of(dweight), bias_before = s.copy_of(dbias);
            const auto backward = [&](View<const T> up, View<T> to, View<T> of_weight, View<T> of_bias) {
                layer_norm_backward(s.context, x, weight, std::span<const T>(mean), std::span<const T>(rstd), up, to,
                                    of_weight, of_bias);
            };
            backward(dy, dx, dweight, dbias);
            const double bound = sizeof(T) == 4 ? 3e-4 : 1e-12;
            const auto normal = [&](auto i, auto j) { return (double(x(i, j)) - mean[i]) * double(rstd[i]); };
            CHECK(difference(dx, [&](auto i, auto j) {
                      double slopes = 0, products = 0;
                      for (std::size_t k = 0; k < n; ++k) {
                          const double slope = double(dy(i, k)) * double(weight(0, k));
                          slopes += slope / double(n), products += slope * normal(i, k) / double(n);
                      }
                      const double slope = double(dy(i, j)) * double(weight(0, j));
                      return rstd[i] * (slope - slopes - normal(i, j) * products);
                  }) < bound);
            CHECK(difference(dweight, [&](auto, auto j) {
                      double sum = double(weight_before(0, j));
                      for (std::size_t i = 0; i < rows; ++i) sum += double(dy(i, j)) * normal(i, j);
                      return sum;
                  }) < bound);
            CHECK(difference(dbias, [&](auto, auto j) {
                      double sum = double(bias_before(0, j));
                      for (std::size_t i = 0; i < rows; ++i) sum += double(dy(i, j));
                      return sum;
                  }) < bound);
            const View<T> alone = s.result(rows, n), in_place = s.copy_of(dy);
            backward(dy, alone, {}, {});
            CHECK(same_bits(alone, dx));
            backward(in_place, in_place, s.result(1, n), {});
            CHECK(same_bits(in_place, dx));
            const View<T> weights = s.copy_of(weight_before), biases = s.copy_of(bias_before);
            backward(dy, {}, weights, biases);
            CHECK(same_bits(weights, dweight));
            CHECK(same_bits(biases, dbias));
        }
    }

    TEST_CASE_TEMPLATE("cross-entropy is -sum of t log softmax, with smoothing and class weights", T, float, double) {
        for (const std::size_t classes : {2u, 5u, 40u})
            for (const double smoothing : {0.0, 0.1})
                for (const bool weighted : {false, true}) {
                    Setting<T> s;
                    constexpr std::size_t rows = 7;
                    const View<T> z = s.matrix(rows, classes), dz = s.matrix(rows, classes);
                    z(2, 1) = T(50); // a softmax without its maximum taken off would overflow here
                    z(3, 0) = T(-2000);
                    std::vector<std::int32_t> labels(rows);
                    for (std::size_t i = 0; i < rows; ++i) labels[i] = std::int32_t(s.random.below(classes));
                    std::vector<float> u(weighted ? classes : 0);
                    for (float& x : u) x = float(0.2 + s.random.uniform());
                    std::vector<T> log_sums(rows), losses(rows), weights = s.list(rows);
                    cross_entropy_forward(s.context, z, labels, smoothing, std::span<T>(log_sums), std::span<T>(losses),
                                          u);
                    cross_entropy_backward(s.context, z, labels, smoothing, std::span<const T>(log_sums),
                                           std::span<const T>(weights), dz, u);
                    const auto t = [&](std::size_t i, std::size_t c) {
                        return ((std::size_t(labels[i]) == c ? 1 - smoothing : 0) + smoothing / double(classes)) *
                               (weighted ? double(u[c]) : 1);
                    };
                    for (std::size_t i = 0; i < rows; ++i) {
                        double top = -1e300, sum = 0, loss = 0, total = 0;
                        for (std::size_t c = 0; c < classes; ++c) top = std::max(top, double(z(i, c)));
                        for (std::size_t c = 0; c < classes; ++c) sum += std::exp(double(z(i, c)) - top);
                        for (std::size_t c = 0; c < classes; ++c) {
                            loss -= t(i, c) * (double(z(i, c)) - top - std::log(sum));
                            total += t(i, c);
                        }
                        CHECK(double(losses[i]) == doctest::Approx(loss).epsilon(sizeof(T) == 4 ? 1e-5 : 1e-12));
                        for (std::size_t c = 0; c < classes; ++c) {
                            const double p = std::exp(double(z(i, c)) - top) / sum;
                            CHECK(std::abs(double(dz(i, c)) - double(weights[i]) * (p * total - t(i, c))) <
                                  3 * tolerance<T>);
                        }
                    }
                }
    }

    TEST_CASE_TEMPLATE("binary cross-entropy and squared error are means over outputs, and their slopes the slopes", T,
                       float, double) {
        Setting<T> s;
        const View<T> z = s.matrix(5, 4), dz = s.matrix(5, 4);
        z(0, 0) = T(100), z(0, 1) = T(-100);
        std::vector<float> targets(20);
        for (std::size_t i = 0; i < 20; ++i) targets[i] = i % 3 == 0 ? 1.f : i % 3 == 1 ? 0.f : 0.25f;
        std::vector<T> losses(5), weights = s.list(5);
        const auto check = [&](const auto& formula, const auto& gradient) {
            for (std::size_t i = 0; i < 5; ++i) {
                double sum = 0;
                for (std::size_t j = 0; j < 4; ++j) sum += formula(double(z(i, j)), double(targets[4 * i + j]));
                CHECK(double(losses[i]) == doctest::Approx(sum / 4).epsilon(sizeof(T) == 4 ? 1e-5 : 1e-12));
            }
            CHECK(difference(dz, [&](auto i, auto j) {
                      return double(weights[i]) / 4 * gradient(double(z(i, j)), double(targets[4 * i + j]));
                  }) < (sizeof(T) == 4 ? 1e-5 : 1e-12));
        };
        binary_cross_entropy_forward(s.context, z, targets, std::span<T>(losses));
        binary_cross_entropy_backward(s.context, z, targets, std::span<const T>(weights), dz);
        check(
            [](double x, double t) { // −t log σ(x) − (1 − t) log(1 − σ(x))
                const auto softplus = [](double a) { return a > 30 ? a : std::log1p(std::exp(a)); };
                return t * softplus(-x) + (1 - t) * softplus(x);
            },
            [](double x, double t) { return 1 / (1 + std::exp(-x)) - t; });
        squared_error_forward(s.context, z, targets, std::span<T>(losses));
        squared_error_backward(s.context, z, targets, std::span<const T>(weights), dz);
        check([](double x, double t) { return (x - t) * (x - t); }, [](double x, double t) { return 2 * (x - t); });
    }

    TEST_CASE_TEMPLATE("the ranking loss sums over the pairs of a group, and its slopes are the slopes", T, float,
                       double) {
        Setting<T> s;
        const std::vector<std::int32_t> groups{0, 0, 1, 1, 0, 1};
        const std::vector<float> relevance{1, 0, 2, 2, 0.5f, 0}, weights{1, 2, 1, 0.5f, 1, 3};
        const View<T> scores = s.matrix(6, 1), slopes = s.matrix(6, 1);
        std::vector<T> losses(6);
        const auto expected = [&] {
            double sum = 0;
            for (std::size_t i = 0; i < 6; ++i)
                for (std::size_t j = 0; j < 6; ++j)
                    if (groups[i] == groups[j] && relevance[i] > relevance[j])
                        sum += std::sqrt(double(weights[i]) * double(weights[j])) *
                               std::log1p(std::exp(double(scores(j, 0)) - double(scores(i, 0))));
            return sum;
        };
        const double loss =
            pairwise_logistic(s.context, scores, groups, relevance, weights, std::span<T>(losses), 0.7, slopes);
        CHECK(loss == doctest::Approx(expected()).epsilon(1e-12));
        for (std::size_t i = 0; i < 6; ++i) {
            double sum = 0; // half of each of its pairs, by the formula for two
            for (std::size_t j = 0; j < 6; ++j) {
                if (groups[i] != groups[j] || relevance[i] == relevance[j]) continue;
                const double margin =
                    (double(scores(i, 0)) - double(scores(j, 0))) * (relevance[i] > relevance[j] ? 1 : -1);
                sum += std::log1p(std::exp(-margin)) / 2;
            }
            CHECK(double(losses[i]) == doctest::Approx(sum).epsilon(1e-5));
            const double keep = double(scores(i, 0)), h = 1e-2;
            const auto at = [&](double offset) {
                scores(i, 0) = T(keep + offset);
                const double x = expected();
                scores(i, 0) = T(keep);
                return x;
            };
            const double difference = (at(h) - at(-h)) / (2 * h);
            CHECK(double(slopes(i, 0)) == doctest::Approx(0.7 * difference).epsilon(1e-3));
        }
    }

    TEST_CASE_TEMPLATE("an embedding copies rows of its table, adds them, and sums its gradients by id", T, float,
                       double) {
        for (const std::size_t hidden : {3u, 64u, 100u}) {
            Setting<T> s;
            const std::vector<std::int32_t> ids{4, 0, 4, 2, 4, 0};
            const View<T> table = s.matrix(5, hidden), out = s.matrix(6, hidden);
            embedding_forward(s.context, ids, table, out, false);
            CHECK(difference(out, [&](auto i, auto j) { return table(std::size_t(ids[i]), j); }) == 0);
            embedding_forward(s.context, ids, table, out, true);
            CHECK(difference(out, [&](auto i, auto j) { return 2 * table(std::size_t(ids[i]), j); }) == 0);
            const View<T> dtable = s.matrix(5, hidden), before = s.copy_of(dtable);
            embedding_backward(s.context, ids, out, dtable);
            CHECK(difference(dtable, [&](auto v, auto j) {
                      double sum = double(before(v, j));
                      for (std::size_t i = 0; i < 6; ++i)
                          if (std::size_t(ids[i]) == v) sum += double(out(i, j));
                      return sum;
                  }) < 3 * tolerance<T>);
        }
    }

    TEST_CASE_TEMPLATE("column sums, inner products and sums of squares are what they say", T, float, double) {
        Setting<T> s;
        for (const std::size_t rows : {1u, 9u, 300u, 5000u}) { // the last ones in several tiles
            const View<T> dy = s.matrix(rows, 70), db = s.matrix(1, 70), before = s.copy_of(db);
            add_column_sums(s.context, dy, db);
            CHECK(difference(db, [&](auto, auto j) {
                      double sum = double(before(0, j));
                      for (std::size_t i = 0; i < rows; ++i) sum += double(dy(i, j));
                      return sum;
                  }) < std::sqrt(double(rows)) * 10 * tolerance<T>);
        }

        std::vector<T> sums = s.list(40000);
        const std::vector<T> a = s.list(40000), b = s.list(40000), kept = sums;
        CHECK(dot(s.context, std::span<const T>(a), std::span<const T>(b)) ==
              doctest::Approx(std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus<double>(),
                                                 [](double x, double y) { return x * y; }))
                  .epsilon(1e-9));
        add_squares(s.context, 0.25, std::span<const T>(a), std::span<T>(sums));
        for (std::size_t i = 0; i < a.size(); i += 1111)
            CHECK(double(sums[i]) ==
                  doctest::Approx(double(kept[i]) + 0.25 * double(a[i]) * double(a[i])).epsilon(1e-5));
    }

    TEST_CASE_TEMPLATE("dropout keeps each element with probability 1 - p, scales it, and is a function of its key", T,
                       float, double) {
        for (const double p : {0.1, 0.5}) {
            Setting<T> s(3);
            const View<T> x = s.matrix(50, 201), y = s.matrix(50, 201), dy = s.matrix(50, 201);
            std::vector<std::uint8_t> mask(x.size()), again(x.size()), other(x.size());
            dropout_forward(s.context, p, 7, x, y, std::span<std::uint8_t>(mask));
            std::size_t kept = 0;
            for (const std::uint8_t m : mask) kept += m;
            const double n = double(mask.size());
            CHECK(std::abs(double(kept) / n - (1 - p)) < 4 * std::sqrt(p * (1 - p) / n) + 1e-5);
            CHECK(difference(y, [&](auto i, auto j) { return mask[i * 201 + j] ? double(x(i, j)) / (1 - p) : 0.0; }) <
                  10 * tolerance<T>);
            dropout_forward(s.context, p, 7, x, y, std::span<std::uint8_t>(again));
            dropout_forward(s.context, p, 8, x, y, std::span<std::uint8_t>(other));
            CHECK(mask == again);
            CHECK(mask != other);
            const View<T> dx = s.matrix(50, 201);
            dropout_backward(s.context, p, std::span<const std::uint8_t>(mask), dy, dx);
            CHECK(difference(dx, [&](auto i, auto j) { return mask[i * 201 + j] ? double(dy(i, j)) / (1 - p) : 0.0; }) <
                  10 * tolerance<T>);
            // A row's mask does not depend on how many rows there are.
            std::vector<std::uint8_t> part(3 * 201);
            dropout_forward(s.context, p, 7, x.middle_rows(0, 3), y.middle_rows(0, 3), std::span<std::uint8_t>(part));
            CHECK(std::equal(part.begin(), part.end(), mask.begin()));
        }
    }

    TEST_CASE("a dropout mask is made of Philox blocks, eight elements each, whatever the instructions and the width") {
        const double p = 0.3;
        const std::uint64_t key = 0x123456789ABCDEF0u, row = 0x100000007u;
        for (const std::size_t width : {1u, 8u, 31u, 40u, 127u, 128u, 129u, 375u, 384u}) {
            CAPTURE(width);
            std::vector<std::uint8_t> mask(width, 2), expected(width, 3);
            cpu::dropout_mask(key, row, p, std::uint8_t(1), mask.data(), width);
            for (std::size_t begin = 0; begin < width; begin += 128) {
                const std::size_t here = std::min<std::size_t>(128, width - begin), blocks = (here + 7) / 8;
                for (std::size_t k = 0; k < here; ++k) {
                    const std::size_t block = begin / 8 + k % blocks, half = k / blocks;
                    const auto words = philox({std::uint32_t(block), std::uint32_t(row), std::uint32_t(row >> 32), 0},
                                              {std::uint32_t(key), std::uint32_t(key >> 32)});
                    const std::uint32_t bits = half % 2 == 0 ? words[half / 2] & 0xFFFFu : words[half / 2] >> 16;
                    expected[begin + k] = double(bits) >= std::floor(p * 65536);
                }
            }
            CHECK(mask == expected);
            // In pieces.
            std::vector<std::uint8_t> pieces(width, 2);
            for (std::size_t begin = 0; begin < width; begin += 2 * cpu::dropout_elements)
                cpu::dropout_mask(key, row, p, std::uint8_t(1), pieces.data() + begin,
                                  std::min<std::size_t>(width, begin + 2 * cpu::dropout_elements), begin);
            CHECK(pieces == expected);
            std::vector<float> factors(width, 2);
            cpu::dropout_mask(key, row, p, 1.5f, factors.data(), width);
            for (std::size_t j = 0; j < width; ++j) CHECK(factors[j] == 1.5f * float(expected[j]));
        }
    }

    TEST_CASE_TEMPLATE("the squared norm of any number of elements", T, float, double) {
        for (const std::size_t size : {0, 1, 63, 64, 65, 1023, 1024, 1090, 16384, 20001}) {
            Setting<T> s;
            const std::vector<T> a = s.list(size);
            double expected = 0;
            for (const T x : a) expected += double(x) * double(x);
            CHECK(squared_norm(s.context, std::span<const T>(a)) == doctest::Approx(expected).epsilon(1e-6));
        }
    }

    TEST_CASE("sums over elements have the same bits for any number of threads") {
        std::vector<double> sums;
        for (const std::size_t threads : {1u, 2u, 3u, 4u}) {
            Setting<float> s(threads);
            const std::vector<float> a = s.list(100000);
            double sum = dot(s.context, std::span<const float>(a), std::span<const float>(a));
            sum += squared_norm(s.context, std::span<const float>(a));
            const View<float> dy = s.matrix(5000, 70), db = s.matrix(1, 70);
            add_column_sums(s.context, dy, db);
            for (std::size_t j = 0; j < db.cols; ++j) sum += double(db(0, j)) / double(j + 1);
            sums.push_back(sum);
        }
        for (const double sum : sums) CHECK(sum == sums[0]);
    }
}

}
