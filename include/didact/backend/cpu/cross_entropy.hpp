#pragma once
#include <cmath>
#include <cstdint>
#include <span>

#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

/// loss[i] = −Σ_c t_c u_c log softmax(logits[i])_c with t = (1 − ε) onehot(labels[i]) + ε / C, the label smoothing of
/// Szegedy et al. 2016, and class weights u (empty: 1 each), both as PyTorch's `cross_entropy` has them. logits: (rows,
/// C). log_sums[i] = log Σ exp(logits[i]) is kept.
template <CpuBackend B>
void cross_entropy_forward(Context<B>& context, View<const Scalar<B>> logits, std::span<const std::int32_t> labels,
                           double smoothing, std::span<Scalar<B>> log_sums, std::span<Scalar<B>> losses,
                           std::span<const float> class_weights = {}) {
    using T = Scalar<B>;
    const T class_sum = cpu::lane_sum<T>(class_weights.size(), [&](std::size_t j) { return T(class_weights[j]); });
    cpu::for_each_row(context, logits.rows, logits.cols, [&](std::size_t i) {
        const T* z = logits.row(i);
        const std::size_t classes = logits.cols;
        const T top = cpu::largest<T>(classes, z);
        log_sums[i] = top + std::log(cpu::shifted_exponentials<T>(classes, z, top, nullptr));
        T loss = T(1 - smoothing) * (log_sums[i] - z[labels[i]]);
        if (!class_weights.empty()) loss *= T(class_weights[std::size_t(labels[i])]);
        if (smoothing > 0 && class_weights.empty())
            loss += T(smoothing) *
                    (log_sums[i] - cpu::lane_sum<T>(classes, [&](std::size_t j) { return z[j]; }) / T(classes));
        else if (smoothing > 0)
            loss += T(smoothing / double(classes)) *
                    (class_sum * log_sums[i] -
                     cpu::lane_sum<T>(classes, [&](std::size_t j) { return T(class_weights[j]) * z[j]; }));
        losses[i] = loss;
    });
}

namespace cpu {

/// w · (e^(z_c − log_sum) − rest) of `count` columns, those of softmax from `first` on, less w · gold where the label
/// is one of them. out may be z.
template <class T>
void cross_entropy_gradient_row(std::size_t first, std::size_t count, const T* z, T log_sum, T w, T rest,
                                std::size_t label, T gold, T* out) {
    using namespace Eigen::internal;
    const auto gradient = [log_sums = constant(log_sum), ws = constant(w), rests = constant(rest)](const auto& p) {
        return pmul(ws, psub(exponential<T>(psub(p, log_sums)), rests));
    };
    map_packets(count, out, gradient, z);
    if (label >= first && label - first < count) out[label - first] -= w * gold;
}

}

/// dlogits[i]_c = weights[i] · (softmax(logits[i])_c Σ_k t_k u_k − t_c u_c); dlogits may be logits.
template <CpuBackend B>
void cross_entropy_backward(Context<B>& context, View<const Scalar<B>> logits, std::span<const std::int32_t> labels,
                            double smoothing, std::span<const Scalar<B>> log_sums, std::span<const Scalar<B>> weights,
                            View<Scalar<B>> dlogits, std::span<const float> class_weights = {}) {
    using T = Scalar<B>;
    const T class_sum = cpu::lane_sum<T>(class_weights.size(), [&](std::size_t j) { return T(class_weights[j]); });
    cpu::for_each_row(context, logits.rows, logits.cols, [&](std::size_t i) {
        const T* z = logits.row(i);
        T* out = dlogits.row(i);
        const T w = weights[i], log_sum = log_sums[i], rest = T(smoothing / double(logits.cols));
        if (class_weights.empty()) {
            cpu::cross_entropy_gradient_row<T>(0, logits.cols, z, log_sum, w, rest, std::size_t(labels[i]),
                                               T(1 - smoothing), out);
        } else {
            cpu::shifted_exponentials<T>(logits.cols, z, log_sum, out);
            const T gold = T(1 - smoothing) * T(class_weights[std::size_t(labels[i])]), sum = gold + rest * class_sum;
            for (std::size_t j = 0; j < logits.cols; ++j) out[j] = w * (out[j] * sum - rest * T(class_weights[j]));
            out[labels[i]] -= w * gold;
        }
    });
}

}
