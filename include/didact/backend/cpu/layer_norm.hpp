#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <type_traits>

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
    // As many rows at once as the registers hold the sums of: one alone would wait for its mean and its rstd.
    constexpr std::size_t lanes = cpu::packet_size<T>, most = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 4 : 2;
    cpu::for_each_rows<most>(context, x.rows, x.cols, [&]<std::size_t rows>(cpu::Count<rows>, std::size_t first) {
        const std::size_t cols = x.cols;
        const T *const w = weight.data, *const b = bias.data, *in[rows];
        T* out[rows];
        cpu::Packet<T> means[rows], factors[rows];
        for (std::size_t r = 0; r < rows; ++r) in[r] = x.row(first + r), out[r] = y.row(first + r);
        const auto sums = cpu::sums_of_rows<T, rows>(cols, [&](std::size_t r, const auto& at) { return at(in[r]); });
        for (std::size_t r = 0; r < rows; ++r) {
            mean[first + r] = sums[r] / T(cols);
            means[r] = cpu::constant(mean[first + r]);
        }
        const auto squares = cpu::sums_of_rows<T, rows>(cols, [&](std::size_t r, const auto& at) {
            const cpu::Packet<T> centred = psub(at(in[r]), means[r]);
            return pmul(centred, centred);
        });
        for (std::size_t r = 0; r < rows; ++r) {
            rstd[first + r] = T(1) / std::sqrt(squares[r] / T(cols) + T(epsilon));
            factors[r] = cpu::constant(rstd[first + r]);
        }
        // By value, or each packet would read them anew.
        const auto normal_of = [&](std::size_t r) {
            return [m = means[r], factor = factors[r]](const auto& p, const auto& weights, const auto& biases) {
                return pmadd(pmul(psub(p, m), factor), weights, biases);
            };
        };
        std::size_t j = 0;
        for (; j + lanes <= cols; j += lanes) {
            const cpu::Packet<T> weights = cpu::load(w + j), biases = cpu::load(b + j);
#pragma GCC unroll 4
            for (std::size_t r = 0; r < rows; ++r)
                cpu::store<T>(out[r] + j, normal_of(r)(cpu::load(in[r] + j), weights, biases));
        }
        for (std::size_t r = 0; r < rows; ++r)
            cpu::map_packets(cols - j, out[r] + j, normal_of(r), in[r] + j, w + j, b + j);
    });
}

/// dx = rstd · (g − mean(g) − x̂ · mean(g ⊙ x̂)) with g = dy ⊙ weight; dweight += Σ dy ⊙ x̂, dbias += Σ dy.
/// dx, dweight and dbias may be empty where not wanted; dx may be dy.
template <CpuBackend B>
void layer_norm_backward(Context<B>& context, View<const Scalar<B>> x, View<const Scalar<B>> weight,
                         std::span<const Scalar<B>> mean, std::span<const Scalar<B>> rstd, View<const Scalar<B>> dy,
                         View<Scalar<B>> dx, View<Scalar<B>> dweight, View<Scalar<B>> dbias) {
    using T = Scalar<B>;
    using cpu::Packet;
    using namespace Eigen::internal;
    constexpr std::size_t lanes = cpu::packet_size<T>;
    const T* const w = weight.data;
    // One pass over a row has all its sums, as many side by side as in sums_of_rows; a second has the row's gradient.
    const auto row_gradient = [&]<bool of_parameters>(std::bool_constant<of_parameters>, std::size_t i, T* weight_sums,
                                                      T* bias_sums) {
        const T *const in = x.row(i), *const up = dy.row(i);
        const auto normal = [means = cpu::constant(mean[i]), factors = cpu::constant(rstd[i])](const Packet<T>& p) {
            return pmul(psub(p, means), factors);
        };
        Packet<T> slopes[4], products[4];
        for (std::size_t k = 0; k < 4; ++k) slopes[k] = products[k] = cpu::constant(T(0));
        const auto add = [&](std::size_t k, const T* u_at, const T* w_at, const T* x_at, T* weight_at, T* bias_at) {
            const Packet<T> u = cpu::load(u_at), slope = pmul(u, cpu::load(w_at)), n = normal(cpu::load(x_at));
            slopes[k] = padd(slopes[k], slope);
            products[k] = pmadd(slope, n, products[k]);
            if constexpr (of_parameters) {
                cpu::store<T>(weight_at, pmadd(u, n, cpu::load<T>(weight_at)));
                cpu::store<T>(bias_at, padd(u, cpu::load<T>(bias_at)));
            }
        };
        const auto add_at = [&](std::size_t k, std::size_t j) {
            if constexpr (of_parameters)
                add(k, up + j, w + j, in + j, weight_sums + j, bias_sums + j);
            else
                add(k, up + j, w + j, in + j, nullptr, nullptr);
        };
        std::size_t j = 0;
        for (; j + 4 * lanes <= x.cols; j += 4 * lanes)
#pragma GCC unroll 4
            for (std::size_t k = 0; k < 4; ++k) add_at(k, j + k * lanes);
        for (; j + lanes <= x.cols; j += lanes) add_at(0, j);
        if (const std::size_t rest = x.cols - j; rest > 0) {
            std::array<T, lanes> of_u{}, of_w{}, of_x{}, of_weight{}, of_bias{};
            std::copy_n(up + j, rest, of_u.data()), std::copy_n(w + j, rest, of_w.data());
            std::copy_n(in + j, rest, of_x.data());
            if constexpr (of_parameters)
                std::copy_n(weight_sums + j, rest, of_weight.data()), std::copy_n(bias_sums + j, rest, of_bias.data());
            add(0, of_u.data(), of_w.data(), of_x.data(), of_weight.data(), of_bias.data());
            if constexpr (of_parameters)
                std::copy_n(of_weight.data(), rest, weight_sums + j), std::copy_n(of_bias.data(), rest, bias_sums + j);
        }
        if (dx.empty()) return;
        const auto mean_of = [&](const Packet<T>* sums) {
            return cpu::constant(predux(padd(padd(sums[0], sums[1]), padd(sums[2], sums[3]))) / T(x.cols));
        };
        const auto gradient = [&, mean_slope = mean_of(slopes), mean_product = mean_of(products),
                               factors = cpu::constant(rstd[i])](const auto& u, const auto& v, const auto& p) {
            return pmul(psub(psub(pmul(u, v), mean_slope), pmul(normal(p), mean_product)), factors);
        };
        cpu::map_packets(x.cols, dx.row(i), gradient, up, w, in);
    };
    if (dweight.empty() && dbias.empty()) {
        if (!dx.empty())
            cpu::for_each_row(context, x.rows, x.cols,
                              [&](std::size_t i) { row_gradient(std::false_type(), i, nullptr, nullptr); });
        return;
    }
    // Each tile of rows has its own sums, so that both passes over a row follow each other.
    cpu::sum_rows(
        context, x.rows, 2 * x.cols,
        [&](TileRange rows, T* sums) {
            for (std::size_t i = rows.begin; i < rows.end; ++i) row_gradient(std::true_type(), i, sums, sums + x.cols);
        },
        [&](std::size_t column, T sum) {
            const View<T>& to = column < x.cols ? dweight : dbias;
            if (!to.empty()) to.data[column % x.cols] += sum;
        });
}

}
