#include <chrono>

#include "../bench.hpp"
#include "didact/train/update.hpp"
#include "measure.hpp"

namespace peers {

using namespace didact;
using benchmarks::Trained;

/// The gradients' norm, and the pass that clips them and updates the parameters.
nlohmann::ordered_json measure_optimizer(const OptimizerRow& row) {
    using B = Cpu<float>;
    constexpr std::size_t hidden = 768, inner = 3072, vocabulary = 30522, layers = 12;
    ParameterStore<B> store;
    const auto matrix = [&](std::size_t rows, std::size_t cols) {
        store.add_matrix("matrix" + std::to_string(store.count()), rows, cols, Initializer::normal(0.02));
    };
    matrix(vocabulary, hidden), matrix(512, hidden), matrix(2, hidden), matrix(hidden, hidden);
    for (std::size_t layer = 0; layer < layers; ++layer) {
        for (int i = 0; i < 4; ++i) matrix(hidden, hidden);
        matrix(inner, hidden), matrix(hidden, inner);
    }
    const TrainableLayout before = store.plan();
    ThreadPool pool(row.threads);
    Arena arena;
    Context<B> context{store, pool, arena, true, 1, 0};
    const FlushDenormals flush;
    optimizer::AdamW::State<float> adamw({.learning_rate = 1e-5, .weight_decay = 0.01});
    adamw.layout_changed(before, store.layout());
    std::vector<double> norms, updates;
    const auto now = [] { return std::chrono::steady_clock::now(); };
    const None<Family::freeze>::State<Trained> freeze({}, Trained());
    None<Family::forgetting>::State<Trained> forgetting({}, Trained());
    for (std::size_t i = 0; i < row.repetitions + 1; ++i) {
        const std::span<float> g = store.gradients();
        for (std::size_t k = 0; k < g.size(); ++k) g[k] = 1e-3f * float(int(k % 7) - 3);
        const auto first = now();
        const double norm = std::sqrt(squared_norm(context, std::span<const float>(g)));
        const auto second = now();
        adamw.step_begins();
        update_parameters<Trained>(context, 1e-5, std::min(1.0, 1 / norm), adamw, freeze, forgetting);
        const auto third = now();
        if (i == 0) continue;
        norms.push_back(std::chrono::duration<double>(second - first).count() * 1e3);
        updates.push_back(std::chrono::duration<double>(third - second).count() * 1e3);
    }
    // Read from memory: gradients twice, values and both moments.
    const double step_ms = median(norms) + median(updates), gigabytes = 20e-9 * double(store.total_parameters());
    return {{"system", "didact"},
            {"model", "adamw-110M"},
            {"mode", "clip + AdamW"},
            {"precision", "fp32"},
            {"threads", row.threads},
            {"params", store.total_parameters()},
            {"norm_ms", median(norms)},
            {"update_ms", median(updates)},
            {"step_ms", step_ms},
            {"gb", gigabytes},
            {"gb_per_s", gigabytes / step_ms * 1e3}};
}

}
