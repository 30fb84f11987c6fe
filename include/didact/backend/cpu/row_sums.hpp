#pragma once
#include <algorithm>
#include <array>

#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact::cpu {

/// Sums over rows for each of `cols` columns. add_rows(rows, sums) adds a range of rows to `sums`, those of its tile;
/// add_to(column, sum) gets the sum over all tiles. Tiles depend on the shape only and are added in order: the same
/// bits for any number of threads.
template <CpuBackend B, class AddRows, class AddTo>
void sum_rows(Context<B>& context, std::size_t rows, std::size_t cols, const AddRows& add_rows, const AddTo& add_to) {
    using T = Scalar<B>;
    constexpr std::size_t most_tiles = 64, columns_at_once = 256;
    const std::size_t width = std::max({std::size_t(1), 16384 / std::max<std::size_t>(cols, 1),
                                        (rows + most_tiles - 1) / most_tiles}),
                      tiles = tile_count(rows, width);
    const ArenaScope scope(context.arena);
    T* const partial = context.arena.template array<T>(tiles * cols).data();
    context.pool.for_each_tile(tiles, [&](std::size_t tile) {
        T* const sums = partial + tile * cols;
        std::fill_n(sums, cols, T(0));
        add_rows(tile_range(tile, width, rows), sums);
    });
    context.pool.for_each_tile(tile_count(cols, columns_at_once), [&](std::size_t block) {
        const TileRange columns = tile_range(block, columns_at_once, cols);
        std::array<T, columns_at_once> sums{};
        for (std::size_t tile = 0; tile < tiles; ++tile)
            add_row<T>(columns.size(), partial + tile * cols + columns.begin, sums.data());
        for (std::size_t j = 0; j < columns.size(); ++j) add_to(columns.begin + j, sums[j]);
    });
}

}
