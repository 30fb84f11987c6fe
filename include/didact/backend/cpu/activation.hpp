#pragma once
#include <cmath>
#include <numbers>

#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/tag.hpp"

namespace didact {

namespace cpu {

/// What GELU and its slope are made of, for |x|: e^(−x²/2), and the upper tail of the normal distribution, Φ(−|x|), as
/// that times a polynomial in t = 1 / (1 + 0.3 |x|), the form of Abramowitz and Stegun 26.2.17, with the coefficients
/// that make the largest error of GELU least (4e-8, before rounding).
struct NormalTail {
    Packet<float> distance, density, tail;

    explicit NormalTail(const Packet<float>& x) : distance(Eigen::internal::pabs(x)) {
        using namespace Eigen::internal;
        static constexpr float p[] = {0.1169939271f,  0.1338465771f, 0.09308648287f,
                                      0.04618093365f, 0.1782348213f, -0.0683428612f};
        density = exponential<float>(pmul(pmul(x, x), constant(-0.5f)));
        const Packet<float> t = pdiv(constant(1.0f), pmadd(distance, constant(0.3f), constant(1.0f)));
        tail = pmul(pmul(density, t), polynomial(t, p));
    }
};

/// Φ(x), the distribution function of the normal distribution.
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
        const NormalTail normal(x);
        return psub(pmax(x, constant(0.0f)), pmul(normal.distance, normal.tail));
    } else if constexpr (kind == Activation::gelu_tanh) {
        const Packet<float> inner = polynomial(pmul(x, x), {0.7978845608028654f, 0.7978845608028654f * 0.044715f});
        const Packet<float> half = pmul(x, constant(0.5f));
        return pmadd(half, hyperbolic_tangent(pmul(x, inner)), half);
    } else {
        return hyperbolic_tangent(x);
    }
}

template <Activation kind>
Packet<float> activation_slope(const Packet<float>& x) {
    using namespace Eigen::internal;
    const Packet<float> square = pmul(x, x), one = constant(1.0f);
    if constexpr (kind == Activation::gelu) {
        const NormalTail normal(x);
        const Packet<float> scaled = pmul(normal.distance, constant(0.3989422804014327f));
        const Packet<float> below = psub(normal.tail, pmul(scaled, normal.density)); // the slope at −|x|
        return pselect(pcmp_lt(x, constant(0.0f)), below, psub(one, below));
    } else if constexpr (kind == Activation::gelu_tanh) {
        constexpr float c = 0.7978845608028654f, a = 0.044715f;
        const Packet<float> t = hyperbolic_tangent(pmul(x, polynomial(square, {c, c * a})));
        const Packet<float> inner_slope = pmul(x, polynomial(square, {c, 3 * c * a}));
        const Packet<float> sum = pmadd(inner_slope, psub(one, pmul(t, t)), padd(one, t));
        return pmul(constant(0.5f), sum);
    } else {
        const Packet<float> t = hyperbolic_tangent(x);
        return psub(one, pmul(t, t));
    }
}

/// ½ + x p(2 x² / 4.5² − 1) for |x| below 4.5, and its value there, 0 or 1, beyond.
inline Packet<float> smooth_step(const Packet<float>& x, const float (&p)[10]) {
    using namespace Eigen::internal;
    constexpr float end = 4.5f;
    const Packet<float> limited = pmax(pmin(x, constant(end)), constant(-end));
    const Packet<float> u = pmadd(pmul(limited, limited), constant(2 / (end * end)), constant(-1.0f));
    return pmadd(limited, polynomial(u, p), constant(0.5f));
}

/// Whether products round what they take, so that half the arithmetic gives all the digits that they see.
template <CpuBackend B, Activation kind>
inline constexpr bool takes_rounded = std::is_same_v<typename B::Operand, bf16> &&
                                      (kind == Activation::gelu || kind == Activation::gelu_tanh);

/// GELU to 2e-5 per unit of x, of either kind. The coefficients make the largest error least.
template <Activation kind>
Packet<float> activate_to_be_rounded(const Packet<float>& x) {
    static constexpr float normal[] = {0.156904208f,   -0.077176215f,   0.0547219023f, -0.0404296601f,
                                       0.0282865588f,  -0.0175113894f,  0.0108381479f, -0.00780422911f,
                                       0.00421849747f, -0.000936710043f};
    static constexpr float tanh[] = {0.156938645f,   -0.0772834072f, 0.0547633377f,   -0.0402671776f, 0.0283602457f,
                                     -0.0174679524f, 0.00949006841f, -0.00697809755f, 0.00543483072f, -0.00187938166f};
    return Eigen::internal::pmul(x, smooth_step(x, kind == Activation::gelu ? normal : tanh));
}

/// Its slope, to 1e-4.
template <Activation kind>
Packet<float> slope_to_be_rounded(const Packet<float>& x) {
    static constexpr float normal[] = {0.159451359f,   -0.0899445847f, 0.0859306162f,  -0.0948911959f, 0.106752363f,
                                       -0.0902950419f, 0.0442060054f,  -0.0408246981f, 0.0581640013f,  -0.0274377132f};
    static constexpr float tanh[] = {0.159311338f,  -0.0899282921f, 0.0869655956f,  -0.097672327f, 0.108858853f,
                                     -0.085649428f, 0.0355233756f,  -0.0399588012f, 0.0636653403f, -0.0300045438f};
    return smooth_step(x, kind == Activation::gelu ? normal : tanh);
}

/// `value` where x > 0, and 0 elsewhere.
template <class P>
P where_positive(const P& x, const P& value) {
    using namespace Eigen::internal;
    return pand(pcmp_lt(pzero(x), x), value);
}

/// out[j] = activation(x[j]) for j in [0, count); out may be x.
template <CpuBackend B, Activation kind>
void activate_row(std::size_t count, const Scalar<B>* x, Scalar<B>* out) {
    using T = Scalar<B>;
    if constexpr (kind == Activation::relu)
        map_packets(
            count, out, [](const auto& p) { return where_positive(p, p); }, x);
    else if constexpr (takes_rounded<B, kind>)
        map_packets(
            count, out, [](const auto& p) { return activate_to_be_rounded<kind>(p); }, x);
    else if constexpr (std::is_same_v<T, float>)
        map_packets(
            count, out, [](const auto& p) { return activate<kind>(p); }, x);
    else
        for (std::size_t j = 0; j < count; ++j) out[j] = activate<kind>(x[j]);
}

/// out[j] = activation′(x[j]) for j in [0, count).
template <CpuBackend B, Activation kind>
void activation_slope_row(std::size_t count, const Scalar<B>* x, Scalar<B>* out) {
    using T = Scalar<B>;
    if constexpr (kind == Activation::relu)
        map_packets(
            count, out, [](const auto& p) { return where_positive(p, constant(T(1))); }, x);
    else if constexpr (takes_rounded<B, kind>)
        map_packets(
            count, out, [](const auto& p) { return slope_to_be_rounded<kind>(p); }, x);
    else if constexpr (std::is_same_v<T, float>)
        map_packets(
            count, out, [](const auto& p) { return activation_slope<kind>(p); }, x);
    else
        for (std::size_t j = 0; j < count; ++j) out[j] = activation_slope<kind>(x[j]);
}

/// out[j] = dy[j] · activation′(x[j]) for j in [0, count); out may be dy.
template <CpuBackend B, Activation kind>
void activation_gradient_row(std::size_t count, const Scalar<B>* x, const Scalar<B>* dy, Scalar<B>* out) {
    using T = Scalar<B>;
    if constexpr (kind == Activation::relu)
        map_packets(
            count, out, [](const auto& p, const auto& up) { return where_positive(p, up); }, x, dy);
    else if constexpr (takes_rounded<B, kind>)
        map_packets(
            count, out,
            [](const auto& dy, const auto& x) { return Eigen::internal::pmul(dy, slope_to_be_rounded<kind>(x)); }, dy,
            x);
    else if constexpr (std::is_same_v<T, float>)
        map_packets(
            count, out,
            [](const auto& dy, const auto& x) { return Eigen::internal::pmul(dy, activation_slope<kind>(x)); }, dy, x);
    else
        for (std::size_t j = 0; j < count; ++j) out[j] = dy[j] * activation_slope<kind>(x[j]);
}

/// call(std::integral_constant<Activation, kind>()).
template <class Call>
auto with_activation(Activation kind, const Call& call) {
    switch (kind) {
    case Activation::gelu:
        return call(std::integral_constant<Activation, Activation::gelu>());
    case Activation::gelu_tanh:
        return call(std::integral_constant<Activation, Activation::gelu_tanh>());
    case Activation::relu:
        return call(std::integral_constant<Activation, Activation::relu>());
    case Activation::tanh:
        break;
    }
    return call(std::integral_constant<Activation, Activation::tanh>());
}

template <CpuBackend B>
auto activation_of_row(Activation kind) {
    return with_activation(kind, [](auto constant) { return &activate_row<B, decltype(constant)::value>; });
}
template <CpuBackend B>
auto activation_slope_of_row(Activation kind) {
    return with_activation(kind, [](auto constant) { return &activation_slope_row<B, decltype(constant)::value>; });
}
template <CpuBackend B>
auto activation_gradient_of_row(Activation kind) {
    return with_activation(kind, [](auto constant) { return &activation_gradient_row<B, decltype(constant)::value>; });
}

}

/// y = activation(x), element by element; y may be x.
template <CpuBackend B>
void activation_forward(Context<B>& context, Activation kind, View<const Scalar<B>> x, View<Scalar<B>> y) {
    const auto activate = cpu::activation_of_row<B>(kind);
    cpu::for_each_row(context, y.rows, y.cols, [&](std::size_t i) { activate(y.cols, x.row(i), y.row(i)); });
}

/// dx = dy ⊙ activation′(x); dx may be dy. Where dy has a multiple of x's rows, each row of x serves as many of them,
/// one group after another.
template <CpuBackend B>
void activation_backward(Context<B>& context, Activation kind, View<const Scalar<B>> x, View<const Scalar<B>> dy,
                         View<Scalar<B>> dx) {
    const auto gradient = cpu::activation_gradient_of_row<B>(kind);
    const std::size_t each = std::max<std::size_t>(1, dx.rows / std::max<std::size_t>(1, x.rows));
    cpu::for_each_row(context, dx.rows, dx.cols,
                      [&](std::size_t i) { gradient(dx.cols, x.row(i / each), dy.row(i), dx.row(i)); });
}

/// dy ⊙ (1 − y²) in place, for y = tanh(x).
template <CpuBackend B>
void tanh_backward_from_output(Context<B>& context, View<const Scalar<B>> y, View<Scalar<B>> dy) {
    using T = Scalar<B>;
    cpu::for_each_row(context, dy.rows, dy.cols, [&](std::size_t i) {
        const T* const out = y.row(i);
        T* const up = dy.row(i);
        cpu::map_elements(dy.cols, up, [&](std::size_t j) { return up[j] * (T(1) - out[j] * out[j]); });
    });
}

}
