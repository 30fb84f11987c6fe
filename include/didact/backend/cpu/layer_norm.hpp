#pragma once
#include <cmath>
#include <span>

#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/row_sums.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

/// y = (x − mean) · rstd ⊙ weight + bias, row by row (Ba et al. 2016, arXiv 1607.06450), with the biased variance.
/// x, y: (rows, hidden); weight, bias: (1, hidden); mean and rstd of each row are kept for backward. y may be x.
template <CpuBackend B>
void layer_norm_forward(Context<B>& context, View<const Scalar<B>> x, View<const Scalar<B>> weight,
                        View<const Scalar<B>> bias, double epsilon, View<Scalar<B>> y, std::span<Scalar<B>> mean,
                        std::span<Scalar<B>> rstd) {
    using T = Scalar<B>;
    using namespace Eigen::internal;
    cpu::for_each_row(context, x.rows, x.cols, [&](std::size_t i) {
        const T* const in = x.row(i);
        const T m = cpu::sum_packets<T>(
                        x.cols, [](const auto& p) { return p; }, in) /
                    T(x.cols);
        const auto centred = [means = cpu::constant(m)](const auto& p) { return psub(p, means); };
        const auto square = [&](const auto& p) { return pmul(centred(p), centred(p)); };
        const T r = T(1) / std::sqrt(cpu::sum_packets<T>(x.cols, square, in) / T(x.cols) + T(epsilon));
        const auto normal = [&, factors = cpu::constant(r)](const auto& p, const auto& w, const auto& b) {
            return pmadd(pmul(centred(p), factors), w, b);
        };
        cpu::map_packets(x.cols, y.row(i), normal, in, weight.data, bias.data);
        mean[i] = m;
        rstd[i] = r;
    });
}

/// dx = rstd · (g − mean(g) − x̂ · mean(g ⊙ x̂)) with g = dy ⊙ weight; dweight += Σ dy ⊙ x̂, dbias += Σ dy.
/// dx, dweight and dbias may be empty where not wanted; dx may be dy.
template <CpuBackend B>
void layer_norm_backward(Context<B>& context, View<const Scalar<B>> x, View<const Scalar<B>> weight,
                         std::span<const Scalar<B>> mean, std::span<const Scalar<B>> rstd, View<const Scalar<B>> dy,
                         View<Scalar<B>> dx, View<Scalar<B>> dweight, View<Scalar<B>> dbias) {
    using T = Scalar<B>;
    using namespace Eigen::internal;
    const T size = T(x.cols);
    const auto normal_of_row = [&](std::size_t i) {
        return [means = cpu::constant(mean[i]), factors = cpu::constant(rstd[i])](const auto& p) {
            return pmul(psub(p, means), factors);
        };
    };
    const auto input_gradient = [&](std::size_t i) {
        const auto normal = normal_of_row(i);
        const auto slope = [](const auto& u, const auto& w) { return pmul(u, w); };
        const auto along = [&](const auto& u, const auto& w, const auto& p) { return pmul(pmul(u, w), normal(p)); };
        const T *const in = x.row(i), *const up = dy.row(i), *const w = weight.data;
        const auto means = cpu::constant(cpu::sum_packets<T>(x.cols, slope, up, w) / size);
        const auto mean_products = cpu::constant(cpu::sum_packets<T>(x.cols, along, up, w, in) / size);
        const auto gradient = [&, factors = cpu::constant(rstd[i])](const auto& u, const auto& w, const auto& p) {
            return pmul(psub(psub(pmul(u, w), means), pmul(normal(p), mean_products)), factors);
        };
        cpu::map_packets(x.cols, dx.row(i), gradient, up, w, in);
    };
    if (dweight.empty() && dbias.empty()) {
        if (!dx.empty()) cpu::for_each_row(context, x.rows, x.cols, input_gradient);
        return;
    }
    // Each tile of rows has its own sums, so that a row is read once.
    cpu::sum_rows(
        context, x.rows, 2 * x.cols,
        [&](TileRange rows, T* sums) {
            T *const weight_sums = sums, *const bias_sums = sums + x.cols;
            for (std::size_t i = rows.begin; i < rows.end; ++i) {
                const auto add_product = [normal = normal_of_row(i)](const auto& sum, const auto& u, const auto& p) {
                    return pmadd(u, normal(p), sum);
                };
                cpu::map_packets(x.cols, weight_sums, add_product, weight_sums, dy.row(i), x.row(i));
                cpu::map_packets(
                    x.cols, bias_sums, [](const auto& sum, const auto& u) { return padd(sum, u); }, bias_sums,
                    dy.row(i));
                if (!dx.empty()) input_gradient(i);
            }
        },
        [&](std::size_t column, T sum) {
            const View<T>& to = column < x.cols ? dweight : dbias;
            if (!to.empty()) to.data[column % x.cols] += sum;
        });
}

}
