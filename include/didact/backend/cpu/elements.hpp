#pragma once
#include <cstddef>

namespace didact::cpu {

/// out[i] = f(i) for i in [0, count), by sixteen: f may read out[i], and no other element of `out`. At -O2 GCC makes
/// vectors only of loops whose length it knows, and whose results nothing else can be.
template <class T, class F>
[[gnu::always_inline]] inline void map_elements(std::size_t count, T* out, const F& f) {
    constexpr std::size_t at_once = 16;
    std::size_t i = 0;
    for (; i + at_once <= count; i += at_once)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#endif
        for (std::size_t k = 0; k < at_once; ++k) out[i + k] = f(i + k);
    for (; i < count; ++i) out[i] = f(i);
}

}
