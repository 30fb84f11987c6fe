#pragma once
#include <algorithm>
#include <cstdint>
#include <span>

#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

/// out[i] = table[ids[i]], or out[i] += table[ids[i]]. table: (entries, hidden), out: (tokens, hidden).
template <CpuBackend B>
void embedding_forward(Context<B>& context, std::span<const std::int32_t> ids, View<const Scalar<B>> table,
                       View<Scalar<B>> out, bool accumulate) {
    using T = Scalar<B>;
    cpu::for_each_row(context, out.rows, out.cols, [&](std::size_t i) {
        const T* in = table.row(std::size_t(ids[i]));
        T* to = out.row(i);
        if (accumulate)
            cpu::add_row<T>(out.cols, in, to);
        else
            std::copy_n(in, out.cols, to);
    });
}

/// dtable[ids[i]] += dout[i]. Cut by columns, so that no two tiles write the same element and sums keep their order.
template <CpuBackend B>
void embedding_backward(Context<B>& context, std::span<const std::int32_t> ids, View<const Scalar<B>> dout,
                        View<Scalar<B>> dtable) {
    using T = Scalar<B>;
    constexpr std::size_t width = 64;
    context.pool.for_each_tile(tile_count(dout.cols, width), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, dout.cols);
        for (std::size_t i = 0; i < ids.size(); ++i)
            cpu::add_row<T>(range.size(), dout.row(i) + range.begin, dtable.row(std::size_t(ids[i])) + range.begin);
    });
}

}
