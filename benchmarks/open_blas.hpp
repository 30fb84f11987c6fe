#pragma once
#include <cblas.h>

#include "didact/backend/backend.hpp"

namespace benchmarks {

using namespace didact;

/// OpenBLAS's product of floats on one thread, to measure others by. It is no provider: on AVX2 it adds up the first
/// six of twelve rows in another order than the last six, so that a row's bits would depend on its place in the batch.
struct OpenBlasGemm {
    using Operand = float;
    static constexpr const char* name = "OpenBLAS";

    static void product(Transpose transpose_a, View<const float> a, Transpose transpose_b, View<const float> b,
                        View<float> c, bool accumulate) {
        openblas_set_num_threads(1);
        const std::size_t terms = transpose_a == Transpose::no ? a.cols : a.rows;
        cblas_sgemm(CblasRowMajor, layout(transpose_a), layout(transpose_b), int(c.rows), int(c.cols), int(terms), 1.0f,
                    a.data, int(a.stride), b.data, int(b.stride), accumulate ? 1.0f : 0.0f, c.data, int(c.stride));
    }

  private:
    static CBLAS_TRANSPOSE layout(Transpose transpose) {
        return transpose == Transpose::no ? CblasNoTrans : CblasTrans;
    }
};

}
