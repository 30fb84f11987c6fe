#pragma once
#include "didact/backend/backend.hpp"

namespace didact {

/// The CPU backend: `Cpu<float>` to train, `Cpu<double>` to check gradients.
template <std::floating_point T>
struct Cpu {
    using Scalar = T;
    using Accumulator = double;
    static constexpr const char* name = sizeof(T) == 4 ? "cpu-float32" : "cpu-float64";
};

}

#include "didact/backend/cpu/activation.hpp"
#include "didact/backend/cpu/attention.hpp"
#include "didact/backend/cpu/cross_entropy.hpp"
#include "didact/backend/cpu/dropout.hpp"
#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/embedding.hpp"
#include "didact/backend/cpu/gemm.hpp"
#include "didact/backend/cpu/layer_norm.hpp"
#include "didact/backend/cpu/pointwise_loss.hpp"
#include "didact/backend/cpu/reduce.hpp"
