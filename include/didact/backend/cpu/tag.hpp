#pragma once
#include <algorithm>
#include <concepts>
#include <type_traits>

#include "didact/backend/backend.hpp"
#include "didact/backend/cpu/packet.hpp"
#include "didact/core/bf16.hpp"

/// Whether code for the Advanced Matrix Extensions of x86 is there; whether the processor has them shows at run time.
#ifndef DIDACT_WITH_AMX
#if defined(__x86_64__) && defined(__linux__)
#define DIDACT_WITH_AMX 1
#else
#define DIDACT_WITH_AMX 0
#endif
#endif

namespace didact {

/// The CPU backend. `Cpu<float>` to train. `Cpu<bf16>` to train faster on processors that multiply bfloat16 faster:
/// all that is added up is float, and only the operands of matrix products are rounded, as under PyTorch's autocast.
/// `Cpu<double>` to check gradients. The operations are beside this file.
template <class T>
requires std::floating_point<T> || std::same_as<T, bf16>
struct Cpu {
    using Scalar = std::conditional_t<std::same_as<T, bf16>, float, T>;
    using Accumulator = double;
    using Operand = T; ///< of matrix products
    /// One more than ThinGemm serves, which with registers of eight floats is faster than a library up to more rows.
    /// Gradients of fewer rows may wait as their values; more may be factors that have none. Floats decide for doubles
    /// too, which check gradients.
    static constexpr std::size_t independent_rows = cpu::packet_size<float> == 8 ? 24 : 16;
    static constexpr const char* name = std::same_as<T, bf16> ? "cpu-bfloat16"
                                        : sizeof(T) == 4      ? "cpu-float32"
                                                              : "cpu-float64";
};

/// Some Cpu<T>.
template <class B>
concept CpuBackend = Backend<B> && std::same_as<B, Cpu<typename B::Operand>>;

#if DIDACT_WITH_AMX
namespace cpu {
template <class T>
struct AmxFactor;
}

template <>
struct FactorOf<Cpu<bf16>> {
    using type = cpu::AmxFactor<float>; ///< see amx_factor.hpp
};
#endif

namespace cpu {

/// Calls body(count, row) for the rows [row, row + count) until every one in [0, rows) has had its turn, in tiles of
/// about 16,384 elements; `count` is known to the compiler: `most`, and 1 for what is over in a tile.
template <std::size_t most, CpuBackend B, class Body>
void for_each_rows(Context<B>& context, std::size_t rows, std::size_t cols, const Body& body) {
    const std::size_t width = std::max<std::size_t>(1, 16384 / most / std::max<std::size_t>(cols, 1)) * most;
    context.pool.for_each_tile(tile_count(rows, width), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, rows);
        std::size_t row = range.begin;
        for (; row + most <= range.end; row += most) body(Count<most>(), row);
        if constexpr (most > 1)
            for (; row < range.end; ++row) body(Count<1>(), row);
    });
}

/// Calls body(row) for every row in [0, rows), in tiles of about 16,384 elements.
template <CpuBackend B, class Body>
void for_each_row(Context<B>& context, std::size_t rows, std::size_t cols, const Body& body) {
    for_each_rows<1>(context, rows, cols, [&](auto, std::size_t row) { body(row); });
}

}

}
