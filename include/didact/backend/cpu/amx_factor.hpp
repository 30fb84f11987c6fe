#pragma once
#include "didact/backend/cpu/amx_registers.hpp"
#include "didact/backend/cpu/amx_tiles.hpp"
#if DIDACT_WITH_AMX
#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/thin_gemm.hpp"

namespace didact {

namespace cpu {

/// A matrix, and what tile registers take of it in products where it is A, Aᵀ, B or Bᵀ, as far as that is made. Where
/// it is, the matrix itself may be left out: a view without data. T is float.
template <class T>
struct AmxFactor : View<const T> {
    AmxPanels left = {}, left_transposed = {}, right = {}, right_transposed = {};
    std::span<const T> column_sums = {};

    AmxFactor() = default;
    AmxFactor(View<const T> values) : View<const T>(values) {}
    AmxFactor(View<T> values) : View<const T>(values) {}

    bool has_values() const { return this->data || this->size() == 0; }
    bool made() const {
        return left.data || left_transposed.data || right.data || right_transposed.data || !column_sums.empty();
    }

    /// Whether products of a matrix of so many rows with others of as many, or with a weight, are by tile registers.
    static bool serves(std::size_t rows) { return AmxRegisters<T>::serves() && rows > ThinGemm<T>::most; }
};

/// Makes a factor of pieces of its matrix, in the step's memory, by any thread. Each piece is needed once, so that a
/// matrix which is only made to be multiplied need not be written.
template <class T>
class AmxFactorMaker {
    using Tiles = AmxTiles<T>;

    /// Column sums are those of groups of rows, in order.
    static constexpr std::size_t group_rows = 64;

  public:
    static constexpr std::size_t piece_cols = 256; ///< of a piece, at most

    template <CpuBackend B>
    AmxFactorMaker(Context<B>& context, View<const T> values, FactorUses uses) : factor_(values) {
        const auto room = [&](bool used, bool terms_in_rows, AmxPanels& panels) -> bf16* {
            if (!used) return nullptr;
            panels = Tiles::panels(values, terms_in_rows, nullptr);
            bf16* const to = context.arena.template array<bf16>(panels.elements()).data();
            panels.data = to;
            return to;
        };
        right_ = room(uses.right, false, factor_.right);
        left_transposed_ = room(uses.left_transposed, false, factor_.left_transposed);
        left_ = room(uses.left, true, factor_.left);
        if (uses.column_sums)
            sums_ = context.arena.template zeros<T>((tile_count(values.rows, group_rows) + 1) * values.cols);
    }

    /// Which pieces follow each other: those of the same rows, which are read in order, or those of the same columns,
    /// where each takes a wide matrix's part of its own.
    enum class Order { along_rows, down_columns };

    /// Calls body(rows, cols, buffer) for all pieces of a matrix of (rows, cols), by all threads. The buffer has room
    /// for a piece.
    template <CpuBackend B, class Body>
    static void for_each_piece(Context<B>& context, std::size_t rows, std::size_t cols, Order order, const Body& body) {
        const std::size_t groups = tile_count(rows, group_rows), across = tile_count(cols, piece_cols);
        context.pool.for_each_tile(groups * across, [&](std::size_t tile) {
            constexpr std::size_t at_once = AmxPanels::panel_width;
            alignas(64) T buffer[at_once * piece_cols];
            const bool along_rows = order == Order::along_rows;
            const TileRange group = tile_range(along_rows ? tile / across : tile % groups, group_rows, rows);
            const TileRange columns = tile_range(along_rows ? tile % across : tile / groups, piece_cols, cols);
            for (std::size_t i = group.begin; i < group.end; i += at_once)
                body(TileRange{i, std::min(i + at_once, group.end)}, columns, buffer);
        });
    }

    /// All pieces, and the factor. piece(rows, cols, buffer) gives the part of the matrix in some rows and columns, in
    /// the buffer or elsewhere.
    template <CpuBackend B, class Piece>
    AmxFactor<T> make(Context<B>& context, const Piece& piece, Order order = Order::along_rows) const {
        AmxFactor<T> result = factor_;
        for_each_piece(context, result.rows, result.cols, order, [&](TileRange rows, TileRange cols, T* buffer) {
            add(rows.begin, cols.begin, piece(rows, cols, buffer));
        });
        if (sums_.empty()) return result;
        const std::span<T> sums = sums_.first(result.cols);
        const std::size_t groups = tile_count(result.rows, group_rows);
        add_rows(View<const T>(sums_.data() + result.cols, groups, result.cols), sums.data());
        result.column_sums = sums;
        return result;
    }

  private:
    /// Takes up to 32 rows of some columns; they begin at (row, col), multiples of 32, and end at such or with the
    /// matrix.
    void add(std::size_t row, std::size_t col, View<const T> piece) const {
        constexpr std::size_t width = AmxPanels::panel_width;
        for (std::size_t c = 0; c < tile_count(piece.cols, width); ++c) {
            const std::size_t i = row / width, j = col / width + c;
            if (left_) Tiles::pack_chunk(piece, true, Tiles::Side::left, 1, 0, c, left_ + factor_.left.offset(i, j));
            if (left_transposed_)
                Tiles::pack_chunk(piece, false, Tiles::Side::left, 1, c, 0,
                                  left_transposed_ + factor_.left_transposed.offset(j, i));
            if (right_)
                Tiles::pack_chunk(piece, false, Tiles::Side::right, 1, c, 0, right_ + factor_.right.offset(j, i));
        }
        if (!sums_.empty()) add_rows(piece, sums_.data() + (row / group_rows + 1) * factor_.cols + col);
    }

    static void add_rows(View<const T> x, T* sums) {
        for (std::size_t i = 0; i < x.rows; ++i) add_row<T>(x.cols, x.row(i), sums);
    }

    AmxFactor<T> factor_;
    bf16 *left_ = nullptr, *left_transposed_ = nullptr, *right_ = nullptr;
    std::span<T> sums_ = {}; ///< of all columns, then of those of each group
};

}

}
#endif
