#pragma once
#include <cstddef>
#include <memory>
#include <new>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace didact {

/// Alignment of everything that kernels touch: one cache line, one AVX-512 register.
inline constexpr std::size_t memory_alignment = 64;
inline constexpr std::size_t huge_page = std::size_t(2) << 20;

/// Arrays of several huge pages begin on one and ask the system for them: a first touch then costs one page fault
/// instead of 512, and a pass over the array few misses of the address cache.
constexpr std::size_t alignment_of(std::size_t bytes) { return bytes >= 2 * huge_page ? huge_page : memory_alignment; }

inline void* allocate_aligned(std::size_t bytes) {
    void* const p = ::operator new(bytes, std::align_val_t(alignment_of(bytes)));
#if defined(__linux__)
    // Where the system refuses, the pages are the usual ones.
    if (bytes >= 2 * huge_page) ::madvise(p, bytes / huge_page * huge_page, MADV_HUGEPAGE);
#endif
    return p;
}
inline void deallocate_aligned(void* p, std::size_t bytes) {
    ::operator delete(p, std::align_val_t(alignment_of(bytes)));
}

struct AlignedDelete {
    std::size_t bytes = 0;
    void operator()(std::byte* p) const { deallocate_aligned(p, bytes); }
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;

inline AlignedBytes aligned_bytes(std::size_t bytes) {
    return AlignedBytes(static_cast<std::byte*>(allocate_aligned(bytes)), AlignedDelete{bytes});
}

/// An allocator for std::vector whose arrays start on a cache line.
template <class T>
struct AlignedAllocator {
    using value_type = T;
    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) {}
    T* allocate(std::size_t count) { return static_cast<T*>(allocate_aligned(count * sizeof(T))); }
    void deallocate(T* p, std::size_t count) { deallocate_aligned(p, count * sizeof(T)); }
    friend bool operator==(AlignedAllocator, AlignedAllocator) { return true; }
};
template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}
