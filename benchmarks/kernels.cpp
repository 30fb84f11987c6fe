// How near to the machine's limits are the operations that layers use?
//
//   build/release/benchmarks/kernels --benchmark_filter=Gemm
//
// One thread, float, sizes of a BERT-base-like layer on 512 tokens unless the name says otherwise. GFLOP/s counts
// multiplications and additions that the mathematics asks for (2 m n k for a product), GB/s the bytes that must at
// least be read and written once. Arrays are used again and again, so small ones come from a cache.
#include <benchmark/benchmark.h>

#include <string>

#include "bench.hpp"
#include "didact/backend/cpu.hpp"
#include "didact/train/update.hpp"

namespace {

using namespace didact;
using benchmarks::Bench;
using benchmarks::Trained;
using B = Cpu<float>;

constexpr std::size_t tokens = 512, hidden = 768, inner = 3072, num_heads = 12, vocabulary = 30522;

/// Runs `body` until the time is over; each run does `flops` operations on `bytes` bytes (0: not counted).
template <class Body>
void measure(benchmark::State& state, double flops, double bytes, const Body& body) {
    body();
    for (auto _ : state) {
        body();
        benchmark::ClobberMemory();
    }
    const double runs = double(state.iterations());
    if (flops > 0) state.counters["GFLOP/s"] = benchmark::Counter(flops * runs * 1e-9, benchmark::Counter::kIsRate);
    if (bytes > 0) state.counters["GB/s"] = benchmark::Counter(bytes * runs * 1e-9, benchmark::Counter::kIsRate);
}

double bytes_of(std::size_t floats) { return 4.0 * double(floats); }

// Products
// -------------------------------------------------------------------------------------------------------------

/// What a linear layer of `in` inputs and `out` outputs does on `rows` rows: y = x Wᵀ + b, dx = dy W, dW += dyᵀ x.
enum class Product { forward, input_gradient, weight_gradient };

void gemm_of_linear(benchmark::State& state, Product product) {
    const std::size_t rows = std::size_t(state.range(0)), in = std::size_t(state.range(1)),
                      out = std::size_t(state.range(2));
    Bench bench;
    const View<float> x = bench.matrix(rows, in), y = bench.matrix(rows, out), w = bench.matrix(out, in);
    const View<float> bias = bench.matrix(1, out);
    measure(state, 2.0 * double(rows) * double(in) * double(out), 0, [&] {
        switch (product) {
        case Product::forward:
            return gemm(bench.context, Transpose::no, x, Transpose::yes, w, y, false, bias);
        case Product::input_gradient:
            return gemm(bench.context, Transpose::no, y, Transpose::no, w, x);
        case Product::weight_gradient:
            // Overwrites, so that the numbers stay small; adding costs the same.
            return gemm(bench.context, Transpose::yes, y, Transpose::no, x, w);
        }
    });
}
void shapes(benchmark::internal::Benchmark* rows) {
    rows->ArgNames({"rows", "in", "out"})->Unit(benchmark::kMillisecond);
    rows->Args({tokens, hidden, hidden})->Args({tokens, hidden, inner})->Args({tokens, inner, hidden});
    rows->Args({tokens, 128, 512})
        ->Args({160, 64, 64})
        ->Args({10, 784, 256})
        ->Args({8, hidden, hidden})
        ->Args({8, hidden, inner})
        ->Args({1, hidden, hidden});
}
BENCHMARK_CAPTURE(gemm_of_linear, forward, Product::forward)->Name("Gemm/Forward")->Apply(shapes);
BENCHMARK_CAPTURE(gemm_of_linear, dx, Product::input_gradient)->Name("Gemm/InputGradient")->Apply(shapes);
BENCHMARK_CAPTURE(gemm_of_linear, dw, Product::weight_gradient)->Name("Gemm/WeightGradient")->Apply(shapes);

// Attention
// ------------------------------------------------------------------------------------------------------------

void attention(benchmark::State& state, bool backward, double dropout) {
    const std::size_t length = std::size_t(state.range(0)), sequences = std::max<std::size_t>(tokens / length, 1);
    const std::size_t rows = sequences * length;
    Bench bench;
    std::vector<std::int32_t> cu_seqlens;
    for (std::size_t s = 0; s <= sequences; ++s) cu_seqlens.push_back(std::int32_t(s * length));
    const AttentionShape shape{.cu_seqlens = cu_seqlens,
                               .num_heads = num_heads,
                               .scale = 1 / std::sqrt(double(hidden / num_heads)),
                               .dropout = dropout,
                               .dropout_key = 5};
    const View<float> q = bench.matrix(rows, hidden), k = bench.matrix(rows, hidden), v = bench.matrix(rows, hidden);
    const View<float> out = bench.matrix(rows, hidden), dout = bench.matrix(rows, hidden);
    const View<float> dq = bench.matrix(rows, hidden), dk = bench.matrix(rows, hidden), dv = bench.matrix(rows, hidden);
    const std::span<float> log_sums = bench.numbers(rows * num_heads);
    attention_forward(bench.context, shape, q, k, v, out, log_sums);
    // Two products forward; backward the scores again and four more.
    const double products = backward ? 5 : 2;
    measure(state, products * 2 * double(rows) * double(length) * double(hidden), 0, [&] {
        if (backward)
            attention_backward(bench.context, shape, q, k, v, out, std::span<const float>(log_sums), dout, dq, dk, dv);
        else
            attention_forward(bench.context, shape, q, k, v, out, log_sums);
    });
}
void lengths(benchmark::internal::Benchmark* rows) {
    rows->ArgName("length")->Arg(32)->Arg(128)->Arg(512)->Arg(2048)->Arg(8192)->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(attention, forward, false, 0.0)->Name("Attention/Forward")->Apply(lengths);
BENCHMARK_CAPTURE(attention, forward_dropout, false, 0.1)->Name("Attention/ForwardDropout")->Apply(lengths);
BENCHMARK_CAPTURE(attention, backward, true, 0.0)->Name("Attention/Backward")->Apply(lengths);
BENCHMARK_CAPTURE(attention, backward_dropout, true, 0.1)->Name("Attention/BackwardDropout")->Apply(lengths);

// Row by row
// -----------------------------------------------------------------------------------------------------------

void layer_norm(benchmark::State& state, bool backward) {
    Bench bench;
    const View<float> x = bench.matrix(tokens, hidden), y = bench.matrix(tokens, hidden);
    const View<float> dy = bench.matrix(tokens, hidden), dx = bench.matrix(tokens, hidden);
    const View<float> weight = bench.matrix(1, hidden), bias = bench.matrix(1, hidden);
    const View<float> dweight = bench.matrix(1, hidden), dbias = bench.matrix(1, hidden);
    const std::span<float> mean = bench.numbers(tokens), rstd = bench.numbers(tokens);
    layer_norm_forward(bench.context, x, weight, bias, 1e-12, y, mean, rstd);
    measure(state, 0, bytes_of((backward ? 3 : 2) * tokens * hidden), [&] {
        if (backward)
            layer_norm_backward(bench.context, x, weight, std::span<const float>(mean), std::span<const float>(rstd),
                                dy, dx, dweight, dbias);
        else
            layer_norm_forward(bench.context, x, weight, bias, 1e-12, y, mean, rstd);
    });
}
BENCHMARK_CAPTURE(layer_norm, forward, false)->Name("LayerNorm/Forward")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(layer_norm, backward, true)->Name("LayerNorm/Backward")->Unit(benchmark::kMicrosecond);

void activation(benchmark::State& state, Activation kind, bool backward) {
    Bench bench;
    const View<float> x = bench.matrix(tokens, inner), y = bench.matrix(tokens, inner);
    const View<float> dy = bench.matrix(tokens, inner);
    measure(state, 0, bytes_of((backward ? 3 : 2) * tokens * inner), [&] {
        if (backward)
            activation_backward(bench.context, kind, x, dy, y);
        else
            activation_forward(bench.context, kind, x, y);
    });
}
BENCHMARK_CAPTURE(activation, gelu, Activation::gelu, false)->Name("Gelu/Forward")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(activation, dgelu, Activation::gelu, true)->Name("Gelu/Backward")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(activation, tanh, Activation::gelu_tanh, false)
    ->Name("GeluTanh/Forward")
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(activation, dtanh, Activation::gelu_tanh, true)
    ->Name("GeluTanh/Backward")
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(activation, relu, Activation::relu, false)->Name("Relu/Forward")->Unit(benchmark::kMicrosecond);

void dropout(benchmark::State& state, bool backward) {
    Bench bench;
    const View<float> x = bench.matrix(tokens, hidden), y = bench.matrix(tokens, hidden);
    const std::span<std::uint8_t> mask = bench.arena.array<std::uint8_t>(x.size());
    dropout_forward(bench.context, 0.1, 3, x, y, mask);
    measure(state, 0, bytes_of(2 * tokens * hidden) + double(mask.size()), [&] {
        if (backward)
            dropout_backward(bench.context, 0.1, std::span<const std::uint8_t>(mask), x, y);
        else
            dropout_forward(bench.context, 0.1, 3, x, y, mask);
    });
}
BENCHMARK_CAPTURE(dropout, forward, false)->Name("Dropout/Forward")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(dropout, backward, true)->Name("Dropout/Backward")->Unit(benchmark::kMicrosecond);

void cross_entropy(benchmark::State& state, bool backward) {
    const std::size_t classes = std::size_t(state.range(0)), rows = 64;
    Bench bench;
    const View<float> logits = bench.matrix(rows, classes), dlogits = bench.matrix(rows, classes);
    const std::span<std::int32_t> labels = bench.below(rows, classes);
    const std::span<float> log_sums = bench.numbers(rows), losses = bench.numbers(rows), weights = bench.numbers(rows);
    cross_entropy_forward(bench.context, logits, labels, 0.0, log_sums, losses);
    measure(state, 0, bytes_of((backward ? 2 : 1) * rows * classes), [&] {
        if (backward)
            cross_entropy_backward(bench.context, logits, labels, 0.0, std::span<const float>(log_sums),
                                   std::span<const float>(weights), dlogits);
        else
            cross_entropy_forward(bench.context, logits, labels, 0.0, log_sums, losses);
    });
}
void class_counts(benchmark::internal::Benchmark* rows) {
    rows->ArgName("classes")->Arg(4)->Arg(vocabulary)->Unit(benchmark::kMicrosecond);
}
BENCHMARK_CAPTURE(cross_entropy, forward, false)->Name("CrossEntropy/Forward")->Apply(class_counts);
BENCHMARK_CAPTURE(cross_entropy, backward, true)->Name("CrossEntropy/Backward")->Apply(class_counts);

void embedding(benchmark::State& state, bool backward) {
    Bench bench;
    const View<float> table = bench.matrix(vocabulary, hidden), out = bench.matrix(tokens, hidden);
    const std::span<std::int32_t> ids = bench.below(tokens, vocabulary);
    measure(state, 0, bytes_of((backward ? 3 : 2) * tokens * hidden), [&] {
        if (backward)
            embedding_backward(bench.context, ids, out, table);
        else
            embedding_forward(bench.context, ids, table, out, false);
    });
}
BENCHMARK_CAPTURE(embedding, forward, false)->Name("Embedding/Forward")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(embedding, backward, true)->Name("Embedding/Backward")->Unit(benchmark::kMicrosecond);

// Over all parameters
// --------------------------------------------------------------------------------------------------

void norm(benchmark::State& state) {
    Bench bench;
    const std::span<const float> g = bench.numbers(std::size_t(state.range(0)));
    double sum = 0;
    measure(state, 2.0 * double(g.size()), bytes_of(g.size()), [&] { sum += dot(bench.context, g, g); });
    benchmark::DoNotOptimize(sum);
}
BENCHMARK(norm)->Name("Dot")->Arg(1 << 16)->Arg(1 << 24)->Unit(benchmark::kMicrosecond);

/// The update of one large matrix.
template <class Optimizer>
void update(benchmark::State& state, const Optimizer& policy, double arrays) {
    using NoFreeze = None<Family::freeze>::State<Trained>;
    using NoForgetting = None<Family::forgetting>::State<Trained>;
    Bench bench;
    const std::size_t size = std::size_t(state.range(0));
    bench.store.add_matrix("weight", 1, size, Initializer::uniform(1));
    typename Optimizer::template State<float> optimizer(policy);
    const TrainableLayout before = bench.store.plan();
    optimizer.layout_changed(before, bench.store.layout());
    const NoFreeze freeze({}, Trained());
    NoForgetting forgetting({}, Trained());
    measure(state, 0, arrays * bytes_of(size), [&] {
        optimizer.step_begins();
        update_parameters<Trained>(bench.context, 1e-3, 1.0, optimizer, freeze, forgetting);
    });
}
// AdamW reads and writes values, gradients and two moments; plain descent values and gradients.
BENCHMARK_CAPTURE(update, AdamW, optimizer::AdamW{}, 8)
    ->Name("Update/AdamW")
    ->Arg(1 << 16)
    ->Arg(1 << 24)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(update, Sgd, optimizer::Sgd{}, 4)
    ->Name("Update/Sgd")
    ->Arg(1 << 16)
    ->Arg(1 << 24)
    ->Unit(benchmark::kMicrosecond);

}

BENCHMARK_MAIN();
