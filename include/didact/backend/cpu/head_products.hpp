#pragma once
#include <algorithm>

#include "didact/backend/cpu/outer_gemm.hpp"
#include "didact/backend/cpu/pack.hpp"
#include "didact/core/parallel.hpp"

namespace didact::cpu {

/// How many queries and keys attention takes at once, so that its scratch is never keys × keys.
struct AttentionBlock {
    static constexpr std::size_t most_queries = 256;
    std::size_t queries, keys;
};

/// One matrix packed for both sides of products.
template <class Operand>
struct LeftAndRight {
    Operand left, right;
};
/// One matrix packed for the right side as it is and transposed.
template <class Operand>
struct RightAndTransposed {
    Operand right, transposed;
};

/// The products of one head of attention, in registers, from operands that are packed once: as rows, which serve on
/// either side, and transposed, a block of keys after another. Matrices are of (length, size), or a block's queries and
/// keys. A `key` is the first of a block.
template <class T>
class HeadProducts {
  public:
    using Operand = View<const T>;
    using LeftAndRight = cpu::LeftAndRight<Operand>;
    using RightAndTransposed = cpu::RightAndTransposed<Operand>;

    /// Two blocks of scores stay in a core's own cache. Keys that do not stay near it meet more queries at once.
    static AttentionBlock block_of(std::size_t length) {
        const AttentionBlock block = length > 2048 ? AttentionBlock{256, 256} : AttentionBlock{64, 512};
        return {std::min(length, block.queries), std::min(length, block.keys)};
    }

    /// How many T it takes to keep so many operands, results of (length, size), and blocks, of any sequence up to
    /// `longest`: so many for every thread, or one that meets the longest later would allocate then.
    static std::size_t memory(std::size_t longest, std::size_t size, std::size_t operands, std::size_t results,
                              std::size_t blocks) {
        const AttentionBlock block = block_of(longest);
        const std::size_t width = spread_stride<T>(size), keys = spread_stride<T>(block.keys);
        const std::size_t transposed = tile_count(longest, block.keys) * padded(size) * keys;
        return operands * std::max(longest * width, transposed) + results * longest * width +
               block.queries * (blocks * keys + width);
    }
    /// `length` is that of the sequence.
    HeadProducts(T* memory, std::size_t length) : memory_(memory), keys_at_once_(block_of(length).keys) {}

    static std::size_t padded(std::size_t size) { return in_packets<T>(size); }

    /// `x` for the left side of a product, for the right side, or the transpose of x for the right side.
    Operand left(View<const T> x, T factor) { return take(pack_rows<T>(x, factor, memory_)); }
    Operand right(View<const T> x) { return left(x, T(1)); }
    Operand right_transposed(View<const T> x) { return right_and_transposed(x).transposed; }
    LeftAndRight left_and_right(View<const T> x, T factor) {
        const Operand packed = left(x, factor);
        return {packed, packed};
    }
    RightAndTransposed right_and_transposed(View<const T> x) {
        const Operand packed = right(x);
        const std::size_t stride = spread_stride<T>(keys_at_once_);
        const Operand first(memory_, packed.cols, stride, stride);
        for (std::size_t key = 0; key < x.rows; key += keys_at_once_)
            take(pack_transpose<T>(packed.middle_rows(key, std::min(keys_at_once_, x.rows - key)), stride, memory_));
        return {packed, first};
    }

    /// A result, with room after its columns.
    View<T> matrix(std::size_t rows, std::size_t cols) { return take(block(memory_, rows, cols)); }
    /// One in memory that was a larger one's.
    static View<T> block(T* memory, std::size_t rows, std::size_t cols) {
        return {memory, rows, padded(cols), spread_stride<T>(cols)};
    }

    /// to = the rows of `a` from `begin` on, times the columns of bᵀ from `key` on.
    void scores(const Operand& a, std::size_t begin, std::size_t size, const Operand& b_transposed, std::size_t key,
                View<T> to) {
        const Operand block(b_transposed.data + key / keys_at_once_ * b_transposed.size(), b_transposed.rows, to.cols,
                            b_transposed.stride);
        Gemm::product(Gemm::left(a.middle_rows(begin, to.rows)), size, block, to, false);
    }
    /// to = p times the rows of b from `key` on, or, for another than the first key, adds that.
    void weighted(View<const T> p, const Operand& b, std::size_t key, View<T> to) {
        Gemm::product(Gemm::left(p), p.cols, b.middle_rows(key, p.cols), to, key > 0);
    }
    /// The rows of `to` from `key` on += pᵀ times the rows of b from `begin` on.
    void add_weighted_transposed(View<const T> p, const Operand& b, std::size_t begin, std::size_t key, View<T> to) {
        Gemm::product(Gemm::transposed(p), p.rows, b.middle_rows(begin, p.rows), to.middle_rows(key, p.cols), true);
    }

  private:
    using Gemm = OuterGemm<T>;
    View<T> take(View<T> matrix) {
        memory_ += matrix.rows * matrix.stride;
        return matrix;
    }
    T* memory_;
    std::size_t keys_at_once_;
};

}
