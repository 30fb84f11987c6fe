#pragma once
#include "didact/backend/cpu/amx_panels.hpp"

#if DIDACT_WITH_AMX
#include <algorithm>
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace didact::cpu {

/// The tile registers, and all that they compute. As long as an object lives, this thread's are 8 of 16 rows of 64
/// bytes. T is float. (A template, so that who does without does not wait for its compilation.)
template <class T>
class AmxRegisters {
    static_assert(std::is_same_v<T, float>);
    static constexpr std::size_t width = AmxPanels::panel_width;

  public:
    /// Whether this processor has AMX for bf16 and the system lets this process use it.
    static bool serves() {
        static const bool has = [] {
            constexpr unsigned bf16_bit = 1u << 22, tile_bit = 1u << 24;
            unsigned a = 0, b = 0, c = 0, d = 0;
            if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & bf16_bit) || !(d & tile_bit)) return false;
            if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512bf16")) return false;
            constexpr long request_permission = 0x1023, tile_data = 18; // of Linux's arch_prctl
            return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
        }();
        return has;
    }

    [[gnu::target("amx-tile")]] AmxRegisters() { _tile_loadconfig(&configuration); }
    [[gnu::target("amx-tile")]] ~AmxRegisters() { _tile_release(); }
    AmxRegisters(const AmxRegisters&) = delete;
    AmxRegisters& operator=(const AmxRegisters&) = delete;

    /// C (32, 32) = start + `chunks` chunks of one panel times those of another. A start_stride of 0 repeats a row; no
    /// start is zeros. `next` is the (32, 32) to be computed next, or null.
    [[gnu::target("amx-tile,amx-bf16"), gnu::noinline]] void
    multiply(const bf16* left, const bf16* right, std::size_t chunks, const T* start, std::size_t start_stride, T* c,
             std::size_t stride, const T* next = nullptr) const {
        constexpr std::size_t half = AmxPanels::chunk_elements / 2, line = 64;
        if (start) {
            const std::size_t bytes = start_stride * sizeof(T);
            _tile_loadd(0, start, bytes);
            _tile_loadd(1, start + 16, bytes);
            _tile_loadd(2, start + 16 * start_stride, bytes);
            _tile_loadd(3, start + 16 * start_stride + 16, bytes);
        } else {
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
        }
        // What tile loads and stores wait for otherwise is fetched ahead: the chunk of the left panel that comes next,
        // and, a few rows with each chunk, the next of C.
        const std::size_t rows_at_once = (width + chunks - 1) / std::max<std::size_t>(chunks, 1);
        std::size_t rows_to_fetch = next ? width : 0;
        for (; chunks > 0; --chunks, left += 2 * half, right += 2 * half) {
            for (std::size_t l = 0; l < 2 * half; l += line / sizeof(bf16)) __builtin_prefetch(left + 2 * half + l);
            for (std::size_t r = std::min(rows_at_once, rows_to_fetch); r > 0; --r, --rows_to_fetch, next += stride) {
                __builtin_prefetch(next, 1);
                __builtin_prefetch(next + 16, 1);
            }
            _tile_loadd(4, left, 64);
            _tile_loadd(6, right, 64);
            _tile_loadd(7, right + half, 64);
            _tile_loadd(5, left + half, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        const std::size_t bytes = stride * sizeof(T);
        _tile_stored(0, c, bytes);
        _tile_stored(1, c + 16, bytes);
        _tile_stored(2, c + 16 * stride, bytes);
        _tile_stored(3, c + 16 * stride + 16, bytes);
    }

  private:
    struct alignas(64) Configuration {
        std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
        std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    static inline const Configuration configuration{};
};

}
#endif
