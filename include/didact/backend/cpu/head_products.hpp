#pragma once
#include <algorithm>

#include "didact/backend/cpu/outer_gemm.hpp"
#include "didact/backend/cpu/pack.hpp"

namespace didact::cpu {

/// Attention takes queries this many rows at a time, so that its scratch is rows × keys and never keys × keys.
inline constexpr std::size_t attention_rows = 64;

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
/// either side, and transposed. Matrices are of (length, size), or blocks of (attention_rows, length).
template <class T>
class HeadProducts {
  public:
    using Operand = View<const T>;
    using LeftAndRight = cpu::LeftAndRight<Operand>;
    using RightAndTransposed = cpu::RightAndTransposed<Operand>;

    /// How many T it takes to keep so many operands, results of (length, size), and blocks.
    static std::size_t memory(std::size_t longest, std::size_t size, std::size_t operands, std::size_t results,
                              std::size_t blocks) {
        const std::size_t rows = std::min(longest, attention_rows), width = padded(size);
        return (operands + results) * padded(longest) * width + rows * (blocks * padded(longest) + width);
    }
    explicit HeadProducts(T* memory) : memory_(memory) {}

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
        return {packed, take(pack_transpose<T>(packed, memory_))};
    }

    /// A result, with room after its columns.
    View<T> matrix(std::size_t rows, std::size_t cols) { return take(View<T>(memory_, rows, padded(cols))); }

    /// to = the rows of `a` from `begin` on, times bᵀ.
    void scores(const Operand& a, std::size_t begin, std::size_t size, const Operand& b_transposed, View<T> to) {
        Gemm::product(Gemm::left(a.middle_rows(begin, to.rows)), size, b_transposed.middle_cols(0, to.cols), to, false);
    }
    /// to = p times the first p.cols rows of b.
    void weighted(View<const T> p, const Operand& b, View<T> to) {
        Gemm::product(Gemm::left(p), p.cols, b.middle_rows(0, p.cols), to, false);
    }
    /// The first p.cols rows of `to` += pᵀ times the rows of b from `begin` on.
    void add_weighted_transposed(View<const T> p, const Operand& b, std::size_t begin, View<T> to) {
        Gemm::product(Gemm::transposed(p), p.rows, b.middle_rows(begin, p.rows), to.middle_rows(0, p.cols), true);
    }

  private:
    using Gemm = OuterGemm<T>;
    View<T> take(View<T> matrix) {
        memory_ += matrix.size();
        return matrix;
    }
    T* memory_;
};

}
