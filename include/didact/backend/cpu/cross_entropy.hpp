#pragma once
#include <cmath>
#include <cstdint>
#include <span>

#include "didact/backend/cpu.hpp"
#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/math.hpp"

namespace didact {

/// loss[i] = −Σ_c t_c log softmax(logits[i])_c with t = (1 − ε) onehot(labels[i]) + ε / C, the label smoothing of
/// Szegedy et al. 2016 as PyTorch's `cross_entropy` has it. logits: (rows, C). log_sums[i] = log Σ exp(logits[i]) is
/// kept.
template <class T>
void cross_entropy_forward(Context<Cpu<T>>& context, View<const std::type_identity_t<T>> logits,
                           std::span<const std::int32_t> labels, double smoothing, std::span<T> log_sums,
                           std::span<T> losses) {
    cpu::for_each_row(context, logits.rows, logits.cols, [&](std::size_t i) {
        const T* z = logits.row(i);
        const std::size_t classes = logits.cols;
        const T top = cpu::lane_max<T>(classes, z[0], [&](std::size_t j) { return z[j]; });
        log_sums[i] =
            top + std::log(cpu::lane_sum<T>(classes, [&](std::size_t j) { return cpu::exponential(z[j] - top); }));
        T loss = T(1 - smoothing) * (log_sums[i] - z[labels[i]]);
        if (smoothing > 0)
            loss += T(smoothing) *
                    (log_sums[i] - cpu::lane_sum<T>(classes, [&](std::size_t j) { return z[j]; }) / T(classes));
        losses[i] = loss;
    });
}

/// dlogits[i] = weights[i] · (softmax(logits[i]) − t); dlogits may be logits.
template <class T>
void cross_entropy_backward(Context<Cpu<T>>& context, View<const std::type_identity_t<T>> logits,
                            std::span<const std::int32_t> labels, double smoothing, std::span<const T> log_sums,
                            std::span<const T> weights, View<T> dlogits) {
    cpu::for_each_row(context, logits.rows, logits.cols, [&](std::size_t i) {
        const T* z = logits.row(i);
        T* out = dlogits.row(i);
        const T w = weights[i], log_sum = log_sums[i], rest = T(smoothing / double(logits.cols));
        for (std::size_t j = 0; j < logits.cols; ++j) out[j] = w * (cpu::exponential(z[j] - log_sum) - rest);
        out[labels[i]] -= w * T(1 - smoothing);
    });
}

}
