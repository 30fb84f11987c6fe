#pragma once
#include <cmath>
#include <span>

#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

/// loss[i] = mean over outputs of max(z, 0) − z t + log(1 + e^−|z|), PyTorch's `binary_cross_entropy_with_logits`.
/// logits: (rows, labels), targets: rows · labels numbers in [0, 1].
template <CpuBackend B>
void binary_cross_entropy_forward(Context<B>& context, View<const Scalar<B>> logits, std::span<const float> targets,
                                  std::span<Scalar<B>> losses) {
    using T = Scalar<B>;
    cpu::for_each_row(context, logits.rows, logits.cols, [&](std::size_t i) {
        T sum = 0;
        for (std::size_t j = 0; j < logits.cols; ++j) {
            const T z = logits(i, j), t = T(targets[i * logits.cols + j]);
            sum += std::max(z, T(0)) - z * t + std::log1p(std::exp(-std::abs(z)));
        }
        losses[i] = sum / T(logits.cols);
    });
}

/// dlogits = weights[i] / labels · (sigmoid(z) − t); dlogits may be logits.
template <CpuBackend B>
void binary_cross_entropy_backward(Context<B>& context, View<const Scalar<B>> logits, std::span<const float> targets,
                                   std::span<const Scalar<B>> weights, View<Scalar<B>> dlogits) {
    using T = Scalar<B>;
    cpu::for_each_row(context, logits.rows, logits.cols, [&](std::size_t i) {
        for (std::size_t j = 0; j < logits.cols; ++j)
            dlogits(i, j) = weights[i] / T(logits.cols) *
                            (T(1) / (T(1) + std::exp(-logits(i, j))) - T(targets[i * logits.cols + j]));
    });
}

/// loss[i] = mean over outputs of (z − t)², PyTorch's `mse_loss`.
template <CpuBackend B>
void squared_error_forward(Context<B>& context, View<const Scalar<B>> outputs, std::span<const float> targets,
                           std::span<Scalar<B>> losses) {
    using T = Scalar<B>;
    cpu::for_each_row(context, outputs.rows, outputs.cols, [&](std::size_t i) {
        T sum = 0;
        for (std::size_t j = 0; j < outputs.cols; ++j) {
            const T error = outputs(i, j) - T(targets[i * outputs.cols + j]);
            sum += error * error;
        }
        losses[i] = sum / T(outputs.cols);
    });
}

/// doutputs = weights[i] · 2 (z − t) / outputs; doutputs may be outputs.
template <CpuBackend B>
void squared_error_backward(Context<B>& context, View<const Scalar<B>> outputs, std::span<const float> targets,
                            std::span<const Scalar<B>> weights, View<Scalar<B>> doutputs) {
    using T = Scalar<B>;
    cpu::for_each_row(context, outputs.rows, outputs.cols, [&](std::size_t i) {
        for (std::size_t j = 0; j < outputs.cols; ++j)
            doutputs(i, j) = weights[i] * T(2) * (outputs(i, j) - T(targets[i * outputs.cols + j])) / T(outputs.cols);
    });
}

/// RankNet (Burges et al. 2005): Σ log(1 + e^−(zᵢ − zⱼ)) over the ordered pairs of rows of one group in which i is more
/// relevant than j, each pair weighing √(weights[i] weights[j]). scores: (rows, 1). losses[i] collects half of each of
/// its pairs; dscores is written, times `scale`, unless it is empty. Returns the weighted sum over pairs.
template <CpuBackend B>
double pairwise_logistic(Context<B>&, View<const Scalar<B>> scores, std::span<const std::int32_t> groups,
                         std::span<const float> relevance, std::span<const float> weights, std::span<Scalar<B>> losses,
                         double scale, View<Scalar<B>> dscores) {
    using T = Scalar<B>;
    double total = 0;
    for (std::size_t i = 0; i < scores.rows; ++i) {
        losses[i] = 0;
        if (!dscores.empty()) dscores(i, 0) = 0;
    }
    for (std::size_t i = 0; i < scores.rows; ++i)
        for (std::size_t j = 0; j < scores.rows; ++j) {
            if (groups[i] != groups[j] || !(relevance[i] > relevance[j])) continue;
            const double weight = std::sqrt(double(weights[i]) * weights[j]);
            const double margin = double(scores(i, 0)) - double(scores(j, 0));
            const double loss = std::max(-margin, 0.0) + std::log1p(std::exp(-std::abs(margin)));
            total += weight * loss;
            losses[i] += T(loss / 2);
            losses[j] += T(loss / 2);
            if (dscores.empty()) continue;
            const double slope = -scale * weight / (1 + std::exp(margin));
            dscores(i, 0) += T(slope);
            dscores(j, 0) -= T(slope);
        }
    return total;
}

}
