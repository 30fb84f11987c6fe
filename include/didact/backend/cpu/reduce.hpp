#pragma once
#include <array>
#include <cstring>
#include <span>

#include "didact/backend/cpu/elements.hpp"
#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/row_sums.hpp"
#include "didact/backend/cpu/tag.hpp"
#include "didact/core/error.hpp"

namespace didact {

/// db += column sums of dy. dy: (rows, cols), db: (1, cols). The gradient of a bias.
template <CpuBackend B>
void add_column_sums(Context<B>& context, const Factor<B>& dy, View<Scalar<B>> db) {
    using T = Scalar<B>;
    if constexpr (requires { dy.column_sums; }) {
        if (!dy.column_sums.empty()) {
            for (std::size_t j = 0; j < dy.cols; ++j) db.data[j] += dy.column_sums[j];
            return;
        }
        require(dy.has_values(), "a factor of (", dy.rows, ", ", dy.cols, ") has neither column sums nor values");
    }
    using Eigen::internal::padd;
    const auto add_eight = [](const auto& sum, const auto& a, const auto& b, const auto& c, const auto& d,
                              const auto& e, const auto& f, const auto& g, const auto& h) {
        return padd(sum, padd(padd(padd(a, b), padd(c, d)), padd(padd(e, f), padd(g, h))));
    };
    const auto add_rows = [&](TileRange rows, T* sums) {
        std::size_t i = rows.begin;
        for (; i + 8 <= rows.end; i += 8)
            cpu::map_packets(dy.cols, sums, add_eight, sums, dy.row(i), dy.row(i + 1), dy.row(i + 2), dy.row(i + 3),
                             dy.row(i + 4), dy.row(i + 5), dy.row(i + 6), dy.row(i + 7));
        for (; i < rows.end; ++i) cpu::add_row<T>(dy.cols, dy.row(i), sums);
    };
    cpu::sum_rows(context, dy.rows, dy.cols, add_rows, [&](std::size_t column, T sum) { db.data[column] += sum; });
}

namespace cpu {

/// As many doubles as a register holds. Sums take vectors by name: a loop over arrays of doubles stays scalar.
inline constexpr std::size_t double_lanes = std::max<std::size_t>(packet_size<double>, 4);

/// Σ sum_of(range) over ranges of fixed width, added in order: the same bits for any number of threads.
template <CpuBackend B, class SumOf>
double ordered_sum(Context<B>& context, std::size_t size, const SumOf& sum_of) {
    constexpr std::size_t width = 16384;
    const ArenaScope scope(context.arena);
    const std::span<double> partial = context.arena.template array<double>(tile_count(size, width));
    context.pool.for_each_tile(partial.size(),
                               [&](std::size_t tile) { partial[tile] = sum_of(tile_range(tile, width, size)); });
    double total = 0;
    for (const double p : partial) total += p;
    return total;
}

}

/// Σ aᵢ bᵢ in double.
template <CpuBackend B>
double dot(Context<B>& context, std::span<const Scalar<B>> a, std::span<const Scalar<B>> b) {
    using T = Scalar<B>;
    constexpr std::size_t lanes = cpu::double_lanes, chains = 4;
    typedef T Elements __attribute__((vector_size(lanes * sizeof(T))));
    typedef double Doubles __attribute__((vector_size(lanes * sizeof(double))));
    return cpu::ordered_sum(context, a.size(), [&](TileRange range) {
        Doubles sums[chains] = {};
        std::size_t i = range.begin;
        for (; i + chains * lanes <= range.end; i += chains * lanes)
            for (std::size_t chain = 0; chain < chains; ++chain) {
                Elements x, y;
                std::memcpy(&x, a.data() + i + chain * lanes, sizeof x);
                std::memcpy(&y, b.data() + i + chain * lanes, sizeof y);
                sums[chain] += __builtin_convertvector(x, Doubles) * __builtin_convertvector(y, Doubles);
            }
        double sum = 0;
        for (; i < range.end; ++i) sum += double(a[i]) * double(b[i]);
        const Doubles all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        for (std::size_t lane = 0; lane < lanes; ++lane) sum += all[lane];
        return sum;
    });
}

/// Σ aᵢ²: short sums in T, and their sum in double, to about one part in 10⁷ of floats.
template <CpuBackend B>
double squared_norm(Context<B>& context, std::span<const Scalar<B>> a) {
    using T = Scalar<B>;
    constexpr std::size_t chains = 4, most_terms = 16, of_term = chains * cpu::packet_size<T>;
    return cpu::ordered_sum(context, a.size(), [&](TileRange range) {
        using namespace Eigen::internal;
        double sum = 0;
        std::size_t i = range.begin;
        while (i + of_term <= range.end) {
            const std::size_t terms = std::min(most_terms, (range.end - i) / of_term);
            cpu::Packet<T> sums[chains];
            for (auto& s : sums) s = cpu::constant(T(0));
            const T* from = a.data() + i;
            for (std::size_t term = 0; term < terms; ++term)
#pragma GCC unroll 4
                for (auto& s : sums) {
                    const cpu::Packet<T> x = cpu::load<T>(from);
                    s = pmadd(x, x, s);
                    from += cpu::packet_size<T>;
                }
            sum += double(predux(padd(padd(sums[0], sums[1]), padd(sums[2], sums[3]))));
            i += terms * of_term;
        }
        for (; i < range.end; ++i) sum += double(a[i]) * double(a[i]);
        return sum;
    });
}

/// sums[i] += factor · values[i]²: how per-sample gradients become Fisher information.
template <CpuBackend B>
void add_squares(Context<B>& context, double factor, std::span<const Scalar<B>> values, std::span<Scalar<B>> sums) {
    using T = Scalar<B>;
    constexpr std::size_t width = 16384;
    context.pool.for_each_tile(tile_count(values.size(), width), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, values.size());
        const T* const v = values.data() + range.begin;
        T* const s = sums.data() + range.begin;
        cpu::map_elements(range.size(), s, [&](std::size_t i) { return s[i] + T(factor) * v[i] * v[i]; });
    });
}

}
