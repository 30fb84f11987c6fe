#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "didact/backend/cpu.hpp"

#include "didact/backend/cpu/square_root.hpp"
#include "didact/core/parameter_store.hpp"

namespace didact::backend_test {

/// What an operation of Cpu<T> needs, and matrices of random numbers that live as long as the setting.
template <class T>
struct Setting {
    using S = Scalar<Cpu<T>>;
    ParameterStore<Cpu<T>> store;
    ThreadPool pool;
    Arena arena;
    Context<Cpu<T>> context{store, pool, arena};
    Random random{19};

    explicit Setting(std::size_t threads = 2) : pool(threads) {}

    /// Standard normal, `padding` unused columns after each row.
    View<S> matrix(std::size_t rows, std::size_t cols, std::size_t padding = 0) {
        const View<S> whole = arena.matrix<S>(std::max<std::size_t>(rows, 1), cols + padding);
        for (std::size_t i = 0; i < whole.size(); ++i) whole.data[i] = S(random.normal());
        return {whole.data, rows, cols, cols + padding};
    }
    /// Standard normal numbers that repeat, for large matrices: drawing each takes minutes under the sanitizers.
    View<S> repeating_matrix(std::size_t rows, std::size_t cols) {
        const std::vector<S> numbers = list(4093); // a prime, so that rows differ
        const View<S> whole = result(rows, cols);
        for (std::size_t i = 0; i < whole.size(); ++i) whole.data[i] = numbers[i % numbers.size()];
        return whole;
    }
    /// Zeros to write a result to.
    View<S> result(std::size_t rows, std::size_t cols) {
        const View<S> whole = arena.matrix<S>(rows, cols);
        std::fill_n(whole.data, whole.size(), S(0));
        return whole;
    }
    std::vector<S> list(std::size_t size) {
        std::vector<S> result(size);
        for (S& x : result) x = S(random.normal());
        return result;
    }
    View<S> copy_of(View<const S> a) {
        const View<S> result = arena.matrix<S>(a.rows, a.cols);
        for (std::size_t i = 0; i < a.rows; ++i) std::copy_n(a.row(i), a.cols, result.row(i));
        return result;
    }
};

/// Whether matrices are the same byte by byte.
template <class T>
bool same_bits(View<T> a, View<T> b) {
    bool same = a.rows == b.rows && a.cols == b.cols;
    for (std::size_t i = 0; i < a.rows && same; ++i) same = std::memcmp(a.row(i), b.row(i), a.cols * sizeof(T)) == 0;
    return same;
}

/// The largest difference between `a` and expected(i, j), in double.
template <class T, class Expected>
double difference(View<T> a, const Expected& expected) {
    double largest = 0;
    for (std::size_t i = 0; i < a.rows; ++i)
        for (std::size_t j = 0; j < a.cols; ++j) {
            const double d = std::abs(double(a(i, j)) - double(expected(i, j)));
            largest = std::isnan(d) ? 1e300 : std::max(largest, d);
        }
    return largest;
}

template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-13;

}
