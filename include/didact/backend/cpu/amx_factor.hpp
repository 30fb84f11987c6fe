#pragma once
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
    static bool serves(std::size_t rows) { return AmxTiles<T>::serves() && rows > ThinGemm<T>::most; }
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

    /// All pieces, by all threads, and the factor. piece(rows, cols, buffer) gives the part of the matrix in some rows
    /// and columns, in the buffer, which has room for it, or elsewhere.
    template <CpuBackend B, class Piece>
    AmxFactor<T> make(Context<B>& context, const Piece& piece) const {
        AmxFactor<T> result = factor_;
        const std::size_t groups = tile_count(result.rows, group_rows), across = tile_count(result.cols, piece_cols);
        context.pool.for_each_tile(groups * across, [&](std::size_t tile) {
            constexpr std::size_t at_once = AmxPanels::panel_width;
            alignas(64) T buffer[at_once * piece_cols];
            const TileRange rows = tile_range(tile / across, group_rows, result.rows);
            const TileRange cols = tile_range(tile % across, piece_cols, result.cols);
            for (std::size_t i = rows.begin; i < rows.end; i += at_once)
                add(i, cols.begin, piece(TileRange{i, std::min(i + at_once, rows.end)}, cols, buffer));
        });
        if (sums_.empty()) return result;
        const std::span<T> sums = sums_.first(result.cols);
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
        const auto add = [](const auto& sum, const auto& row) { return Eigen::internal::padd(sum, row); };
        for (std::size_t i = 0; i < x.rows; ++i) map_packets(x.cols, sums, add, sums, x.row(i));
    }

    AmxFactor<T> factor_;
    bf16 *left_ = nullptr, *left_transposed_ = nullptr, *right_ = nullptr;
    std::span<T> sums_ = {}; ///< of all columns, then of those of each group
};

}

}
#endif
