#pragma once
#include "didact/backend/cpu/amx_panels.hpp"

#if DIDACT_WITH_AMX
#include <atomic>

namespace didact::cpu {

/// Stands in for the header of the same name: what tile registers compute, in plain loops, so that all around them is
/// tested where there are none. Packing has its instructions still, so AVX512-BF16 is needed.
template <class T>
class AmxRegisters {
    static constexpr std::size_t width = AmxPanels::panel_width;

  public:
    static inline std::atomic<std::size_t> made = 0; ///< objects so far

    static bool serves() {
        return __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512bf16") != 0;
    }

    AmxRegisters() { ++made; }
    ~AmxRegisters() {}
    AmxRegisters(const AmxRegisters&) = delete;
    AmxRegisters& operator=(const AmxRegisters&) = delete;

    void multiply(const bf16* left, const bf16* right, std::size_t chunks, const T* start, std::size_t start_stride,
                  T* c, std::size_t stride, const T* = nullptr) const {
        T sums[width][width];
        for (std::size_t i = 0; i < width; ++i)
            for (std::size_t j = 0; j < width; ++j) sums[i][j] = start ? start[i * start_stride + j] : T(0);
        for (; chunks > 0; --chunks, left += AmxPanels::chunk_elements, right += AmxPanels::chunk_elements)
            for (std::size_t term = 0; term < AmxPanels::terms; ++term) {
                T of_right[width];
                for (std::size_t j = 0; j < width; ++j) // two tiles of 16 columns, of pairs of terms
                    of_right[j] = T(right[j / 16 * 512 + term / 2 * 32 + j % 16 * 2 + term % 2]);
                for (std::size_t i = 0; i < width; ++i) {
                    const T of_left = T(left[i * AmxPanels::terms + term]);
                    for (std::size_t j = 0; j < width; ++j) sums[i][j] += of_left * of_right[j];
                }
            }
        for (std::size_t i = 0; i < width; ++i)
            for (std::size_t j = 0; j < width; ++j) c[i * stride + j] = sums[i][j];
    }
};

}
#endif
