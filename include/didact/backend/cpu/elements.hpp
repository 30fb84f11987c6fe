#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

namespace didact::cpu {

/// out[i] = f(i) for i in [0, count), by sixteen: f may read out[i]. At -O2 compilers make vectors only of loops whose
/// length they know, and whose results nothing else can be.
template <class T, class F>
[[gnu::always_inline]] inline void map_elements(std::size_t count, T* out, const F& f) {
    constexpr std::size_t at_once = 16;
    std::size_t i = 0;
    for (; i + at_once <= count; i += at_once) {
        std::array<T, at_once> results;
        for (std::size_t k = 0; k < at_once; ++k) results[k] = f(i + k);
        std::copy_n(results.data(), at_once, out + i);
    }
    for (; i < count; ++i) out[i] = f(i);
}

}
