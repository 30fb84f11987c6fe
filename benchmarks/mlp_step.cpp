// What does a training step of a small multi-layer perceptron cost (784-256-256-10, the one of the published tables of
// continual learning)? Here little arithmetic stands beside each call, so what a trainer costs by itself would show.
//
//   build/release/benchmarks/mlp_step --benchmark_repetitions=5
//
// samples/s of MlpStep/784-256-256-10/<optimizer>/<batch size>, on one thread.
#include <benchmark/benchmark.h>

#include "didact/backend/cpu.hpp"
#include "didact/model/heads/sequence_losses.hpp"
#include "didact/model/mlp.hpp"
#include "didact/train/trainer.hpp"

namespace {

using namespace didact;
using Head = heads::Sequence<heads::CrossEntropy, heads::Pooling::first_token>;
using Perceptron = Model<Mlp<Cpu<float>>, Head>;

Dataset make_dataset(std::size_t size) {
    Dataset data("random pixels");
    Random random(RandomKey{.purpose = RandomPurpose::data});
    Sample sample;
    sample.features.resize(784);
    for (std::size_t i = 0; i < size; ++i) {
        for (float& x : sample.features) x = float(random.uniform());
        sample.labels = {std::int32_t(random.below(10))};
        data.append(sample);
    }
    return data;
}

template <class Optimizer>
void mlp_step(benchmark::State& state, const Optimizer& optimizer) {
    const std::size_t batch_size = std::size_t(state.range(0)), warm_steps = 2;
    Perceptron model(MlpConfig{.input_size = 784, .hidden_sizes = {256, 256}});
    model.add_head({.num_labels = 10});
    Trainer trainer(model, optimizer, schedule::Constant{});
    const auto stop = [&] { return trainer.moment().step >= warm_steps && !state.KeepRunning(); };
    trainer.fit(make_dataset(4096), {.epochs = 1e6, .batch_size = batch_size, .threads = 1, .stop = stop});
    state.counters["samples/s"] =
        benchmark::Counter(double(state.iterations()) * double(batch_size), benchmark::Counter::kIsRate);
}

BENCHMARK_CAPTURE(mlp_step, AdamW, optimizer::AdamW{})->Name("MlpStep/784-256-256-10/AdamW")->Arg(16)->Arg(128);
BENCHMARK_CAPTURE(mlp_step, Sgd, optimizer::Sgd{})->Name("MlpStep/784-256-256-10/Sgd")->Arg(16)->Arg(128);

}

BENCHMARK_MAIN();
