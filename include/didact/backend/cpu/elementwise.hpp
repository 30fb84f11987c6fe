#pragma once
#include <algorithm>

#include "didact/backend/cpu/elements.hpp"
#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

namespace cpu {

/// x y, of packets.
inline constexpr auto times = [](const auto& x, const auto& y) { return Eigen::internal::pmul(x, y); };

/// out = f(in...), packet by packet, all (rows, cols); out may be one of `in`. Matrices without gaps are one long row.
template <CpuBackend B, class F, class... In>
void map_matrices(Context<B>& context, View<Scalar<B>> out, const F& f, const In&... in) {
    using T = Scalar<B>;
    if (!(out.contiguous() && ... && in.contiguous()))
        return for_each_row(context, out.rows, out.cols,
                            [&](std::size_t i) { map_packets<T>(out.cols, out.row(i), f, in.row(i)...); });
    constexpr std::size_t width = 16384;
    context.pool.for_each_tile(tile_count(out.size(), width), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, out.size());
        T* const to = out.data + range.begin;
        const std::size_t rest = for_each_packet<T>(range.size(), [&](std::size_t, std::size_t j) {
            store<T>(to + j, f(load<T>(in.data + range.begin + j)...));
        });
        map_packets<T>(range.size() - rest, to + rest, f, in.data + range.begin + rest...);
    });
}

}

/// out = a + b, all (rows, cols); out may be a or b.
template <CpuBackend B>
void add(Context<B>& context, View<const Scalar<B>> a, View<const Scalar<B>> b, View<Scalar<B>> out) {
    cpu::map_matrices<B>(
        context, out, [](const auto& x, const auto& y) { return Eigen::internal::padd(x, y); }, a, b);
}

/// out = a ⊙ b, all (rows, cols); out may be a or b.
template <CpuBackend B>
void multiply(Context<B>& context, View<const Scalar<B>> a, View<const Scalar<B>> b, View<Scalar<B>> out) {
    cpu::map_matrices<B>(context, out, cpu::times, a, b);
}

/// out[n] = Σ_k weights[n · m + k] · a[n · m + k]², for the m = a.rows / out.rows rows of `a` that belong to row n.
template <CpuBackend B>
void sum_weighted_squares(Context<B>& context, View<const Scalar<B>> a, std::span<const Scalar<B>> weights,
                          View<Scalar<B>> out) {
    using T = Scalar<B>;
    const std::size_t many = a.rows / out.rows;
    cpu::for_each_row(context, out.rows, many * out.cols, [&](std::size_t n) {
        T* const z = out.row(n);
        std::fill_n(z, out.cols, T(0));
        for (std::size_t i = n * many; i < (n + 1) * many; ++i) {
            const T* const x = a.row(i);
            cpu::map_elements(out.cols, z, [&](std::size_t j) { return z[j] + weights[i] * x[j] * x[j]; });
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
    using namespace Eigen::internal;
    const auto product = [factors = cpu::constant(factor)](const auto& x) { return pmul(factors, x); };
    const auto sum = [factors = cpu::constant(factor)](const auto& x, const auto& z) { return pmadd(factors, x, z); };
    if (accumulate)
        cpu::map_matrices<B>(context, out, sum, a, View<const Scalar<B>>(out));
    else
        cpu::map_matrices<B>(context, out, product, a);
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
    cpu::for_each_row(context, a.rows, a.cols,
                      [&](std::size_t i) { cpu::add_row<Scalar<B>>(a.cols, a.row(i), out.row(std::size_t(rows[i]))); });
}

/// out[s] = mean of the rows of `a` in segment s, segment s being rows [offsets[s], offsets[s + 1]).
template <CpuBackend B>
void segment_mean(Context<B>& context, View<const Scalar<B>> a, std::span<const std::int32_t> offsets,
                  View<Scalar<B>> out) {
    using T = Scalar<B>;
    cpu::for_each_row(context, out.rows, out.cols, [&](std::size_t s) {
        T* const z = out.row(s);
        std::fill_n(z, out.cols, T(0));
        for (std::int32_t i = offsets[s]; i < offsets[s + 1]; ++i) cpu::add_row<T>(out.cols, a.row(std::size_t(i)), z);
        const cpu::Packet<T> factors = cpu::constant(T(1) / T(std::max(1, offsets[s + 1] - offsets[s])));
        cpu::map_packets(
            out.cols, z, [&](const auto& total) { return Eigen::internal::pmul(total, factors); }, z);
    });
}

/// da[i] += dout[s] / (length of segment s) for every row i of segment s.
template <CpuBackend B>
void segment_mean_backward(Context<B>& context, View<const Scalar<B>> dout, std::span<const std::int32_t> offsets,
                           View<Scalar<B>> da) {
    using T = Scalar<B>;
    cpu::for_each_row(context, dout.rows, dout.cols, [&](std::size_t s) {
        const cpu::Packet<T> factors = cpu::constant(T(1) / T(std::max(1, offsets[s + 1] - offsets[s])));
        const auto sum = [&](const auto& z, const auto& x) { return Eigen::internal::pmadd(factors, x, z); };
        for (std::int32_t i = offsets[s]; i < offsets[s + 1]; ++i) {
            T* const z = da.row(std::size_t(i));
            cpu::map_packets(dout.cols, z, sum, z, dout.row(s));
        }
    });
}

}
