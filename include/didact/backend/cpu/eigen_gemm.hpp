#pragma once
#include <Eigen/Core>

#include "didact/backend/cpu/scratch.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact::cpu {

/// Blocking of one product for Eigen, in buffers of the calling thread that only ever grow: Eigen's own would come
/// from the heap at every call.
template <class T>
class GemmBlocking : public Eigen::internal::level3_blocking<T, T> {
  public:
    GemmBlocking(Eigen::Index rows, Eigen::Index cols, Eigen::Index depth) {
        this->m_mc = rows;
        this->m_nc = cols;
        this->m_kc = depth;
        Eigen::internal::computeProductBlockingSizes<T, T, 1>(this->m_kc, this->m_mc, this->m_nc, Eigen::Index(1));
        const std::size_t size_a = std::size_t(this->m_kc * this->m_mc), size_b = std::size_t(this->m_kc * this->m_nc);
        this->m_blockA = thread_scratch<T, 1>(size_a);
        this->m_blockB = thread_scratch<T, 2>(size_b);
    }
};

/// Eigen's product: needs no other library.
template <class T>
struct EigenGemm {
    using Operand = T;
    static constexpr const char* name = "Eigen";
    /// Eigen sums the rows of an incomplete panel in another order than those of a full one.
    static std::size_t row_panel() { return Eigen::internal::gebp_traits<T, T>::nr; }
    static std::size_t incomplete_rows(std::size_t rows) { return rows % row_panel(); }
    static std::size_t largest_tile() { return 512; }
    static constexpr std::size_t column_panel = Eigen::internal::gebp_traits<T, T>::mr;

    static void product(Transpose transpose_a, View<const T> a, Transpose transpose_b, View<const T> b, View<T> c,
                        bool accumulate) {
        if (!accumulate)
            for (std::size_t i = 0; i < c.rows; ++i) std::fill_n(c.row(i), c.cols, T(0));
        using Eigen::ColMajor;
        using Eigen::Index;
        using Eigen::RowMajor;
        const Index m = Index(c.rows), n = Index(c.cols), k = Index(transpose_a == Transpose::no ? a.cols : a.rows);
        if (m == 0 || n == 0 || k == 0) return;
        // Eigen's result is column-major, so it computes Cᵀ = op(B)ᵀ op(A)ᵀ.
        GemmBlocking<T> blocking(n, m, k);
        const auto run = [&]<int left, int right>(std::integral_constant<int, left>,
                                                  std::integral_constant<int, right>) {
            Eigen::internal::general_matrix_matrix_product<Index, T, left, false, T, right, false, ColMajor, 1>::run(
                n, m, k, b.data, Index(b.stride), a.data, Index(a.stride), c.data, 1, Index(c.stride), T(1), blocking,
                nullptr);
        };
        constexpr std::integral_constant<int, ColMajor> by_column;
        constexpr std::integral_constant<int, RowMajor> by_row;
        if (transpose_a == Transpose::no)
            transpose_b == Transpose::no ? run(by_column, by_column) : run(by_row, by_column);
        else
            transpose_b == Transpose::no ? run(by_column, by_row) : run(by_row, by_row);
    }
};

}
