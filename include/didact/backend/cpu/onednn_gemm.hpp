#pragma once
#include <dnnl.h>

#include <algorithm>

#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/scratch.hpp"
#include "didact/backend/cpu/tag.hpp"
#include "didact/core/error.hpp"

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
extern "C" {
int omp_get_max_threads();
void omp_set_num_threads(int);
}
#endif

namespace didact::cpu {

/// Keeps oneDNN from starting threads of its own for a call: the pool's are at work.
class OneDnnOnOneThread {
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
  public:
    OneDnnOnOneThread() : before_(omp_get_max_threads()) {
        if (before_ != 1) omp_set_num_threads(1);
    }
    ~OneDnnOnOneThread() {
        if (before_ != 1) omp_set_num_threads(before_);
    }
    OneDnnOnOneThread(const OneDnnOnOneThread&) = delete;
    OneDnnOnOneThread& operator=(const OneDnnOnOneThread&) = delete;

  private:
    int before_;
#endif
};

/// oneDNN's product of floats, which generates its code for the machine that it runs on. It takes its work memory from
/// the heap by itself.
struct OneDnnGemm {
    using Operand = float;
    static constexpr const char* name = "oneDNN";
    /// Found by comparing bits: with AVX-512, products of fewer rows than a panel sum in another order; with AVX2, the
    /// rows of an incomplete panel do, and those of large products, which are packed.
    static std::size_t row_panel() { return has_avx512() ? 16 : 12; }
    static std::size_t incomplete_rows(std::size_t rows) {
        return !has_avx512() ? rows % row_panel() : rows < row_panel() ? rows : 0;
    }
    static std::size_t largest_tile() { return has_avx512() ? 512 : 240; }
    static constexpr std::size_t column_panel = 48;
    /// Longer sums are cut here, as oneDNN cuts them by the size of the whole product.
    static constexpr std::size_t depth_block = 384;

    static void product(Transpose transpose_a, View<const float> a, Transpose transpose_b, View<const float> b,
                        View<float> c, bool accumulate) {
        const OneDnnOnOneThread guard;
        const bool over_rows_of_a = transpose_a == Transpose::no;
        const std::size_t depth = over_rows_of_a ? a.cols : a.rows;
        const std::size_t block = over_rows_of_a ? depth_block : depth;
        for (std::size_t begin = 0; begin < depth; begin += block) {
            const std::size_t count = std::min(block, depth - begin);
            const View<const float> left =
                over_rows_of_a ? a.middle_cols(begin, count) : spread<4>(a.middle_rows(begin, count), c.cols);
            const View<const float> right = transpose_b == Transpose::no
                                                ? spread<5>(b.middle_rows(begin, count), c.rows)
                                                : b.middle_cols(begin, count);
            const dnnl_status_t status = dnnl_sgemm(
                over_rows_of_a ? 'N' : 'T', transpose_b == Transpose::no ? 'N' : 'T', dnnl_dim_t(c.rows),
                dnnl_dim_t(c.cols), dnnl_dim_t(count), 1.0f, left.data, dnnl_dim_t(left.stride), right.data,
                dnnl_dim_t(right.stride), accumulate || begin > 0 ? 1.0f : 0.0f, c.data, dnnl_dim_t(c.stride));
            if (status != dnnl_success) fail("oneDNN: a matrix product ended with status ", int(status));
        }
    }

  private:
    static bool has_avx512() {
        static const bool has = (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
        return has;
    }

    /// An operand that is read down its columns, or a copy of it where its rows lie on few sets of the first cache (64
    /// lines of 64 bytes each way): of smaller products oneDNN reads it as it lies, and takes twice as long. With wider
    /// registers fewer rows are read at a time. `uses`: how often each element is read.
    template <int slot>
    static View<const float> spread(View<const float> x, std::size_t uses) {
        constexpr std::size_t line = 16, sets = 64, fewest = packet_size<float> >= 16 ? 1 : 8;
        if (x.stride % (sets * line / fewest) != 0 || uses < 64) return x;
        const std::size_t stride = ((x.cols + line - 1) / line | 1) * line; // an odd number of lines
        const View<float> copy(thread_scratch<float, slot>(x.rows * stride), x.rows, x.cols, stride);
        for (std::size_t i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, copy.row(i));
        return copy;
    }
};

}
