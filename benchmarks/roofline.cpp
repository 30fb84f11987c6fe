// How near to this machine's limits is each kernel of a training step?
//
//   build/release/benchmarks/roofline --out benchmarks/results
//
// measures on one thread, at the sizes of a MiniLM micro-batch of 1024 tokens: products of matrices against what
// the best of Eigen, oneDNN and OpenBLAS reaches in one call at that shape, and passes over memory against a triad
// (a = b + s c) over as many bytes, which may lie in a cache, or against their arithmetic where that takes longer.
// Writes roofline.html.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <iostream>

#include "bench.hpp"
#include "didact/backend/cpu.hpp"
#include "didact/io/folder.hpp"
#include "didact/report/html.hpp"
#include "didact/train/update.hpp"
#include "limits.hpp"
#if DIDACT_WITH_OPENBLAS
#include "open_blas.hpp"
#endif

namespace {

using namespace didact;
using benchmarks::Bench;
using benchmarks::Trained;
using benchmarks::Work;
using B = Cpu<float>;
constexpr std::size_t tokens = 1024, hidden = 384, inner = 1536, num_heads = 12, length = 128;

/// What a kernel is measured against. Without a goal it is there for information only.
struct Limit {
    std::string name;
    Work work;
    double goal = 0;
};

/// Its work is operations, or the bytes that must at least be read and written once.
struct Kernel {
    std::string name, unit;
    Work work;
    Limit limit;
};

/// Amounts a second of each: the best of several runs, each long enough to time, in turn, as neighbours' load changes.
std::array<double, 2> rates_of(const Work& one, const Work& other) {
    using Clock = std::chrono::steady_clock;
    const auto run = [](const Work& work, std::size_t calls) {
        const auto began = Clock::now();
        for (std::size_t i = 0; i < calls; ++i) work.call();
        return std::chrono::duration<double>(Clock::now() - began).count();
    };
    const std::array<const Work*, 2> works{&one, &other};
    std::array<std::size_t, 2> calls{1, 1};
    std::array<double, 2> best{1e300, 1e300};
    for (std::size_t w = 0; w < 2; ++w) {
        works[w]->call();
        while (run(*works[w], calls[w]) < 0.005) calls[w] *= 2;
    }
    for (int i = 0; i < 15; ++i)
        for (std::size_t w = 0; w < 2; ++w) best[w] = std::min(best[w], run(*works[w], calls[w]) / double(calls[w]));
    return {one.amount / best[0], other.amount / best[1]};
}

Limit bandwidth(double bytes) {
    return {"a triad over " + report::fixed(bytes * 1e-6, 1) + " MB", benchmarks::triad(bytes), 0.8};
}

/// The time of as many multiply-adds as the formula has operations.
Limit arithmetic(double bytes, double operations) {
    return {report::fixed(operations * 1e-6, 1) + "M multiply-adds",
            {bytes, benchmarks::fused_multiply_adds(operations).call},
            0.8};
}

/// The limit that wins(its rate, another's) here.
template <class Wins>
Limit chosen(const std::vector<Limit>& limits, const Wins& wins) {
    const Limit* best = &limits.front();
    for (const Limit& other : limits) {
        if (&other == best) continue;
        const auto [rate, other_rate] = rates_of(best->work, other.work);
        if (wins(other_rate, rate)) best = &other;
    }
    return *best;
}
Limit highest(const std::vector<Limit>& limits) { return chosen(limits, std::greater<>()); }
Limit lowest(const std::vector<Limit>& limits) { return chosen(limits, std::less<>()); }

/// The products of a linear layer on the backend of `context` beside those of the best of some libraries.
template <class... Libraries, CpuBackend Own>
void add_products(Context<Own>& context, Bench& bench, std::vector<Kernel>& kernels, const std::string& precision) {
    const auto operand = [&]<class Operand>(View<float> x, Operand) -> View<const Operand> {
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
            const auto in_one_call = [&]<class Library>(Library) {
                const auto left = operand(a, typename Library::Operand{}),
                           right = operand(b, typename Library::Operand{});
                return Limit{std::string(Library::name) + " in one call",
                             {work, [=] { Library::product(ta, left, tb, right, c, false); }},
                             0.9};
            };
            kernels.push_back({std::string(name) + ", " + shape + precision,
                               " GFLOP/s",
                               {work, [&context, ta, a, tb, b, c] { gemm(context, ta, a, tb, b, c); }},
                               highest({in_one_call(Libraries{})...})});
        };
        product("y = x Wᵀ", Transpose::no, x, Transpose::yes, w, y);
        product("dx = dy W", Transpose::no, y, Transpose::no, w, x);
        product("dW = dyᵀ x", Transpose::yes, y, Transpose::no, x, w);
    }
}

template <CpuBackend Own>
void add_attention(Context<Own>& context, Bench& bench, std::vector<Kernel>& kernels, const std::string& precision,
                   const Limit& limit) {
    static const std::vector<std::int32_t> cu_seqlens = [] {
        std::vector<std::int32_t> begins;
        for (std::size_t s = 0; s <= tokens / length; ++s) begins.push_back(std::int32_t(s * length));
        return begins;
    }();
    const AttentionShape shape{
        .cu_seqlens = cu_seqlens, .num_heads = num_heads, .scale = 1 / std::sqrt(double(hidden / num_heads))};
    std::vector<View<float>> v;
    for (int i = 0; i < 8; ++i) v.push_back(bench.matrix(tokens, hidden));
    const std::span<float> log_sums = bench.numbers(tokens * num_heads);
    const double product = 2.0 * double(tokens) * double(length) * double(hidden);
    kernels.push_back(
        {"attention, forward" + precision,
         " GFLOP/s",
         {2 * product,
          [&context, shape, v, log_sums] { attention_forward(context, shape, v[0], v[1], v[2], v[3], log_sums); }},
         limit});
    kernels.push_back({"attention, backward" + precision,
                       " GFLOP/s",
                       {5 * product,
                        [&context, shape, v, log_sums] {
                            attention_backward(context, shape, v[0], v[1], v[2], v[3], std::span<const float>(log_sums),
                                               v[4], v[5], v[6], v[7]);
                        }},
                       limit});
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
    // An element's `operations` are additions, products, both at once, comparisons and the like.
    const auto pass = [&](const char* name, View<float> x, double bytes_of_element, double operations,
                          std::function<void()> call) {
        const double bytes = bytes_of_element * double(x.size());
        kernels.push_back({name,
                           " GB/s",
                           {bytes, std::move(call)},
                           lowest({bandwidth(bytes), arithmetic(bytes, operations * double(x.size()))})});
    };
    layer_norm_forward(context, a, weight, bias, 1e-12, b, mean, rstd);
    dropout_forward(context, 0.1, 3, a, b, mask);
    pass("residual sum", a, 12, 1, [=, &context] { add(context, a, b, c); });
    pass("layer norm, forward", a, 8, 6,
         [=, &context] { layer_norm_forward(context, a, weight, bias, 1e-12, b, mean, rstd); });
    pass("layer norm, backward", a, 12, 15, [=, &context] {
        layer_norm_backward(context, a, weight, std::span<const float>(mean), std::span<const float>(rstd), b, c,
                            dweight, dbias);
    });
    // Of GELU's, the exponential takes 14, and the tail that it is a factor of 12.
    pass("GELU, forward", wide, 8, 29,
         [=, &context] { activation_forward(context, Activation::gelu, wide, wide_out); });
    pass("GELU, backward", wide, 12, 33,
         [=, &context] { activation_backward(context, Activation::gelu, wide, wide_too, wide_out); });
    pass("ReLU, forward", wide, 8, 1, [=, &context] { activation_forward(context, Activation::relu, wide, wide_out); });
    // Eight elements share the ten rounds of a Philox block, each eight operations on words of 64 bits.
    pass("dropout, forward", a, 9, 24, [=, &context] { dropout_forward(context, 0.1, 3, a, b, mask); });
    pass("dropout, backward", a, 9, 3,
         [=, &context] { dropout_backward(context, 0.1, std::span<const std::uint8_t>(mask), a, b); });
    pass("gradient of a bias", wide, 4, 1,
         [=, &context, sums = bench.matrix(1, inner)] { add_column_sums(context, wide, sums); });
    pass("norm of the gradient", wide, 4, 1, [=, &context] {
        const std::span<const float> g(wide.data, wide.size());
        [[maybe_unused]] static volatile double sink;
        sink = squared_norm(context, g);
    });
}

/// AdamW over `size` parameters: reads and writes values and both moments, and reads gradients.
void add_update(std::vector<Kernel>& kernels, std::size_t size) {
    static Bench bench;
    bench.store.add_matrix("weight", 1, size, Initializer::uniform(1));
    const TrainableLayout before = bench.store.plan();
    static optimizer::AdamW::State<float> adamw(optimizer::AdamW{});
    adamw.layout_changed(before, bench.store.layout());
    const auto update = [] {
        static const None<Family::freeze>::State<Trained> freeze({}, Trained());
        static None<Family::forgetting>::State<Trained> forgetting({}, Trained());
        adamw.step_begins();
        update_parameters<Trained>(bench.context, 1e-3, 1.0, adamw, freeze, forgetting);
    };
    const double bytes = 28.0 * double(size);
    kernels.push_back({"AdamW", " GB/s", {bytes, update}, bandwidth(bytes)});
}

int run(const std::string& out) {
    io::make_folder(out);
    const FlushDenormals flush;
    const Limit registers{"fused multiply-add in registers", benchmarks::fused_multiply_adds(1e6)};
    Bench bench;
    std::vector<Kernel> kernels;
    add_products<cpu::EigenGemm<float>
#if DIDACT_WITH_ONEDNN
                 ,
                 cpu::OneDnnGemm
#endif
#if DIDACT_WITH_OPENBLAS
                 ,
                 benchmarks::OpenBlasGemm
#endif
                 >(bench.context, bench, kernels, "");
    add_attention(bench.context, bench, kernels, "", registers);
    ParameterStore<Cpu<bf16>> bf16_store;
    Context<Cpu<bf16>> bf16_context{bf16_store, bench.pool, bench.arena};
    bool faster = false;
#if DIDACT_WITH_ONEDNN
    faster = cpu::OneDnnBf16Gemm<float>::serves();
#endif
    Limit bf16_limit = registers;
#if DIDACT_WITH_AMX
    if (cpu::AmxGemm<float>::serves()) {
        faster = true;
        bf16_limit = {"tile registers, first cache", benchmarks::tile_products()};
    }
#endif
    if (faster) {
#if DIDACT_WITH_ONEDNN
        add_products<cpu::OneDnnBf16Gemm<float>>(bf16_context, bench, kernels, ", bf16");
#endif
        add_attention(bf16_context, bench, kernels, ", bf16", bf16_limit);
    }
    add_passes(bench, kernels);
    add_update(kernels, std::size_t(1) << 24);

    report::Table table({"kernel", "reached", "measured against", "limit", "share", "aimed at"});
    for (const Kernel& kernel : kernels) {
        const auto [reached, limit] = rates_of(kernel.work, kernel.limit.work);
        const double goal = kernel.limit.goal, share = reached / limit;
        table.row({kernel.name, report::fixed(reached * 1e-9, 1) + kernel.unit, kernel.limit.name,
                   report::fixed(limit * 1e-9, 1) + kernel.unit, report::Cell(share, 2),
                   goal == 0 ? std::string(report::no_number)
                             : report::fixed(goal, 1) + (share >= goal ? ", reached" : ", MISSED")});
    }
    const auto [peak, memory] = rates_of(registers.work, benchmarks::triad(4e8));
    report::HtmlReport page(
        "How near to the machine's limits",
        "Kernels of a training step on one thread, at the sizes of a MiniLM micro-batch of 1024 tokens");
    page.paragraph("Fused multiply-adds in registers: " + report::fixed(peak * 1e-9, 0) +
                   " GFLOP/s. Triad over 400 MB: " + report::fixed(memory * 1e-9, 1) + " GB/s. Products of floats by " +
                   cpu::GemmProvider<float>::name +
                   ". A pass over memory is measured against the time of its bytes, or of its operations where that is "
                   "longer. A kernel and its limit are timed in turn, the best of 15 each.");
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
