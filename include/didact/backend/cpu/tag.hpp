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

/// How many rows are a tile of about 16,384 elements, a multiple of `at_once`.
template <std::size_t at_once = 1>
std::size_t rows_of_tile(std::size_t cols) {
    return std::max<std::size_t>(1, 16384 / at_once / std::max<std::size_t>(cols, 1)) * at_once;
}

/// Calls body(row) for every row in [0, rows), in tiles.
template <CpuBackend B, class Body>
void for_each_row(Context<B>& context, std::size_t rows, std::size_t cols, const Body& body) {
    const std::size_t tile_rows = rows_of_tile(cols);
    context.pool.for_each_tile(tile_count(rows, tile_rows), [&](std::size_t tile) {
        const TileRange range = tile_range(tile, tile_rows, rows);
        for (std::size_t row = range.begin; row < range.end; ++row) body(row);
    });
}

}

}
