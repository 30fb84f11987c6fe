#pragma once
#include <algorithm>

#include "didact/backend/cpu/tag.hpp"

namespace didact {

/// out = a + b, all (rows, cols); out may be a or b.
template <CpuBackend B>
void add(Context<B>& context, View<const Scalar<B>> a, View<const Scalar<B>> b, View<Scalar<B>> out) {
    using T = Scalar<B>;
    cpu::for_each_row(context, out.rows, out.cols, [&](std::size_t i) {
        const T *x = a.row(i), *y = b.row(i);
        T* z = out.row(i);
        for (std::size_t j = 0; j < out.cols; ++j) z[j] = x[j] + y[j];
    });
}

/// out = a ⊙ b, all (rows, cols); out may be a or b.
template <CpuBackend B>
void multiply(Context<B>& context, View<const Scalar<B>> a, View<const Scalar<B>> b, View<Scalar<B>> out) {
    using T = Scalar<B>;
    cpu::for_each_row(context, out.rows, out.cols, [&](std::size_t i) {
        const T *x = a.row(i), *y = b.row(i);
        T* z = out.row(i);
        for (std::size_t j = 0; j < out.cols; ++j) z[j] = x[j] * y[j];
    });
}

/// out[n] = Σ_k weights[n · m + k] · a[n · m + k]², for the m = a.rows / out.rows rows of `a` that belong to row n.
template <CpuBackend B>
void sum_weighted_squares(Context<B>& context, View<const Scalar<B>> a, std::span<const Scalar<B>> weights,
                          View<Scalar<B>> out) {
    using T = Scalar<B>;
    const std::size_t many = a.rows / out.rows;
    cpu::for_each_row(context, out.rows, many * out.cols, [&](std::size_t n) {
        T* z = out.row(n);
        std::fill_n(z, out.cols, T(0));
        for (std::size_t i = n * many; i < (n + 1) * many; ++i) {
            const T* x = a.row(i);
            for (std::size_t j = 0; j < out.cols; ++j) z[j] += weights[i] * x[j] * x[j];
        }
    });
}

/// out = a.
template <CpuBackend B>
void copy(Context<B>& context, View<const Scalar<B>> a, View<Scalar<B>> out) {
    cpu::for_each_row(context, out.rows, out.cols, [&](std::size_t i) { std::copy_n(a.row(i), out.cols, out.row(i)); });
}

/// out = factor · a, or out += factor · a.
template <CpuBackend B>
void scale(Context<B>& context, Scalar<B> factor, View<const Scalar<B>> a, View<Scalar<B>> out,
           bool accumulate = false) {
    using T = Scalar<B>;
    cpu::for_each_row(context, out.rows, out.cols, [&](std::size_t i) {
        const T* x = a.row(i);
        T* z = out.row(i);
        if (accumulate)
            for (std::size_t j = 0; j < out.cols; ++j) z[j] += factor * x[j];
        else
            for (std::size_t j = 0; j < out.cols; ++j) z[j] = factor * x[j];
    });
}

template <CpuBackend B>
void fill(Context<B>& context, Scalar<B> value, View<Scalar<B>> out) {
    cpu::for_each_row(context, out.rows, out.cols, [&](std::size_t i) { std::fill_n(out.row(i), out.cols, value); });
}

/// out[i] = a[rows[i]].
template <CpuBackend B>
void gather_rows(Context<B>& context, View<const Scalar<B>> a, std::span<const std::int32_t> rows,
                 View<Scalar<B>> out) {
    cpu::for_each_row(context, out.rows, out.cols,
                      [&](std::size_t i) { std::copy_n(a.row(std::size_t(rows[i])), out.cols, out.row(i)); });
}

/// out[rows[i]] += a[i]; `rows` may not name a row twice.
template <CpuBackend B>
void scatter_add_rows(Context<B>& context, View<const Scalar<B>> a, std::span<const std::int32_t> rows,
                      View<Scalar<B>> out) {
    using T = Scalar<B>;
    cpu::for_each_row(context, a.rows, a.cols, [&](std::size_t i) {
        const T* x = a.row(i);
        T* z = out.row(std::size_t(rows[i]));
        for (std::size_t j = 0; j < a.cols; ++j) z[j] += x[j];
    });
}

/// out[s] = mean of the rows of `a` in segment s, segment s being rows [offsets[s], offsets[s + 1]).
template <CpuBackend B>
void segment_mean(Context<B>& context, View<const Scalar<B>> a, std::span<const std::int32_t> offsets,
                  View<Scalar<B>> out) {
    using T = Scalar<B>;
    cpu::for_each_row(context, out.rows, out.cols, [&](std::size_t s) {
        T* z = out.row(s);
        std::fill_n(z, out.cols, T(0));
        for (std::int32_t i = offsets[s]; i < offsets[s + 1]; ++i)
            for (std::size_t j = 0; j < out.cols; ++j) z[j] += a(std::size_t(i), j);
        const T factor = T(1) / T(std::max(1, offsets[s + 1] - offsets[s]));
        for (std::size_t j = 0; j < out.cols; ++j) z[j] *= factor;
    });
}

/// da[i] += dout[s] / (length of segment s) for every row i of segment s.
template <CpuBackend B>
void segment_mean_backward(Context<B>& context, View<const Scalar<B>> dout, std::span<const std::int32_t> offsets,
                           View<Scalar<B>> da) {
    using T = Scalar<B>;
    cpu::for_each_row(context, dout.rows, dout.cols, [&](std::size_t s) {
        const T factor = T(1) / T(std::max(1, offsets[s + 1] - offsets[s]));
        for (std::int32_t i = offsets[s]; i < offsets[s + 1]; ++i)
            for (std::size_t j = 0; j < dout.cols; ++j) da(std::size_t(i), j) += factor * dout(s, j);
    });
}

}
