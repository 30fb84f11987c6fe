#pragma once
#include <algorithm>

#include "didact/backend/cpu/packet.hpp"
#include "didact/core/view.hpp"

namespace didact::cpu {

/// `size` rounded up to whole packets.
template <class T>
constexpr std::size_t in_packets(std::size_t size) {
    return (size + packet_size<T> - 1) / packet_size<T> * packet_size<T>;
}

/// From one row of a matrix of `cols` columns to the next, so that a column is spread over all sets of a cache: an odd
/// number of its lines. Of 64 rows that are a power of two apart a cache keeps as few as eight.
template <class T>
constexpr std::size_t spread_stride(std::size_t cols) {
    constexpr std::size_t line = 64 / sizeof(T);
    return ((cols + line - 1) / line | 1) * line;
}

/// The rows of `from`, times `factor`, one after another in `to`, each filled up with zeros to whole packets.
template <class T>
View<T> pack_rows(View<const T> from, T factor, T* to) {
    const View<T> packed(to, from.rows, in_packets<T>(from.cols), spread_stride<T>(from.cols));
    const auto factors = constant(factor);
    for (std::size_t i = 0; i < from.rows; ++i) {
        const T* const row = from.row(i);
        T* const out = packed.row(i);
        map_packets(
            from.cols, out, [&](const auto& p) { return Eigen::internal::pmul(p, factors); }, row);
        std::fill(out + from.cols, out + packed.cols, T(0));
    }
    return packed;
}

// GCC says of a register's type as a template argument that its alignment is left out there, which is harmless.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif

/// The transpose of a packed matrix, its rows `stride` apart and filled up with zeros to whole packets; block by block
/// in registers.
template <class T>
View<T> pack_transpose(View<const T> from, std::size_t stride, T* to) {
    constexpr std::size_t lanes = packet_size<T>;
    const View<T> packed(to, from.cols, in_packets<T>(from.rows), stride);
    Eigen::internal::PacketBlock<Packet<T>, int(lanes)> block;
    for (std::size_t i = 0; i < packed.cols; i += lanes)
        for (std::size_t j = 0; j < from.cols; j += lanes) {
            for (std::size_t k = 0; k < lanes; ++k)
                block.packet[k] = i + k < from.rows ? load<T>(from.row(i + k) + j) : constant(T(0));
            Eigen::internal::ptranspose(block);
            for (std::size_t k = 0; k < lanes; ++k) store<T>(packed.row(j + k) + i, block.packet[k]);
        }
    return packed;
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}
