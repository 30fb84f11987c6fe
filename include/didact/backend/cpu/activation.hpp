#pragma once
#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/math.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

namespace cpu {

template <Activation kind, class T>
T activate(T x) {
    if constexpr (kind == Activation::gelu) {
        return T(0.5) * x * (T(1) + error_function(x * T(std::numbers::sqrt2 / 2)));
    } else if constexpr (kind == Activation::gelu_tanh) {
        const T inner = T(0.7978845608028654) * (x + T(0.044715) * x * x * x);
        return T(0.5) * x * (T(1) + hyperbolic_tangent(inner));
    } else if constexpr (kind == Activation::relu) {
        return x > 0 ? x : T(0);
    } else {
        return hyperbolic_tangent(x);
    }
}

template <Activation kind, class T>
T activation_slope(T x) {
    if constexpr (kind == Activation::gelu) {
        const T cumulative = T(0.5) * (T(1) + error_function(x * T(std::numbers::sqrt2 / 2)));
        return cumulative + x * T(0.3989422804014327) * exponential(T(-0.5) * x * x);
    } else if constexpr (kind == Activation::gelu_tanh) {
        const T c = T(0.7978845608028654), a = T(0.044715);
        const T t = hyperbolic_tangent(c * (x + a * x * x * x));
        return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * c * (T(1) + T(3) * a * x * x);
    } else if constexpr (kind == Activation::relu) {
        return x > 0 ? T(1) : T(0);
    } else {
        const T t = hyperbolic_tangent(x);
        return T(1) - t * t;
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
            for (std::size_t j = 0; j < y.cols; ++j) out[j] = cpu::activate<decltype(constant)::value>(in[j]);
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
            for (std::size_t j = 0; j < dx.cols; ++j)
                out[j] = up[j] * cpu::activation_slope<decltype(constant)::value>(in[j]);
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
