#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>

// GCC says of a register's type as a template argument that its alignment is left out there, which is harmless.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif

/// Vector registers as wide as the compiler may use; a loop over plain floats is often compiled for half of them.
namespace didact::cpu {

template <class T>
using Packet = typename Eigen::internal::packet_traits<T>::type;
template <class T>
inline constexpr std::size_t packet_size = std::size_t(Eigen::internal::unpacket_traits<Packet<T>>::size);

/// A number of rows or columns known to the compiler.
template <std::size_t count>
using Count = std::integral_constant<std::size_t, count>;

template <class T>
Packet<T> load(const T* from) {
    return Eigen::internal::ploadu<Packet<T>>(from);
}
template <class T>
void store(T* to, const Packet<T>& packet) {
    Eigen::internal::pstoreu(to, packet);
}
template <class T>
Packet<T> constant(T value) {
    return Eigen::internal::pset1<Packet<T>>(value);
}

/// x − rate · slope.
template <class T>
Packet<T> descended(const Packet<T>& x, T rate, const Packet<T>& slope) {
    return Eigen::internal::pmadd(constant(-rate), slope, x);
}

/// p₀ + p₁ t + p₂ t² + …
template <class T, std::size_t terms>
Packet<T> polynomial(const Packet<T>& t, const T (&p)[terms]) {
    Packet<T> sum = constant(p[terms - 1]);
    for (std::size_t i = terms - 1; i-- > 0;) sum = Eigen::internal::pmadd(sum, t, constant(p[i]));
    return sum;
}

/// f of each lane, for what has no instructions.
template <class T, class F>
Packet<T> lane_by_lane(const Packet<T>& x, const F& f) {
    T each[packet_size<T>];
    store<T>(each, x);
    for (T& e : each) e = f(e);
    return load<T>(each);
}

/// eˣ to two units in the last place, of floats for x in [−87.3, 88.3] and as at the nearer end beyond; NaN stays NaN.
template <class T>
Packet<T> exponential(const Packet<T>& x) {
    using namespace Eigen::internal;
    if constexpr (std::is_same_v<T, float> && packet_size<T> != 1) {
        // eˣ = 2ⁿ eʳ with n the integer nearest to x / log 2. Added to 1.5 · 2²³ a float is rounded to an integer in
        // its last bits, which with the exponent's bias are 2ⁿ once they are moved to the exponent's place.
        constexpr float to_integer = 12582912 + 127;
        const Packet<T> limited = pmax(pmin(x, constant(88.3f)), constant(-87.3f));
        const Packet<T> shifted = pmadd(limited, constant(1.44269504f), constant(to_integer));
        const Packet<T> n = psub(shifted, constant(to_integer));
        const Packet<T> r = pmadd(n, constant(2.12194440e-4f), pmadd(n, constant(-0.693359375f), limited));
        // The polynomial of degree 6 whose largest relative error on [−log √2, log √2] is least: 2e-9.
        const Packet<T> power = polynomial(r, {1.00000000056f, 1.00000003654f, 0.499999920323f, 0.166664191904f,
                                               0.041668231799f, 0.00837489835763f, 0.00138367421673f});
        using Integers = typename unpacket_traits<Packet<T>>::integer_packet;
        return pmul(power, preinterpret<Packet<T>>(plogical_shift_left<23>(preinterpret<Integers>(shifted))));
    } else if constexpr (packet_size<T> == 1 || packet_traits<T>::HasExp) {
        return pexp(x);
    } else {
        return lane_by_lane<T>(x, [](T e) { return std::exp(e); });
    }
}

/// log x, lane by lane.
template <class T>
Packet<T> logarithm(const Packet<T>& x) {
    using namespace Eigen::internal;
    if constexpr (packet_size<T> == 1 || packet_traits<T>::HasLog) {
        return plog(x);
    } else {
        return lane_by_lane<T>(x, [](T e) { return std::log(e); });
    }
}

/// tanh x of floats, to 4e-7. ±1 for |x| above 8.
inline Packet<float> hyperbolic_tangent(const Packet<float>& x) {
    using namespace Eigen::internal;
    const Packet<float> t = ptanh(x);
#if defined(EIGEN_VECTORIZE_NEON)
    // Eigen 3.4 goes on with the last x at which its quotient is 1 when sums are rounded apart from products. NEON's
    // are not, and the quotient is less, which slopes of large x multiply.
    const Packet<float> one = constant(1.0f), sign = pselect(pcmp_lt(x, constant(0.0f)), pnegate(one), one);
    return pselect(pcmp_lt(constant(7.9f), pabs(x)), sign, t);
#else
    return t;
#endif
}

/// out[j] = f(in[j]...) for j in [0, count), packet by packet; the last elements take the same path, so the bits of an
/// element do not depend on its place. `out` may be one of `in`.
template <class T, class F, class... In>
void map_packets(std::size_t count, T* out, const F& f, const In*... in) {
    static_assert((std::is_same_v<T, In> && ...));
    std::size_t j = 0;
    for (; j + packet_size<T> <= count; j += packet_size<T>) store<T>(out + j, f(load(in + j)...));
    if (j == count) return;
    const auto rest = [&](const T* from) {
        T buffer[packet_size<T>] = {};
        std::copy(from + j, from + count, buffer);
        return load<T>(buffer);
    };
    T buffer[packet_size<T>];
    store<T>(buffer, f(rest(in)...));
    std::copy_n(buffer, count - j, out + j);
}

/// to[j] += from[j] for j in [0, count).
template <class T>
void add_row(std::size_t count, const T* from, T* to) {
    const auto sum = [](const auto& x, const auto& y) { return Eigen::internal::padd(x, y); };
    map_packets<T>(count, to, sum, to, from);
}

/// Σ term(j) for j in [0, count), as 16 sums side by side: a plain sum of floats may not be reordered, so a compiler
/// would leave it scalar.
template <class T, class Term>
T lane_sum(std::size_t count, const Term& term) {
    constexpr std::size_t lanes = 16;
    T sums[lanes] = {};
    std::size_t j = 0;
    for (; j + lanes <= count; j += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += term(j + lane);
    for (; j < count; ++j) sums[0] += term(j);
    T sum = 0;
    for (const T s : sums) sum += s;
    return sum;
}

/// Calls f(i, j) for the j at which packets begin that end in [0, count), in order, with i the place among four at
/// once, or 0 for the last ones. Returns where the elements begin that fill no packet.
template <class T, class F>
[[gnu::always_inline]] inline std::size_t for_each_packet(std::size_t count, const F& f) {
    constexpr std::size_t lanes = packet_size<T>;
    std::size_t j = 0;
    for (; j + 4 * lanes <= count; j += 4 * lanes)
#pragma GCC unroll 4
        for (std::size_t i = 0; i < 4; ++i) f(i, j + i * lanes);
    for (; j + lanes <= count; j += lanes) f(0, j);
    return j;
}

/// Sums of several rows in the making, as a total waits for its last sums: four side by side a row, as each waits for
/// its own last addition.
template <class T, std::size_t rows>
class RowSums {
  public:
    RowSums() {
        // GCC keeps sums in registers where such loops are unrolled, which at -O2 it does not do by itself.
#pragma GCC unroll 4
        for (auto& sums_of_row : sums_)
#pragma GCC unroll 4
            for (Packet<T>& sum : sums_of_row) sum = constant(T(0));
    }

    /// `i` in [0, 4), known to the compiler once loops are unrolled.
    void add(std::size_t row, std::size_t i, const Packet<T>& packet) {
        sums_[row][i] = Eigen::internal::padd(sums_[row][i], packet);
    }

    std::array<T, rows> totals() const {
        using Eigen::internal::padd;
        std::array<T, rows> totals;
#pragma GCC unroll 4
        for (std::size_t row = 0; row < rows; ++row)
            totals[row] =
                Eigen::internal::predux(padd(padd(sums_[row][0], sums_[row][1]), padd(sums_[row][2], sums_[row][3])));
        return totals;
    }

  private:
    Packet<T> sums_[rows][4];
};

/// Σ term(row, at) over packets, for each of `rows` rows, with at(p) = the packet of p[0, count) that is next.
template <class T, std::size_t rows, class Term>
[[gnu::always_inline]] inline std::array<T, rows> sums_of_rows(std::size_t count, const Term& term) {
    RowSums<T, rows> sums;
    const std::size_t j = for_each_packet<T>(count, [&](std::size_t i, std::size_t from) {
#pragma GCC unroll 4
        for (std::size_t row = 0; row < rows; ++row)
            sums.add(row, i, term(row, [&](const T* p) { return load(p + from); }));
    });
    std::array<T, rows> totals = sums.totals();
    if (j == count) return totals;
    const auto rest_of = [&](const T* p) {
        T rest[packet_size<T>] = {};
        std::copy(p + j, p + count, rest);
        return load<T>(rest);
    };
    for (std::size_t row = 0; row < rows; ++row) {
        T rest[packet_size<T>];
        store<T>(rest, term(row, rest_of));
        for (std::size_t k = 0; j + k < count; ++k) totals[row] += rest[k];
    }
    return totals;
}

/// Σ f(in[j]...) for j in [0, count), packet by packet.
template <class T, class F, class... In>
T sum_packets(std::size_t count, const F& f, const In*... in) {
    static_assert((std::is_same_v<T, In> && ...));
    return sums_of_rows<T, 1>(count, [&](std::size_t, const auto& at) { return f(at(in)...); })[0];
}

/// x and y cut into blocks of `size` lanes, each block of even place plus the one after it.
template <class T, std::size_t size, std::size_t... lane>
Packet<T> add_blocks(const Packet<T>& x, const Packet<T>& y, std::index_sequence<lane...>) {
    return Eigen::internal::padd<Packet<T>>(
        __builtin_shufflevector(x, y, int(lane / size * 2 * size + lane % size)...),
        __builtin_shufflevector(x, y, int((lane / size * 2 + 1) * size + lane % size)...));
}

/// The sum of the lanes of each of `count` packets, a power of two that is no more than their lanes, in the first lanes
/// of one: halves are added to halves, those of two packets side by side. A sum's bits depend on its packet alone.
template <class T, std::size_t count, std::size_t size = packet_size<T> / 2>
[[gnu::always_inline]] inline Packet<T> fold_lanes(const Packet<T>* x) {
    if constexpr (size == 0) {
        return x[0];
    } else {
        constexpr std::size_t half = std::max<std::size_t>(count / 2, 1);
        Packet<T> folded[half];
#pragma GCC unroll 16
        for (std::size_t i = 0; i < half; ++i)
            folded[i] = add_blocks<T, size>(x[2 * i], x[count == 1 ? 0 : 2 * i + 1],
                                            std::make_index_sequence<packet_size<T>>());
        return fold_lanes<T, half, size / 2>(folded);
    }
}

/// out[i] = the sum of the lanes of x[i], for i in [0, count); writes up to a packet's lanes beyond.
template <class T, std::size_t count>
[[gnu::always_inline]] inline void sums_of_lanes(const Packet<T>* x, T* out) {
    constexpr std::size_t now = std::bit_floor(std::min(count, packet_size<T>));
    store<T>(out, fold_lanes<T, now>(x));
    if constexpr (count > now) sums_of_lanes<T, count - now>(x + now, out + now);
}

/// The largest of x[0], …, x[count − 1]; count > 0.
template <class T>
T largest(std::size_t count, const T* x) {
    T best = x[0];
    std::size_t j = 0;
    if (count >= packet_size<T>) {
        Packet<T> many = load(x);
        for (j = packet_size<T>; j + packet_size<T> <= count; j += packet_size<T>)
            many = Eigen::internal::pmax(many, load(x + j));
        best = Eigen::internal::predux_max(many);
    }
    for (; j < count; ++j) best = x[j] > best ? x[j] : best;
    return best;
}

/// out[j] = exp(x[j] − shift) for j in [0, count), and their sum; `out` may be x, or null where only the sum is wanted.
template <class T>
T shifted_exponentials(std::size_t count, const T* x, T shift, T* out) {
    using namespace Eigen::internal;
    const Packet<T> shifts = constant(shift);
    const auto f = [&](const Packet<T>& p) { return exponential<T>(psub(p, shifts)); };
    Packet<T> sums = constant(T(0));
    std::size_t j = 0;
    for (; j + packet_size<T> <= count; j += packet_size<T>) {
        const Packet<T> e = f(load(x + j));
        sums = padd(sums, e);
        if (out != nullptr) store<T>(out + j, e);
    }
    T sum = predux(sums), rest[packet_size<T>];
    map_packets(count - j, rest, f, x + j);
    for (std::size_t k = 0; j + k < count; ++k) {
        sum += rest[k];
        if (out != nullptr) out[j + k] = rest[k];
    }
    return sum;
}

}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
