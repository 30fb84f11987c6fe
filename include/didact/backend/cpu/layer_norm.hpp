#pragma once
#include <array>
#include <cmath>
#include <span>

#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/math.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

/// y = (x − mean) · rstd ⊙ weight + bias, row by row (Ba et al. 2016, arXiv 1607.06450), with the biased variance.
/// x, y: (rows, hidden); weight, bias: (1, hidden); mean and rstd of each row are kept for backward. y may be x.
template <class T>
void layer_norm_forward(Context<Cpu<T>>& context, View<const std::type_identity_t<T>> x,
                        View<const std::type_identity_t<T>> weight, View<const std::type_identity_t<T>> bias,
                        double epsilon, View<T> y, std::span<T> mean, std::span<T> rstd) {
    const std::size_t n = x.cols;
    cpu::for_each_row(context, x.rows, n, [&](std::size_t i) {
        const T* in = x.row(i);
        T* out = y.row(i);
        const T m = cpu::lane_sum<T>(n, [&](std::size_t j) { return in[j]; }) / T(n);
        const T squares = cpu::lane_sum<T>(n, [&](std::size_t j) { return (in[j] - m) * (in[j] - m); });
        const T r = T(1) / std::sqrt(squares / T(n) + T(epsilon));
        for (std::size_t j = 0; j < n; ++j) out[j] = (in[j] - m) * r * weight.data[j] + bias.data[j];
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
    const std::size_t n = x.cols;
    if (!dweight.empty() || !dbias.empty()) {
        constexpr std::size_t width = 64;
        context.pool.for_each_tile(tile_count(n, width), [&](std::size_t tile) {
            const TileRange range = tile_range(tile, width, n);
            std::array<T, width> weight_sums{}, bias_sums{};
            const auto add_rows = [&](auto size) {
                for (std::size_t i = 0; i < x.rows; ++i) {
                    const T *in = x.row(i) + range.begin, *up = dy.row(i) + range.begin;
                    const T m = mean[i], r = rstd[i];
                    for (std::size_t j = 0; j < size; ++j) {
                        weight_sums[j] += up[j] * (in[j] - m) * r;
                        bias_sums[j] += up[j];
                    }
                }
            };
            // A width that the compiler knows keeps the sums in registers.
            if (range.size() == width)
                add_rows(std::integral_constant<std::size_t, width>());
            else
                add_rows(range.size());
            for (std::size_t j = 0; j < range.size(); ++j) {
                if (!dweight.empty()) dweight.data[range.begin + j] += weight_sums[j];
                if (!dbias.empty()) dbias.data[range.begin + j] += bias_sums[j];
            }
        });
    }
    if (dx.empty()) return;
    cpu::for_each_row(context, x.rows, n, [&](std::size_t i) {
        const T *in = x.row(i), *up = dy.row(i);
        T* out = dx.row(i);
        const T m = mean[i], r = rstd[i];
        const T* w = weight.data;
        const T sum = cpu::lane_sum<T>(n, [&](std::size_t j) { return up[j] * w[j]; }) / T(n);
        const T product = cpu::lane_sum<T>(n, [&](std::size_t j) { return up[j] * w[j] * (in[j] - m) * r; }) / T(n);
        for (std::size_t j = 0; j < n; ++j) out[j] = r * (up[j] * w[j] - sum - (in[j] - m) * r * product);
    });
}

}
