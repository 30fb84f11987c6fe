// What does a training step cost under each strategy?
//
//   build/release/benchmarks/step --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true
//
// On a machine that does other work too, rows are comparable only when their repetitions are interleaved: its speed
// drifts by more than most strategies cost. Compare medians. `tokens/s` counts rehearsed tokens too; `allocations` is
// how often a step asks for memory, 0 once every buffer has its size; `trainable` is the number of parameters that
// train.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "step.hpp"

namespace {

std::atomic<std::size_t> count{0};

void* counted(std::size_t size, std::size_t alignment) {
    count.fetch_add(1, std::memory_order_relaxed);
    alignment = std::max(alignment, sizeof(void*));
    if (void* p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)) return p;
    throw std::bad_alloc();
}

}

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) { return counted(size, std::size_t(alignment)); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return counted(size, std::size_t(alignment)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace step_benchmark {

std::size_t allocations() { return count.load(); }

namespace {

const bool none = add_row("None", one_task, usual_size);
const bool none_of_two_tasks = add_row("None/2tasks", two_tasks, usual_size);

}
}

BENCHMARK_MAIN();
