#pragma once
#include <cmath>
#include <cstddef>
#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace didact::cpu {

/// out[i] = √x[i], correctly rounded. A loop over std::sqrt stays scalar where std::sqrt may set errno, which is what
/// compilers assume unless told otherwise.
template <class T>
void square_roots(std::size_t count, const T* x, T* out) {
    for (std::size_t i = 0; i < count; ++i) out[i] = std::sqrt(x[i]);
}

#if defined(__SSE2__)
inline void square_roots(std::size_t count, const float* x, float* out) {
    std::size_t i = 0;
#if defined(__AVX__)
    for (; i + 8 <= count; i += 8) _mm256_storeu_ps(out + i, _mm256_sqrt_ps(_mm256_loadu_ps(x + i)));
#endif
    for (; i + 4 <= count; i += 4) _mm_storeu_ps(out + i, _mm_sqrt_ps(_mm_loadu_ps(x + i)));
    for (; i < count; ++i) out[i] = std::sqrt(x[i]);
}
#elif defined(__aarch64__)
inline void square_roots(std::size_t count, const float* x, float* out) {
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4) vst1q_f32(out + i, vsqrtq_f32(vld1q_f32(x + i)));
    for (; i < count; ++i) out[i] = std::sqrt(x[i]);
}
#endif

}
