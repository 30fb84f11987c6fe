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
    // As many rows at once as the registers hold the sums of, as one alone would wait for its mean and its rstd. While
    // they are written the next ones are added up.
    constexpr std::size_t at_once = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 4 : 2;
    const std::size_t cols = x.cols, tile_rows = cpu::rows_of_tile<at_once>(cols);
    const auto sums_of = [&]<std::size_t rows>(cpu::Count<rows>, std::size_t first) {
        return cpu::sums_of_rows<T, rows>(cols, [&](std::size_t r, const auto& at) { return at(x.row(first + r)); });
    };
    // Writes the rows from `first` on, whose sums are known; returns the sums of as many rows from `ahead` on.
    const auto normalize = [&]<std::size_t rows>(const std::array<T, rows>& sums, std::size_t first,
                                                 std::size_t ahead) {
        const T *const w = weight.data, *const b = bias.data, *in[rows], *next[rows];
        T* out[rows];
        cpu::Packet<T> means[rows], factors[rows];
        for (std::size_t r = 0; r < rows; ++r) {
            in[r] = x.row(first + r), next[r] = x.row(ahead + r), out[r] = y.row(first + r);
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
        cpu::RowSums<T, rows> next_sums;
        const std::size_t rest = cpu::for_each_packet<T>(cols, [&](std::size_t i, std::size_t j) {
            const cpu::Packet<T> weights = cpu::load(w + j), biases = cpu::load(b + j);
#pragma GCC unroll 4
            for (std::size_t r = 0; r < rows; ++r) {
                next_sums.add(r, i, cpu::load(next[r] + j));
                cpu::store<T>(out[r] + j, normal_of(r)(cpu::load(in[r] + j), weights, biases));
            }
        });
        std::array<T, rows> totals = next_sums.totals();
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t j = rest; j < cols; ++j) totals[r] += next[r][j];
            cpu::map_packets(cols - rest, out[r] + rest, normal_of(r), in[r] + rest, w + rest, b + rest);
        }
        return totals;
    };
    context.pool.for_each_tile(tile_count(x.rows, tile_rows), [&](std::size_t tile) {
        auto [row, end] = tile_range(tile, tile_rows, x.rows);
        if (row + at_once <= end) {
            auto sums = sums_of(cpu::Count<at_once>(), row);
            for (; row + at_once <= end; row += at_once)
                sums = normalize(sums, row, row + 2 * at_once <= end ? row + at_once : row);
        }
        for (; row < end; ++row) normalize(sums_of(cpu::Count<1>(), row), row, row);
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
        const std::size_t j =
            cpu::for_each_packet<T>(x.cols, [&](std::size_t k, std::size_t from) { add_at(k, from); });
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
