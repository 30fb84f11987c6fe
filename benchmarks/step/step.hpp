#pragma once
#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

#include "didact/backend/cpu.hpp"
#include "didact/model/arch/bert.hpp"
#include "didact/model/heads/sequence_losses.hpp"
#include "didact/train/trainer.hpp"

/// What does a training step cost under each strategy? One row a strategy, all on the same small BERT ("Bert4x128": 4
/// blocks, 128 wide) and the same random sequences of 32 to 96 tokens, 16 a step, on one thread.
namespace step_benchmark {

using B = didact::Cpu<float>;
using Trunk = didact::Transformer<didact::arch::Bert, B>;
template <class T>
using ModelOf = didact::Model<T, didact::heads::SequenceClassification<>>;

inline constexpr std::size_t layers = 4, hidden = 128, vocabulary = 8192, batch_size = 16;
inline constexpr std::size_t usual_size = 256; ///< samples a task

/// Allocations since the program began, counted by its own operator new.
std::size_t allocations();

inline didact::TransformerConfig config() {
    didact::TransformerConfig config;
    config.vocab_size = vocabulary;
    config.hidden_size = hidden;
    config.num_layers = layers;
    config.num_heads = 4;
    config.intermediate_size = 4 * hidden;
    config.max_positions = 128;
    config.type_vocab_size = 2;
    return config;
}

template <class T = Trunk, class Config = didact::TransformerConfig>
ModelOf<T> make_model(std::size_t tasks, const Config& sizes = config()) {
    ModelOf<T> model(sizes, 1);
    for (std::size_t task = 0; task < tasks; ++task) model.add_head({.num_labels = 4});
    return model;
}

/// Two experiences: one step long, and of `size` samples a task.
inline didact::Stream make_stream(std::size_t tasks, std::size_t size) {
    didact::Stream stream;
    for (std::size_t e = 0; e < 2; ++e) {
        stream.push_back({.name = "experience " + std::to_string(e)});
        for (std::size_t task = 0; task < tasks; ++task) {
            didact::Dataset data("data");
            didact::Random random(
                didact::RandomKey{.purpose = didact::RandomPurpose::data, .experience = e, .sample = task});
            for (std::size_t i = 0; i < (e == 0 ? batch_size : size); ++i) {
                didact::Sample sample;
                sample.token_ids.resize(32 + random.below(65));
                for (std::int32_t& id : sample.token_ids) id = std::int32_t(random.below(vocabulary));
                sample.labels = {std::int32_t(random.below(4))};
                sample.difficulty = float(random.uniform());
                data.append(sample);
            }
            stream.back().tasks.push_back({.task = task, .train = std::move(data)});
        }
    }
    return stream;
}

/// Adds what a step saw; a callback of fit.
struct Tokens {
    std::size_t count = 0;
    void step(const didact::report::StepReport& report) { count += report.tokens; }
};

/// Trains a short first experience, so that policies against forgetting have something to keep, and then times steps of
/// the second: `state` decides when that run stops. It begins after some steps, when every buffer has its size and the
/// cache of a frozen prefix holds a data set of at most usual_size samples.
template <class Model, class... Policies>
void time_steps(benchmark::State& state, Model model, std::size_t size, const Policies&... policies) {
    const didact::Stream stream = make_stream(model.tasks(), size);
    didact::Trainer trainer(model, didact::schedule::Constant{}, policies...);
    const std::size_t warm_steps = 2 + (size <= usual_size ? size * model.tasks() / batch_size : 0);
    Tokens tokens;
    std::size_t allocated = 0, allocated_before = 0;
    const auto stop = [&] {
        if (trainer.moment().step < warm_steps) return false;
        if (trainer.moment().step == warm_steps) {
            tokens.count = 0;
            allocated_before = allocations();
        }
        allocated = allocations() - allocated_before;
        return !state.KeepRunning();
    };
    trainer.fit({stream[0]}, {.epochs = 3, .batch_size = batch_size, .threads = 1}, tokens);
    trainer.fit({stream[1]}, {.epochs = 1e6, .batch_size = batch_size, .threads = 1, .stop = stop}, tokens);
    state.counters["tokens/s"] = benchmark::Counter(double(tokens.count), benchmark::Counter::kIsRate);
    state.counters["allocations"] = double(allocated) / double(state.iterations());
    state.counters["trainable"] = double(model.parameters().trainable_parameters());
}

/// Registers the row `Step/Bert4x128/<name>`; make() gives its model.
template <class Make, class... Policies>
bool add_row(const std::string& name, const Make& make, std::size_t size, const Policies&... policies) {
    benchmark::RegisterBenchmark(("Step/Bert4x128/" + name).c_str(), [=](benchmark::State& state) {
        time_steps(state, make(), size, policies...);
    })->Unit(benchmark::kMillisecond);
    return true;
}

inline const auto one_task = [] { return make_model(1); };
inline const auto two_tasks = [] { return make_model(2); };
}
