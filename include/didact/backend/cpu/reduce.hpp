#pragma once
#include <array>
#include <span>

#include "didact/backend/cpu/tag.hpp"

namespace didact {

/// db += column sums of dy. dy: (rows, cols), db: (1, cols). The gradient of a bias.
template <class T>
void add_column_sums(Context<Cpu<T>>& context, View<const std::type_identity_t<T>> dy, View<T> db) {
    constexpr std::size_t width = 64;
    context.pool.for_each_tile(tile_count(dy.cols, width), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, dy.cols);
        std::array<T, width> sums{};
        for (std::size_t i = 0; i < dy.rows; ++i) {
            const T* row = dy.row(i) + range.begin;
            for (std::size_t j = 0; j < range.size(); ++j) sums[j] += row[j];
        }
        for (std::size_t j = 0; j < range.size(); ++j) db.data[range.begin + j] += sums[j];
    });
}

namespace cpu {

/// Sum over elements of term(i), in tiles of fixed width whose sums are added in order: the same bits for any number
/// of threads. Within a tile 16 partial sums run side by side.
template <class T, class Term>
double ordered_sum(Context<Cpu<T>>& context, std::size_t size, const Term& term) {
    constexpr std::size_t width = 16384, lanes = 16;
    const ArenaScope scope(context.arena);
    const std::span<double> partial = context.arena.template array<double>(tile_count(size, width));
    context.pool.for_each_tile(partial.size(), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, size);
        std::array<double, lanes> sums{};
        std::size_t i = range.begin;
        for (; i + lanes <= range.end; i += lanes)
            for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += term(i + lane);
        for (; i < range.end; ++i) sums[0] += term(i);
        double sum = 0;
        for (const double s : sums) sum += s;
        partial[tile] = sum;
    });
    double total = 0;
    for (const double p : partial) total += p;
    return total;
}

}

/// Σ aᵢ bᵢ in double.
template <class T>
double dot(Context<Cpu<T>>& context, std::span<const T> a, std::span<const T> b) {
    return cpu::ordered_sum(context, a.size(), [&](std::size_t i) { return double(a[i]) * double(b[i]); });
}

/// sums[i] += factor · values[i]², and values[i] = 0: how per-sample gradients become Fisher information.
template <class T>
void drain_squares(Context<Cpu<T>>& context, double factor, std::span<T> values, std::span<T> sums) {
    constexpr std::size_t width = 16384;
    context.pool.for_each_tile(tile_count(values.size(), width), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, values.size());
        T *v = values.data(), *s = sums.data();
        for (std::size_t i = range.begin; i < range.end; ++i) {
            s[i] += T(factor) * v[i] * v[i];
            v[i] = 0;
        }
    });
}

}
