#pragma once
#include <algorithm>
#include <type_traits>

#include "didact/core/arena.hpp"

namespace didact::cpu {

/// Uninitialised memory of the calling thread that only ever grows, one array for each `use`. It begins large, so that
/// the shapes of a usual step never make it grow.
template <class T, int use>
T* thread_scratch(std::size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    static thread_local std::size_t size = 0;
    static thread_local AlignedBytes memory;
    if (size < count) {
        size = std::max(count, std::size_t(1) << 19);
        memory = aligned_bytes(size * sizeof(T));
    }
    return reinterpret_cast<T*>(memory.get());
}

}
