#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <xmmintrin.h> // <immintrin.h> has all of AVX-512 and takes ten times as long to read
#endif

namespace didact {

/// Makes the calling thread round denormal numbers to zero while it lives. Adam's moments of a parameter that stopped
/// moving decay into denormals, which are up to 100 times slower.
class FlushDenormals {
  public:
#if defined(__x86_64__)
    FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }
    ~FlushDenormals() { _mm_setcsr(saved_); }
#elif defined(__aarch64__)
    FlushDenormals() {
        asm volatile("mrs %0, fpcr" : "=r"(saved_));
        asm volatile("msr fpcr, %0" ::"r"(saved_ | (1u << 24)));
    }
    ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(saved_)); }
#endif
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

  private:
#if defined(__aarch64__)
    std::uint64_t saved_ = 0;
#else
    std::uint32_t saved_ = 0;
#endif
};

/// Threads that work on numbered tiles. What a tile computes depends on its number only, never on the thread or on how
/// many there are; callers add partial results in tile order. Workers spin for a bounded time and then sleep, and the
/// caller never waits for a worker that has not begun a tile, so a core taken by a neighbour does not stop a step.
class ThreadPool {
  public:
    /// `threads` counts the calling thread; 0 takes what the machine has.
    explicit ThreadPool(std::size_t threads = 0) {
        if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
        for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
    }

    ~ThreadPool() {
        stop_.store(true);
        generation_.fetch_add(1);
        generation_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }

    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    std::size_t threads() const { return workers_.size() + 1; }

    /// Calls body(tile) for every tile in [0, tiles), in any order and on any thread; body must not throw.
    template <class Body>
    void for_each_tile(std::size_t tiles, const Body& body) {
        if (workers_.empty() || tiles < 2) {
            for (std::size_t tile = 0; tile < tiles; ++tile) body(tile);
            return;
        }
        body_ = &body;
        call_ = [](const void* function, std::size_t tile) { (*static_cast<const Body*>(function))(tile); };
        tiles_ = tiles;
        next_.store(0);
        open_.store(true);
        generation_.fetch_add(1);
        generation_.notify_all();
        run_tiles();
        open_.store(false);
        // Only workers that joined while the job was open can still be in a tile.
        while (active_.load() != 0) pause();
    }

  private:
    void run_tiles() {
        for (std::size_t tile; (tile = next_.fetch_add(1)) < tiles_;) call_(body_, tile);
    }

    void work() {
        const FlushDenormals flush;
        std::uint32_t seen = 0;
        while (true) {
            for (int spin = 0; spin < spins_before_sleep && generation_.load() == seen; ++spin) pause();
            generation_.wait(seen);
            seen = generation_.load();
            if (stop_.load()) return;
            active_.fetch_add(1);
            if (open_.load()) run_tiles();
            active_.fetch_sub(1);
        }
    }

    static void pause() {
#if defined(__x86_64__)
        _mm_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }

    static constexpr int spins_before_sleep = 4000;
    std::vector<std::thread> workers_;
    const void* body_ = nullptr;
    void (*call_)(const void*, std::size_t) = nullptr;
    std::size_t tiles_ = 0;
    alignas(64) std::atomic<std::size_t> next_{0};
    alignas(64) std::atomic<std::uint32_t> generation_{0};
    std::atomic<std::uint32_t> active_{0};
    std::atomic<bool> open_{false};
    std::atomic<bool> stop_{false};
};

/// The half-open range of elements that tile number `tile` covers when `size` elements are cut into tiles of `width`.
struct TileRange {
    std::size_t begin, end;
    std::size_t size() const { return end - begin; }
};
inline TileRange tile_range(std::size_t tile, std::size_t width, std::size_t size) {
    return {tile * width, std::min(size, (tile + 1) * width)};
}
inline std::size_t tile_count(std::size_t size, std::size_t width) { return (size + width - 1) / width; }

}
