#pragma once
#include <algorithm>

#include "didact/backend/cpu/amx_factor.hpp"
#include "didact/core/error.hpp"
#if DIDACT_WITH_AMX

namespace didact::cpu {

/// The product of matrices rounded to bf16, by tile registers. Libraries reach no more of them in the shapes of a
/// training step, and round and pack in passes of their own. T is float.
template <class T>
struct AmxGemm {
    using Tiles = AmxTiles<T>;
    static bool serves() { return AmxRegisters<T>::serves(); }

    /// C = op(A) op(B) + bias, or C += op(A) op(B), as `gemm`. An element's bits depend on its row of op(A), its column
    /// of op(B) and what it starts from alone; numbers smaller than the smallest normal one count as zero.
    template <CpuBackend B>
    static void product(Context<B>& context, Transpose transpose_a, const AmxFactor<T>& a, Transpose transpose_b,
                        const AmxFactor<T>& b, View<T> c, bool accumulate, View<const T> bias) {
        const ArenaScope scope(context.arena);
        const Pieces pieces(context, transpose_a, a, transpose_b, b);
        // Wide blocks read the left panels less often; narrow ones are enough for more threads.
        const std::size_t down = tile_count(c.rows, block_rows);
        const std::size_t block_cols = down * tile_count(c.cols, 2 * block_rows) >= 32 ? 2 * block_rows : block_rows;
        const std::size_t across = tile_count(c.cols, block_cols);
        // Of very many terms, as of a vocabulary, all blocks take some, or each would read its panels from memory.
        const std::size_t chunks = std::max<std::size_t>(pieces.chunks(), 1);
        const std::size_t at_once = chunks > many_chunks ? 2 * most_chunks : chunks;
        for (std::size_t part = 0; part < tile_count(chunks, at_once); ++part)
            context.pool.for_each_tile(down * across, [&](std::size_t tile) {
                const TileRange rows = tile_range(tile / across, block_rows, c.rows);
                const TileRange cols = tile_range(tile % across, block_cols, c.cols);
                pieces.add(tile_range(part, at_once, chunks), rows, cols,
                           c.middle_rows(rows.begin, rows.size()).middle_cols(cols.begin, cols.size()), accumulate,
                           bias);
            });
    }

    /// A product of which any thread computes some rows and columns, from multiples of 32 on, when it wants them. The
    /// panels that are not made yet are, in the step's memory.
    class Pieces {
      public:
        template <CpuBackend B>
        Pieces(Context<B>& context, Transpose transpose_a, const AmxFactor<T>& a, Transpose transpose_b,
               const AmxFactor<T>& b) {
            const bool plain_a = transpose_a == Transpose::no, plain_b = transpose_b == Transpose::no;
            left_ = panels(context, a, plain_a ? a.left : a.left_transposed, plain_a, Tiles::Side::left);
            right_ = panels(context, b, plain_b ? b.right : b.right_transposed, !plain_b, Tiles::Side::right);
        }

        /// c: those rows and columns, of op(A) op(B) + bias, or += op(A) op(B). bias: of all columns.
        void operator()(TileRange rows, TileRange cols, View<T> c, bool accumulate, View<const T> bias) const {
            add({0, std::max<std::size_t>(chunks(), 1)}, rows, cols, c, accumulate, bias);
        }

        /// The same of some chunks of terms, from a multiple of most_chunks on; those before were added.
        void add(TileRange chunks, TileRange rows, TileRange cols, View<T> c, bool accumulate,
                 View<const T> bias) const {
            const AmxRegisters<T> registers;
            for (std::size_t begin = chunks.begin; begin < chunks.end; begin += most_chunks)
                for (std::size_t i = 0; i < c.rows; i += width)
                    for (std::size_t j = 0; j < c.cols; j += width) {
                        const T* const next = j + width < c.cols   ? c.row(i) + j + width
                                              : i + width < c.rows ? c.row(i + width)
                                                                   : nullptr;
                        const View<T> part =
                            c.middle_rows(i, std::min(width, c.rows - i)).middle_cols(j, std::min(width, c.cols - j));
                        add_chunks(registers, left_, right_, begin, rows.begin + i, cols.begin + j, part, accumulate,
                                   bias, next);
                    }
        }

        std::size_t chunks() const { return left_.chunks; }

      private:
        AmxPanels left_, right_;
    };

  private:
    static constexpr std::size_t width = AmxPanels::panel_width;
    /// What is cut: C into blocks, sums into so many chunks that the panels of a block stay in the second cache.
    static constexpr std::size_t block_rows = 4 * width, most_chunks = 32, many_chunks = 8 * most_chunks;

    /// What was made of the factor for this, or is made now.
    template <CpuBackend B>
    static AmxPanels panels(Context<B>& context, const AmxFactor<T>& factor, const AmxPanels& made, bool terms_in_rows,
                            typename Tiles::Side side) {
        if (made.data) return made;
        require(factor.has_values(), "a factor of (", factor.rows, ", ", factor.cols,
                ") is not made for this product and has no values");
        const std::size_t elements = Tiles::panels(factor, terms_in_rows, nullptr).elements();
        return Tiles::pack(context, factor, terms_in_rows, side, context.arena.template array<bf16>(elements).data());
    }

    /// c: one (32, 32) of C, or what there is of it, from row i and column j of C on: the chunks from `begin` on.
    static void add_chunks(const AmxRegisters<T>& registers, const AmxPanels& left, const AmxPanels& right,
                           std::size_t begin, std::size_t i, std::size_t j, View<T> c, bool accumulate,
                           View<const T> bias, const T* next) {
        const bf16 *const a = left.chunk(i / width, begin), *const b = right.chunk(j / width, begin);
        const std::size_t chunks = std::min(most_chunks, left.chunks - begin);
        const bool adds = accumulate || begin > 0;
        const T* const start = adds ? c.data : bias.empty() ? nullptr : bias.data + j;
        const std::size_t start_stride = adds ? c.stride : 0;
        if (c.rows == width && c.cols == width)
            return registers.multiply(a, b, chunks, start, start_stride, c.data, c.stride, next);
        alignas(64) T whole[width * width] = {};
        if (start)
            for (std::size_t r = 0; r < c.rows; ++r) std::copy_n(start + r * start_stride, c.cols, whole + r * width);
        registers.multiply(a, b, chunks, whole, width, whole, width);
        for (std::size_t r = 0; r < c.rows; ++r) std::copy_n(whole + r * width, c.cols, c.row(r));
    }
};

}
#endif
