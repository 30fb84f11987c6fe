// How near to this machine's limits is each kernel of a training step?
//
//   build/release/benchmarks/roofline --out benchmarks/results
//
// measures on one thread, at the sizes of a MiniLM micro-batch of 1024 tokens: products of matrices against what the
// provider reaches in one call at that shape, and passes over memory against a triad (a = b + s c) over as many bytes,
// which may lie in a cache. Writes roofline.html.
#include <Eigen/Core>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <iostream>

#include "bench.hpp"
#include "didact/backend/cpu.hpp"
#include "didact/io/folder.hpp"
#include "didact/report/html.hpp"
#include "didact/train/update.hpp"

namespace {

using namespace didact;
using benchmarks::Bench;
using benchmarks::Trained;
using B = Cpu<float>;
constexpr std::size_t tokens = 1024, hidden = 384, inner = 1536, num_heads = 12, length = 128;

/// Seconds of one call: the best of several runs, each long enough to time.
double time_of(const std::function<void()>& call) {
    using Clock = std::chrono::steady_clock;
    const auto run = [&](std::size_t calls) {
        const auto began = Clock::now();
        for (std::size_t i = 0; i < calls; ++i) call();
        return std::chrono::duration<double>(Clock::now() - began).count();
    };
    call();
    std::size_t calls = 1;
    while (run(calls) < 0.01) calls *= 2;
    double best = 1e300;
    for (int i = 0; i < 9; ++i) best = std::min(best, run(calls) / double(calls));
    return best;
}

/// Multiplications and additions a second, in registers only.
double peak_flops() {
    using namespace Eigen::internal;
    using Packet = packet_traits<float>::type;
    constexpr std::size_t chains = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32 ? 16 : 8, rounds = 20000;
    [[maybe_unused]] static volatile float sink;
    float seed = 0.9f;
    const double seconds = time_of([&] {
        Packet sums[chains];
        for (Packet& sum : sums) sum = pset1<Packet>(seed);
        const Packet factor = pset1<Packet>(0.999f);
        for (std::size_t i = 0; i < rounds; ++i)
            for (Packet& sum : sums) sum = pmadd(sum, factor, factor);
        Packet all = sums[0];
        for (const Packet& sum : sums) all = padd(all, sum);
        sink = predux(all);
    });
    return 2.0 * double(chains * rounds * sizeof(Packet) / sizeof(float)) / seconds;
}

/// Bytes a second of a triad over three arrays of `bytes` in all.
double triad(double bytes) {
    const std::size_t n = std::size_t(bytes / 12) / 16 * 16;
    AlignedVector<float> a(n, 0), b(n, 1), c(n, 2);
    return 12.0 * double(n) / time_of([&] {
               float* const x = a.data();
               const float *const y = b.data(), *const z = c.data();
               for (std::size_t i = 0; i < n; ++i) x[i] = y[i] + 0.5f * z[i];
           });
}

struct Kernel {
    std::string name;
    double work;                         ///< operations, or bytes that must at least be read and written once
    std::function<void()> call, alone{}; ///< the second: the provider's product of that shape, in one call
    bool arithmetic = false;             ///< without a provider: measured against the peak, for information only
};

/// The products of a linear layer on the backend of `context` beside those of its provider.
template <class Provider, CpuBackend Own>
void add_products(Context<Own>& context, Bench& bench, std::vector<Kernel>& kernels, const std::string& precision) {
    using Operand = typename Provider::Operand;
    const auto operand = [&](View<float> x) -> View<const Operand> {
        if constexpr (std::is_same_v<Operand, float>)
            return x;
        else
            return cpu::rounded<Operand>(context, x, 1);
    };
    for (const auto& [in, out] : {std::pair{hidden, hidden}, {hidden, inner}, {inner, hidden}}) {
        const View<float> x = bench.matrix(tokens, in), y = bench.matrix(tokens, out), w = bench.matrix(out, in);
        const double work = 2.0 * double(tokens) * double(in) * double(out);
        const std::string shape = std::to_string(in) + " to " + std::to_string(out);
        const auto product = [&](const char* name, Transpose ta, View<float> a, Transpose tb, View<float> b,
                                 View<float> c) {
            kernels.push_back(
                {std::string(name) + ", " + shape + precision, work,
                 [&context, ta, a, tb, b, c] { gemm(context, ta, a, tb, b, c); },
                 [ta, a = operand(a), tb, b = operand(b), c] { Provider::product(ta, a, tb, b, c, false); }});
        };
        product("y = x Wᵀ", Transpose::no, x, Transpose::yes, w, y);
        product("dx = dy W", Transpose::no, y, Transpose::no, w, x);
        product("dW = dyᵀ x", Transpose::yes, y, Transpose::no, x, w);
    }
}

void add_attention(Bench& bench, std::vector<Kernel>& kernels) {
    static std::vector<std::int32_t> cu_seqlens;
    for (std::size_t s = 0; s <= tokens / length; ++s) cu_seqlens.push_back(std::int32_t(s * length));
    const AttentionShape shape{
        .cu_seqlens = cu_seqlens, .num_heads = num_heads, .scale = 1 / std::sqrt(double(hidden / num_heads))};
    std::vector<View<float>> v;
    for (int i = 0; i < 8; ++i) v.push_back(bench.matrix(tokens, hidden));
    const std::span<float> log_sums = bench.numbers(tokens * num_heads);
    const double product = 2.0 * double(tokens) * double(length) * double(hidden);
    kernels.push_back(
        {"attention, forward",
         2 * product,
         [&bench, shape, v, log_sums] { attention_forward(bench.context, shape, v[0], v[1], v[2], v[3], log_sums); },
         {},
         true});
    kernels.push_back({"attention, backward",
                       5 * product,
                       [&bench, shape, v, log_sums] {
                           attention_backward(bench.context, shape, v[0], v[1], v[2], v[3],
                                              std::span<const float>(log_sums), v[4], v[5], v[6], v[7]);
                       },
                       {},
                       true});
}

void add_passes(Bench& bench, std::vector<Kernel>& kernels) {
    Context<B>& context = bench.context;
    const View<float> a = bench.matrix(tokens, hidden), b = bench.matrix(tokens, hidden);
    const View<float> c = bench.matrix(tokens, hidden), wide = bench.matrix(tokens, inner);
    const View<float> wide_too = bench.matrix(tokens, inner), wide_out = bench.matrix(tokens, inner);
    const View<float> weight = bench.matrix(1, hidden), bias = bench.matrix(1, hidden);
    const View<float> dweight = bench.matrix(1, hidden), dbias = bench.matrix(1, hidden);
    const std::span<float> mean = bench.numbers(tokens), rstd = bench.numbers(tokens);
    const std::span<std::uint8_t> mask = bench.arena.array<std::uint8_t>(tokens * hidden);
    const double narrow_bytes = 4.0 * double(tokens * hidden), wide_bytes = 4.0 * double(tokens * inner);
    const auto pass = [&](const char* name, double bytes, std::function<void()> call) {
        kernels.push_back({name, bytes, std::move(call)});
    };
    layer_norm_forward(context, a, weight, bias, 1e-12, b, mean, rstd);
    dropout_forward(context, 0.1, 3, a, b, mask);
    pass("residual sum", 3 * narrow_bytes, [=, &context] { add(context, a, b, c); });
    pass("layer norm, forward", 2 * narrow_bytes,
         [=, &context] { layer_norm_forward(context, a, weight, bias, 1e-12, b, mean, rstd); });
    pass("layer norm, backward", 3 * narrow_bytes, [=, &context] {
        layer_norm_backward(context, a, weight, std::span<const float>(mean), std::span<const float>(rstd), b, c,
                            dweight, dbias);
    });
    pass("GELU, forward", 2 * wide_bytes,
         [=, &context] { activation_forward(context, Activation::gelu, wide, wide_out); });
    pass("GELU, backward", 3 * wide_bytes,
         [=, &context] { activation_backward(context, Activation::gelu, wide, wide_too, wide_out); });
    pass("ReLU, forward", 2 * wide_bytes,
         [=, &context] { activation_forward(context, Activation::relu, wide, wide_out); });
    pass("dropout, forward", 2.25 * narrow_bytes, [=, &context] { dropout_forward(context, 0.1, 3, a, b, mask); });
    pass("dropout, backward", 2.25 * narrow_bytes,
         [=, &context] { dropout_backward(context, 0.1, std::span<const std::uint8_t>(mask), a, b); });
    pass("gradient of a bias", wide_bytes,
         [=, &context, sums = bench.matrix(1, inner)] { add_column_sums(context, wide, sums); });
    pass("norm of the gradient", wide_bytes, [=, &context] {
        const std::span<const float> g(wide.data, wide.size());
        [[maybe_unused]] static volatile double sink;
        sink = squared_norm(context, g);
    });
}

/// AdamW over `size` parameters: reads and writes values and both moments, reads gradients and leaves them at zero.
void add_update(std::vector<Kernel>& kernels, std::size_t size) {
    static Bench bench;
    bench.store.add_matrix("weight", 1, size, Initializer::uniform(1));
    const TrainableLayout before = bench.store.plan();
    static optimizer::AdamW::State<float> adamw(optimizer::AdamW{});
    adamw.layout_changed(before, bench.store.layout());
    kernels.push_back({"AdamW", 32.0 * double(size), [] {
                           static const None<Family::freeze>::State<Trained> freeze({}, Trained());
                           static None<Family::forgetting>::State<Trained> forgetting({}, Trained());
                           adamw.step_begins();
                           update_parameters<Trained>(bench.context, 1e-3, 1.0, adamw, freeze, forgetting);
                       }});
}

int run(const std::string& out) {
    io::make_folder(out);
    const FlushDenormals flush;
    const double peak = peak_flops();
    Bench bench;
    std::vector<Kernel> kernels;
    add_products<cpu::GemmProvider<float>>(bench.context, bench, kernels, "");
#if DIDACT_WITH_ONEDNN
    ParameterStore<Cpu<bf16>> bf16_store;
    Context<Cpu<bf16>> bf16_context{bf16_store, bench.pool, bench.arena};
    bool faster = cpu::OneDnnBf16Gemm<float>::serves();
#if DIDACT_WITH_AMX
    faster |= cpu::AmxGemm<float>::serves();
#endif
    if (faster) add_products<cpu::OneDnnBf16Gemm<float>>(bf16_context, bench, kernels, ", bf16");
#endif
    add_attention(bench, kernels);
    add_passes(bench, kernels);
    add_update(kernels, std::size_t(1) << 24);

    const std::string provider = cpu::GemmProvider<float>::name;
    report::Table table({"kernel", "reached", "measured against", "limit", "share", "aimed at"});
    for (const Kernel& kernel : kernels) {
        const bool bytes = !kernel.alone && !kernel.arithmetic;
        const double reached = kernel.work / time_of(kernel.call);
        const double limit = kernel.alone ? kernel.work / time_of(kernel.alone) : bytes ? triad(kernel.work) : peak;
        const double goal = kernel.alone ? 0.9 : bytes ? 0.8 : 0;
        const std::string unit = bytes ? " GB/s" : " GFLOP/s";
        const double share = reached / limit;
        table.row({kernel.name, report::fixed(reached * 1e-9, 1) + unit,
                   kernel.alone ? provider + " in one call"
                   : bytes      ? "a triad over " + report::fixed(kernel.work * 1e-6, 1) + " MB"
                                : std::string("fused multiply-add in registers"),
                   report::fixed(limit * 1e-9, 1) + unit, report::Cell(share, 2),
                   goal == 0 ? std::string(report::no_number)
                             : report::fixed(goal, 1) + (share >= goal ? ", reached" : ", MISSED")});
    }
    report::HtmlReport page(
        "How near to the machine's limits",
        "Kernels of a training step on one thread, at the sizes of a MiniLM micro-batch of 1024 tokens");
    page.paragraph("Fused multiply-adds in registers: " + report::fixed(peak * 1e-9, 0) +
                   " GFLOP/s. Triad over 400 MB: " + report::fixed(triad(4e8) * 1e-9, 1) + " GB/s. Products by " +
                   provider + ".");
    page.table(table);
    page.write(std::filesystem::path(out) / "roofline.html");
    std::cout << table.str() << out << "/roofline.html" << std::endl;
    return 0;
}

}

int main(int argc, char** argv) {
    std::string out = "benchmarks/results";
    CLI::App app("Measures kernels of a training step against the machine's limits.", "roofline");
    app.option_defaults()->always_capture_default();
    app.add_option("--out", out, "folder for roofline.html");
    CLI11_PARSE(app, argc, argv);
    try {
        return run(out);
    } catch (const std::exception& error) {
        std::cerr << "roofline: " << error.what() << '\n';
        return 2;
    }
}
