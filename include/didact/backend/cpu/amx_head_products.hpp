#pragma once
#include "didact/backend/cpu/amx_gemm.hpp"
#if DIDACT_WITH_AMX
#include "didact/backend/cpu/head_products.hpp"

namespace didact::cpu {

/// HeadProducts of operands rounded to bf16, by tile registers. T is float.
template <class T>
class AmxHeadProducts {
    using Tiles = AmxTiles<T>;
    using Side = typename Tiles::Side;
    static constexpr std::size_t width = AmxPanels::panel_width, queries_at_once = 64;

  public:
    using Operand = AmxPanels;
    using LeftAndRight = cpu::LeftAndRight<Operand>;
    using RightAndTransposed = cpu::RightAndTransposed<Operand>;

    /// All keys, as a core with tile registers has a cache for thousands: `key` is 0 in what follows.
    static AttentionBlock block_of(std::size_t length) { return {std::min(length, queries_at_once), length}; }

    /// As HeadProducts, with a block of operands for probabilities.
    static std::size_t memory(std::size_t longest, std::size_t size, std::size_t operands, std::size_t results,
                              std::size_t blocks) {
        const std::size_t all = padded(longest) * padded(size), block = queries_at_once * padded(longest);
        return in_floats(operands * all + block) + results * all + blocks * block + queries_at_once * padded(size);
    }
    AmxHeadProducts(T* memory, std::size_t) : memory_(memory) {}

    static std::size_t padded(std::size_t size) { return tile_count(size, width) * width; }

    Operand left(View<const T> x, T factor) { return pack(x, true, Side::left, factor); }
    Operand right(View<const T> x) { return pack(x, false, Side::right, T(1)); }
    Operand right_transposed(View<const T> x) { return pack(x, true, Side::right, T(1)); }
    LeftAndRight left_and_right(View<const T> x, T factor) {
        return {left(x, factor), pack(x, false, Side::right, factor)};
    }
    RightAndTransposed right_and_transposed(View<const T> x) { return {right(x), right_transposed(x)}; }

    View<T> matrix(std::size_t rows, std::size_t cols) {
        T* const begin = memory_;
        memory_ += padded(rows) * padded(cols);
        return block(begin, rows, cols);
    }
    static View<T> block(T* memory, std::size_t rows, std::size_t cols) { return {memory, rows, padded(cols)}; }

    void scores(const Operand& a, std::size_t begin, std::size_t, const Operand& b_transposed, std::size_t,
                View<T> to) {
        product(a, begin / width, b_transposed, 0, false, to);
    }
    void weighted(View<const T> p, const Operand& b, std::size_t, View<T> to) {
        const Operand a = Tiles::pack(p, true, Side::left, T(1), reinterpret_cast<bf16*>(memory_));
        product(a, 0, b, 0, false, to);
    }
    void add_weighted_transposed(View<const T> p, const Operand& b, std::size_t begin, std::size_t, View<T> to) {
        const Operand a = Tiles::pack(p, false, Side::left, T(1), reinterpret_cast<bf16*>(memory_));
        product(a, 0, b, begin / width, true, to.middle_rows(0, p.cols));
    }

  private:
    static std::size_t in_floats(std::size_t elements) { return elements * sizeof(bf16) / sizeof(T); }

    Operand pack(View<const T> x, bool terms_in_rows, Side side, T factor) {
        const Operand packed = Tiles::pack(x, terms_in_rows, side, factor, reinterpret_cast<bf16*>(memory_));
        memory_ += in_floats(packed.elements());
        return packed;
    }
    /// to = a's panels from `panel` on, times as many chunks of b from `chunk` on; or adds that. Writes whole panels,
    /// for which `to` has room.
    void product(const Operand& a, std::size_t panel, const Operand& b, std::size_t chunk, bool accumulate,
                 View<T> to) const {
        for (std::size_t j = 0; j < to.cols; j += width)
            for (std::size_t i = 0; i < to.rows; i += width) {
                T* const c = to.row(i) + j;
                registers_.multiply(a.chunk(panel + i / width, 0), b.chunk(j / width, chunk), a.chunks,
                                    accumulate ? c : nullptr, to.stride, c, to.stride);
            }
    }

    [[no_unique_address]] AmxRegisters<T> registers_;
    T* memory_;
};

}
#endif
