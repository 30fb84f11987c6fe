#pragma once
#include <Eigen/Core>
#include <functional>
#include <memory>

#include "didact/backend/cpu.hpp"
#include "didact/core/aligned_memory.hpp"

/// What a machine does at most, of the kinds of work that kernels of a training step are made of.
namespace benchmarks {

using namespace didact;

struct Work {
    double amount; ///< operations, or bytes
    std::function<void()> call;
};

/// About `count` multiplications and additions of floats, in registers only.
inline Work fused_multiply_adds(double count) {
    using namespace Eigen::internal;
    using Packet = packet_traits<float>::type;
    constexpr std::size_t chains = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 16 : 8;
    constexpr std::size_t of_round = chains * sizeof(Packet) / sizeof(float);
    const std::size_t rounds = std::size_t(count) / of_round;
    return {2.0 * double(rounds * of_round), [rounds] {
                [[maybe_unused]] static volatile float sink;
                static volatile float seed = 0.9f;
                const float begin = seed;
                Packet sums[chains];
                for (Packet& sum : sums) sum = pset1<Packet>(begin);
                const Packet factor = pset1<Packet>(0.999f);
                for (std::size_t i = 0; i < rounds; ++i)
                    for (Packet& sum : sums) sum = pmadd(sum, factor, factor);
                Packet all = sums[0];
                for (const Packet& sum : sums) all = padd(all, sum);
                sink = predux(all);
            }};
}

#if DIDACT_WITH_AMX
/// Products of tiles that lie in the first cache.
inline Work tile_products() {
    constexpr std::size_t width = cpu::AmxPanels::panel_width, chunks = 4, rounds = 1000;
    const auto panels = std::make_shared<AlignedVector<bf16>>(2 * chunks * cpu::AmxPanels::chunk_elements, bf16{});
    const auto sums = std::make_shared<AlignedVector<float>>(width * width, 0.0f);
    return {2.0 * double(width * width * chunks * cpu::AmxPanels::terms * rounds), [panels, sums] {
                const cpu::AmxRegisters<float> registers;
                for (std::size_t i = 0; i < rounds; ++i)
                    registers.multiply(panels->data(), panels->data() + panels->size() / 2, chunks, nullptr, 0,
                                       sums->data(), width);
            }};
}
#endif

/// a = b + s c over three arrays of `bytes` in all.
inline Work triad(double bytes) {
    const std::size_t n = std::size_t(bytes / 12) / 16 * 16;
    const auto arrays = std::make_shared<AlignedVector<float>>(3 * n, 1.0f);
    return {12.0 * double(n), [arrays, n] {
                float* const x = arrays->data();
                const float *const y = x + n, *const z = y + n;
                for (std::size_t i = 0; i < n; ++i) x[i] = y[i] + 0.5f * z[i];
            }};
}

/// The sum of an array of `bytes`.
inline Work sum_of_array(double bytes) {
    const auto array = std::make_shared<AlignedVector<float>>(std::size_t(bytes / sizeof(float)), 1.0f);
    return {double(array->size() * sizeof(float)), [array] {
                [[maybe_unused]] static volatile float sink;
                sink = cpu::sum_packets<float>(
                    array->size(), [](const auto& x) { return x; }, array->data());
            }};
}

}
