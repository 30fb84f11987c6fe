#pragma once
#include <cmath>
#include <numbers>

#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

namespace cpu {

/// Φ(x), the distribution function of the normal distribution, to 2e-7: ½ + x P(x²) / Q(x²) up to where it is 0 or 1
/// to that accuracy, with the coefficients that make the largest error least.
inline Packet<float> normal_distribution(const Packet<float>& x) {
    using namespace Eigen::internal;
    static constexpr float p[] = {0.3989422403f,   0.03360700527f, 4.663609432e-3f,
                                  1.665088088e-4f, 6.35459399e-6f, 2.306428744e-8f};
    static constexpr float q[] = {1.0f,           0.2509062775f, 0.02850888449f, 1.871330457e-3f, 7.299838498e-5f,
                                  1.206840263e-6f};
    const Packet<float> near = pmax(pmin(x, constant(5.45f)), constant(-5.45f)), square = pmul(near, near);
    const Packet<float> above_half = pdiv(pmul(near, polynomial(square, p)), polynomial(square, q));
    return pmax(padd(constant(0.5f), above_half), constant(0.0f));
}
inline double normal_distribution(double x) { return 0.5 * std::erfc(-x * (std::numbers::sqrt2 / 2)); }

/// The functions and their slopes, of doubles (which serve gradient checks) and of packets of floats.
template <Activation kind>
double activate(double x) {
    if constexpr (kind == Activation::gelu)
        return x * normal_distribution(x);
    else if constexpr (kind == Activation::gelu_tanh)
        return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    else
        return std::tanh(x);
}

template <Activation kind>
double activation_slope(double x) {
    if constexpr (kind == Activation::gelu) {
        return normal_distribution(x) + x * 0.3989422804014327 * std::exp(-0.5 * x * x);
    } else if constexpr (kind == Activation::gelu_tanh) {
        const double c = 0.7978845608028654, a = 0.044715, t = std::tanh(c * (x + a * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * a * x * x);
    } else {
        const double t = std::tanh(x);
        return 1 - t * t;
    }
}

template <Activation kind>
Packet<float> activate(const Packet<float>& x) {
    using namespace Eigen::internal;
    if constexpr (kind == Activation::gelu) {
        return pmul(x, normal_distribution(x));
    } else if constexpr (kind == Activation::gelu_tanh) {
        const Packet<float> inner = polynomial(pmul(x, x), {0.7978845608028654f, 0.7978845608028654f * 0.044715f});
        const Packet<float> half = pmul(x, constant(0.5f));
        return pmadd(half, ptanh(pmul(x, inner)), half);
    } else {
        return ptanh(x);
    }
}

template <Activation kind>
Packet<float> activation_slope(const Packet<float>& x) {
    using namespace Eigen::internal;
    const Packet<float> square = pmul(x, x), one = constant(1.0f);
    if constexpr (kind == Activation::gelu) {
        const Packet<float> density = exponential<float>(pmul(square, constant(-0.5f)));
        return pmadd(pmul(x, constant(0.3989422804014327f)), density, normal_distribution(x));
    } else if constexpr (kind == Activation::gelu_tanh) {
        constexpr float c = 0.7978845608028654f, a = 0.044715f;
        const Packet<float> t = ptanh(pmul(x, polynomial(square, {c, c * a})));
        const Packet<float> inner_slope = pmul(x, polynomial(square, {c, 3 * c * a}));
        const Packet<float> sum = pmadd(inner_slope, psub(one, pmul(t, t)), padd(one, t));
        return pmul(constant(0.5f), sum);
    } else {
        const Packet<float> t = ptanh(x);
        return psub(one, pmul(t, t));
    }
}

template <class Call>
void with_activation(Activation kind, const Call& call) {
    switch (kind) {
    case Activation::gelu:
        return call(std::integral_constant<Activation, Activation::gelu>());
    case Activation::gelu_tanh:
        return call(std::integral_constant<Activation, Activation::gelu_tanh>());
    case Activation::relu:
        return call(std::integral_constant<Activation, Activation::relu>());
    case Activation::tanh:
        return call(std::integral_constant<Activation, Activation::tanh>());
    }
}

}

/// y = activation(x), element by element; y may be x.
template <class T>
void activation_forward(Context<Cpu<T>>& context, Activation kind, View<const std::type_identity_t<T>> x, View<T> y) {
    cpu::with_activation(kind, [&](auto constant) {
        cpu::for_each_row(context, y.rows, y.cols, [&](std::size_t i) {
            const T* in = x.row(i);
            T* out = y.row(i);
            constexpr Activation kind = decltype(constant)::value;
            if constexpr (kind == Activation::relu)
                for (std::size_t j = 0; j < y.cols; ++j) out[j] = in[j] > 0 ? in[j] : T(0);
            else if constexpr (std::is_same_v<T, float>)
                cpu::map_packets(
                    y.cols, out, [](const auto& p) { return cpu::activate<kind>(p); }, in);
            else
                for (std::size_t j = 0; j < y.cols; ++j) out[j] = cpu::activate<kind>(in[j]);
        });
    });
}

/// dx = dy ⊙ activation′(x); dx may be dy.
template <class T>
void activation_backward(Context<Cpu<T>>& context, Activation kind, View<const std::type_identity_t<T>> x,
                         View<const std::type_identity_t<T>> dy, View<T> dx) {
    cpu::with_activation(kind, [&](auto constant) {
        cpu::for_each_row(context, dx.rows, dx.cols, [&](std::size_t i) {
            const T *in = x.row(i), *up = dy.row(i);
            T* out = dx.row(i);
            constexpr Activation kind = decltype(constant)::value;
            if constexpr (kind == Activation::relu)
                for (std::size_t j = 0; j < dx.cols; ++j) out[j] = in[j] > 0 ? up[j] : T(0);
            else if constexpr (std::is_same_v<T, float>)
                cpu::map_packets(
                    dx.cols, out,
                    [](const auto& dy, const auto& x) {
                        return Eigen::internal::pmul(dy, cpu::activation_slope<kind>(x));
                    },
                    up, in);
            else
                for (std::size_t j = 0; j < dx.cols; ++j) out[j] = up[j] * cpu::activation_slope<kind>(in[j]);
        });
    });
}

/// dy ⊙ (1 − y²) in place, for y = tanh(x).
template <class T>
void tanh_backward_from_output(Context<Cpu<T>>& context, View<const std::type_identity_t<T>> y, View<T> dy) {
    cpu::for_each_row(context, dy.rows, dy.cols, [&](std::size_t i) {
        const T* out = y.row(i);
        T* up = dy.row(i);
        for (std::size_t j = 0; j < dy.cols; ++j) up[j] *= T(1) - out[j] * out[j];
    });
}

}
