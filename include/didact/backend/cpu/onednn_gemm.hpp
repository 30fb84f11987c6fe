#pragma once
#include <dnnl.h>

#include <algorithm>

#include "didact/backend/cpu/tag.hpp"
#include "didact/core/error.hpp"

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
extern "C" {
int omp_get_max_threads();
void omp_set_num_threads(int);
}
#endif

namespace didact::cpu {

/// oneDNN's product of floats, which generates its code for the machine that it runs on. It takes its work memory from
/// the heap by itself.
struct OneDnnGemm {
    static constexpr const char* name = "oneDNN";
    /// Of fewer rows than this a product takes another path, with another order of its sums.
    static constexpr std::size_t row_panel = 16;
    static std::size_t incomplete_rows(std::size_t rows) { return rows < row_panel ? rows : 0; }
    static constexpr std::size_t column_panel = 48;
    /// Longer sums are cut here, as oneDNN cuts them by the size of the whole product.
    static constexpr std::size_t depth_block = 384;

    static void product(Transpose transpose_a, View<const float> a, Transpose transpose_b, View<const float> b,
                        View<float> c, float factor, bool accumulate) {
        const OnOneThread guard;
        const bool over_rows_of_a = transpose_a == Transpose::no;
        const std::size_t depth = over_rows_of_a ? a.cols : a.rows;
        const std::size_t block = over_rows_of_a ? depth_block : depth;
        for (std::size_t begin = 0; begin < depth; begin += block) {
            const std::size_t count = std::min(block, depth - begin);
            const float* const left = over_rows_of_a ? a.data + begin : a.row(begin);
            const float* const right = transpose_b == Transpose::no ? b.row(begin) : b.data + begin;
            const dnnl_status_t status =
                dnnl_sgemm(over_rows_of_a ? 'N' : 'T', transpose_b == Transpose::no ? 'N' : 'T', dnnl_dim_t(c.rows),
                           dnnl_dim_t(c.cols), dnnl_dim_t(count), factor, left, dnnl_dim_t(a.stride), right,
                           dnnl_dim_t(b.stride), accumulate || begin > 0 ? 1.0f : 0.0f, c.data, dnnl_dim_t(c.stride));
            if (status != dnnl_success) fail("oneDNN: a matrix product ended with status ", int(status));
        }
    }

  private:
    /// Keeps oneDNN from starting threads of its own for a call: the pool's are at work.
    class OnOneThread {
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
      public:
        OnOneThread() : before_(omp_get_max_threads()) {
            if (before_ != 1) omp_set_num_threads(1);
        }
        ~OnOneThread() {
            if (before_ != 1) omp_set_num_threads(before_);
        }
        OnOneThread(const OnOneThread&) = delete;
        OnOneThread& operator=(const OnOneThread&) = delete;

      private:
        int before_;
#endif
    };
};

}
