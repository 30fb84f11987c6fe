#pragma once
#include "didact/backend/cpu.hpp"
#include "didact/core/parameter_store.hpp"

namespace benchmarks {

using namespace didact;

/// Threads, memory and random matrices for one benchmark.
struct Bench {
    ParameterStore<Cpu<float>> store;
    ThreadPool pool{1};
    Arena arena;
    Random random{17};
    Context<Cpu<float>> context{store, pool, arena, true, 1, 0};

    View<float> matrix(std::size_t rows, std::size_t cols) {
        const View<float> result = arena.matrix<float>(rows, cols);
        for (std::size_t i = 0; i < result.size(); ++i) result.data[i] = float(2 * random.uniform() - 1);
        return result;
    }
    std::span<float> numbers(std::size_t count) { return {matrix(1, count).data, count}; }
    std::span<std::int32_t> below(std::size_t count, std::size_t bound) {
        const std::span<std::int32_t> result = arena.array<std::int32_t>(count);
        for (std::int32_t& x : result) x = std::int32_t(random.below(bound));
        return result;
    }
};

/// All that the update asks of a model.
struct Trained {
    using B = Cpu<float>;
    using S = float;
};

}
