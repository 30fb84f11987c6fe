#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "didact/core/aligned_memory.hpp"
#include "didact/core/view.hpp"

namespace didact {

/// Memory for one step: scratch and what backward needs. Allocation moves a pointer; `reset` gives all of it back. A
/// step that needs more than any before it takes further blocks, and the next `reset` replaces them by one block of
/// the full size, so that a step allocates nothing after the first of its shape.
class Arena {
  public:
    /// An uninitialised array of `count` elements, valid until the `reset` or `release` that undoes it.
    template <class T>
    std::span<T> array(std::size_t count) {
        static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= memory_alignment);
        return {reinterpret_cast<T*>(take(count * sizeof(T))), count};
    }

    template <class T>
    std::span<T> zeros(std::size_t count) {
        const std::span<T> result = array<T>(count);
        if (count) std::memset(static_cast<void*>(result.data()), 0, result.size_bytes());
        return result;
    }

    template <class T>
    View<T> matrix(std::size_t rows, std::size_t cols) {
        return {array<T>(rows * cols).data(), rows, cols};
    }

    struct Mark {
        std::size_t block, used;
    };
    Mark mark() const { return {current_, used_}; }

    /// Gives back everything taken since `mark`.
    void release(Mark mark) {
        current_ = mark.block;
        used_ = mark.used;
    }

    /// Gives everything back, and joins the blocks into one where several were needed.
    void reset() {
        if (blocks_.size() > 1) {
            std::size_t total = 0;
            for (const Block& block : blocks_) total += block.size;
            blocks_.clear();
            blocks_.push_back({aligned_bytes(total), total});
        }
        current_ = used_ = 0;
    }

    std::size_t capacity() const {
        std::size_t total = 0;
        for (const Block& block : blocks_) total += block.size;
        return total;
    }

  private:
    struct Block {
        AlignedBytes bytes;
        std::size_t size;
    };

    std::byte* take(std::size_t bytes) {
        bytes = (bytes + memory_alignment - 1) / memory_alignment * memory_alignment;
        while (current_ < blocks_.size() && used_ + bytes > blocks_[current_].size) {
            ++current_;
            used_ = 0;
        }
        if (current_ == blocks_.size()) {
            const std::size_t size = std::max(bytes, smallest_block);
            blocks_.push_back({aligned_bytes(size), size});
            used_ = 0;
        }
        std::byte* const result = blocks_[current_].bytes.get() + used_;
        used_ += bytes;
        return result;
    }

    static constexpr std::size_t smallest_block = std::size_t(1) << 20;
    std::vector<Block> blocks_;
    std::size_t current_ = 0;
    std::size_t used_ = 0;
};

/// Gives back, at the end of a scope, what the scope took from an arena.
class ArenaScope {
  public:
    explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
    ~ArenaScope() { arena_.release(mark_); }
    ArenaScope(const ArenaScope&) = delete;
    ArenaScope& operator=(const ArenaScope&) = delete;

  private:
    Arena& arena_;
    Arena::Mark mark_;
};

}
