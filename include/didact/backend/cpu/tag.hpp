#pragma once
#include <algorithm>
#include <concepts>

#include "didact/backend/backend.hpp"

namespace didact {

/// The CPU backend: `Cpu<float>` to train, `Cpu<double>` to check gradients. Its operations are beside this file.
template <std::floating_point T>
struct Cpu {
    using Scalar = T;
    using Accumulator = double;
    static constexpr const char* name = sizeof(T) == 4 ? "cpu-float32" : "cpu-float64";
};

namespace cpu {

/// Calls body(row) for every row in [0, rows), in tiles of about 16,384 elements.
template <class T, class Body>
void for_each_row(Context<Cpu<T>>& context, std::size_t rows, std::size_t cols, const Body& body) {
    const std::size_t width = std::max<std::size_t>(1, 16384 / std::max<std::size_t>(cols, 1));
    context.pool.for_each_tile(tile_count(rows, width), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, rows);
        for (std::size_t row = range.begin; row < range.end; ++row) body(row);
    });
}

}

}
