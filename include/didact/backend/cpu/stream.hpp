#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>

#include "didact/core/view.hpp"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// Writing past the caches. A store to a line that is not in the cache reads the line first, and where the rows of a
/// result are short and far apart it waits for each.
namespace didact::cpu {

/// Whether a result is so large that it has left a core's own cache before it is read: twice the 2 MB that the largest
/// of them hold.
template <class T>
bool outgrows_cache(View<T> x) {
    return x.rows * x.stride * sizeof(T) >= std::size_t(1) << 22;
}

/// to[j] = factor from[j] for j in [0, count); `past_caches` as outgrows_cache says. Other threads may read it after
/// stream_done().
template <class T>
void stream_row(std::size_t count, T factor, const T* from, T* to, [[maybe_unused]] bool past_caches) {
    std::size_t j = 0;
#if defined(__SSE2__)
    constexpr std::size_t lanes = sizeof(__m128i) / sizeof(T);
    if (past_caches && reinterpret_cast<std::uintptr_t>(to) % sizeof(__m128i) == 0)
        for (; j + lanes <= count; j += lanes) {
            T piece[lanes];
            for (std::size_t lane = 0; lane < lanes; ++lane) piece[lane] = factor * from[j + lane];
            _mm_stream_si128(reinterpret_cast<__m128i*>(to + j), std::bit_cast<__m128i>(piece));
        }
#endif
    for (; j < count; ++j) to[j] = factor * from[j];
}

/// What this thread has streamed is seen by others from here on.
inline void stream_done() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

}
