#pragma once
#include "didact/backend/cpu/amx_tiles.hpp"
#if DIDACT_WITH_AMX
#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/thin_gemm.hpp"

namespace didact {

namespace cpu {

/// A matrix, and what tile registers take of it in products where it is A, Aᵀ or B, as far as that is made. Where it
/// is, the matrix itself may be left out: a view without data. T is float.
template <class T>
struct AmxFactor : View<const T> {
    AmxPanels left = {}, left_transposed = {}, right = {};
    std::span<const T> column_sums = {};

    AmxFactor() = default;
    AmxFactor(View<const T> values) : View<const T>(values) {}
    AmxFactor(View<T> values) : View<const T>(values) {}

    bool made() const { return left.data || left_transposed.data || right.data || !column_sums.empty(); }

    /// Whether products of matrices of so many rows are by tile registers, however they enter.
    static bool serves(std::size_t rows) { return AmxTiles<T>::serves() && rows > ThinGemm<T>::most; }
};

/// Makes a factor of pieces of its matrix, in the step's memory, by any thread. Each piece is needed once, so that a
/// matrix which is only made to be multiplied need not be written.
template <class T>
class AmxFactorMaker {
    using Tiles = AmxTiles<T>;

  public:
    /// One thread adds a group's pieces, one after another; column sums are those of groups, in order.
    static constexpr std::size_t group_rows = 64;

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

    /// Takes `piece`, which begins at (row, col), multiples of 32, and ends at such or with the matrix.
    void add(std::size_t row, std::size_t col, View<const T> piece) const {
        constexpr std::size_t width = AmxPanels::panel_width;
        for (std::size_t r = 0; r < tile_count(piece.rows, width); ++r)
            for (std::size_t c = 0; c < tile_count(piece.cols, width); ++c) {
                const std::size_t i = row / width + r, j = col / width + c;
                if (left_)
                    Tiles::pack_chunk(piece, true, Tiles::Side::left, 1, r, c, left_ + factor_.left.offset(i, j));
                if (left_transposed_)
                    Tiles::pack_chunk(piece, false, Tiles::Side::left, 1, c, r,
                                      left_transposed_ + factor_.left_transposed.offset(j, i));
                if (right_)
                    Tiles::pack_chunk(piece, false, Tiles::Side::right, 1, c, r, right_ + factor_.right.offset(j, i));
            }
        if (!sums_.empty()) add_rows(piece, sums_.data() + (row / group_rows + 1) * factor_.cols + col);
    }

    /// add() of what compute(i, cols, out) writes: some columns of row i.
    template <class Compute>
    void add_computed(TileRange rows, TileRange cols, const Compute& compute) const {
        alignas(64) T buffer[piece_rows * piece_cols];
        for (std::size_t row = rows.begin; row < rows.end; row += piece_rows)
            for (std::size_t col = cols.begin; col < cols.end; col += piece_cols) {
                const View<T> piece(buffer, std::min(piece_rows, rows.end - row), std::min(piece_cols, cols.end - col));
                for (std::size_t i = 0; i < piece.rows; ++i)
                    compute(row + i, TileRange{col, col + piece.cols}, piece.row(i));
                add(row, col, piece);
            }
    }

    /// add() of rows [rows.begin, rows.end) of `x`.
    void add_rows_of(View<const T> x, TileRange rows) const {
        for (std::size_t row = rows.begin; row < rows.end; row += piece_rows)
            add(row, 0, x.middle_rows(row, std::min(piece_rows, rows.end - row)));
    }

    /// Once all pieces are in.
    AmxFactor<T> factor() const {
        AmxFactor<T> result = factor_;
        if (sums_.empty()) return result;
        for (std::size_t group = 0; group < tile_count(result.rows, group_rows); ++group)
            add_rows(View<const T>(sums_.data() + (group + 1) * result.cols, 1, result.cols), sums_.data());
        result.column_sums = sums_.first(result.cols);
        return result;
    }

  private:
    /// Of a piece that is made for this.
    static constexpr std::size_t piece_rows = AmxPanels::panel_width, piece_cols = 256;

    static void add_rows(View<const T> x, T* sums) {
        const auto add = [](const auto& sum, const auto& row) { return Eigen::internal::padd(sum, row); };
        for (std::size_t i = 0; i < x.rows; ++i) map_packets(x.cols, sums, add, sums, x.row(i));
    }

    AmxFactor<T> factor_;
    bf16 *left_ = nullptr, *left_transposed_ = nullptr, *right_ = nullptr;
    std::span<T> sums_ = {}; ///< of all columns, then of those of each group
};

}

template <>
struct FactorOf<Cpu<bf16>> {
    using type = cpu::AmxFactor<float>;
};

}
#endif
