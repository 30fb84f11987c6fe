#pragma once
#include <Eigen/Core>
#include <cmath>
#include <span>

#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/row_sums.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

namespace cpu {

/// A row for Eigen, whose expressions are one pass over it in vector registers.
template <class T>
Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>> row_of(View<T> x, std::size_t i) {
    return {x.row(i), Eigen::Index(x.cols)};
}
template <class T>
Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>> row_of(View<const T> x, std::size_t i) {
    return {x.row(i), Eigen::Index(x.cols)};
}

}

/// y = (x − mean) · rstd ⊙ weight + bias, row by row (Ba et al. 2016, arXiv 1607.06450), with the biased variance.
/// x, y: (rows, hidden); weight, bias: (1, hidden); mean and rstd of each row are kept for backward. y may be x.
template <class T>
void layer_norm_forward(Context<Cpu<T>>& context, View<const std::type_identity_t<T>> x,
                        View<const std::type_identity_t<T>> weight, View<const std::type_identity_t<T>> bias,
                        double epsilon, View<T> y, std::span<T> mean, std::span<T> rstd) {
    const auto w = cpu::row_of(weight, 0), b = cpu::row_of(bias, 0);
    cpu::for_each_row(context, x.rows, x.cols, [&](std::size_t i) {
        const auto in = cpu::row_of(x, i);
        const T m = in.sum() / T(x.cols);
        const T r = T(1) / std::sqrt((in - m).square().sum() / T(x.cols) + T(epsilon));
        cpu::row_of(y, i) = (in - m) * r * w + b;
        mean[i] = m;
        rstd[i] = r;
    });
}

/// dx = rstd · (g − mean(g) − x̂ · mean(g ⊙ x̂)) with g = dy ⊙ weight; dweight += Σ dy ⊙ x̂, dbias += Σ dy.
/// dx, dweight and dbias may be empty where not wanted; dx may be dy.
template <class T>
void layer_norm_backward(Context<Cpu<T>>& context, View<const std::type_identity_t<T>> x,
                         View<const std::type_identity_t<T>> weight, std::span<const T> mean, std::span<const T> rstd,
                         View<const std::type_identity_t<T>> dy, View<T> dx, View<std::type_identity_t<T>> dweight,
                         View<std::type_identity_t<T>> dbias) {
    const auto w = cpu::row_of(weight, 0);
    const auto input_gradient = [&](std::size_t i) {
        const auto in = cpu::row_of(x, i), up = cpu::row_of(dy, i);
        const T m = mean[i], r = rstd[i];
        const T sum = (up * w).sum() / T(x.cols), product = (up * w * (in - m)).sum() * r / T(x.cols);
        cpu::row_of(dx, i) = r * (up * w - sum - (in - m) * (r * product));
    };
    if (dweight.empty() && dbias.empty()) {
        if (!dx.empty()) cpu::for_each_row(context, x.rows, x.cols, input_gradient);
        return;
    }
    // Each tile of rows has its own sums, so that a row is read once.
    cpu::sum_rows(
        context, x.rows, 2 * x.cols,
        [&](TileRange rows, T* sums) {
            const View<T> weight_sums(sums, 1, x.cols), bias_sums(sums + x.cols, 1, x.cols);
            for (std::size_t i = rows.begin; i < rows.end; ++i) {
                const auto in = cpu::row_of(x, i), up = cpu::row_of(dy, i);
                cpu::row_of(weight_sums, 0) += up * (in - mean[i]) * rstd[i];
                cpu::row_of(bias_sums, 0) += up;
                if (!dx.empty()) input_gradient(i);
            }
        },
        [&](std::size_t column, T sum) {
            const View<T>& to = column < x.cols ? dweight : dbias;
            if (!to.empty()) to.data[column % x.cols] += sum;
        });
}

}
