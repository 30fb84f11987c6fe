#include <chrono>

#include "didact/backend/cpu.hpp"
#include "didact/core/random.hpp"
#include "didact/model/heads/sequence_losses.hpp"
#include "didact/model/mlp.hpp"
#include "didact/policy/forgetting/online_ewc.hpp"
#include "didact/policy/forgetting/replay.hpp"
#include "didact/train/trainer.hpp"
#include "measure.hpp"
#include "work.hpp"

namespace peers {

using namespace didact;

namespace {

using Head = heads::Sequence<heads::CrossEntropy, heads::Pooling::first_token>;
using Perceptron = Model<Mlp<Cpu<float>>, Head>;

/// Five experiences of two classes each, random pixels.
Stream make_stream(std::size_t samples) {
    Stream stream;
    Random random(RandomKey{.purpose = RandomPurpose::data});
    for (std::size_t e = 0; e < 5; ++e) {
        Dataset data("pixels " + std::to_string(e));
        Sample sample;
        sample.features.resize(784);
        for (std::size_t i = 0; i < samples; ++i) {
            for (float& x : sample.features) x = float(random.uniform());
            sample.labels = {std::int32_t(2 * e + random.below(2))};
            data.append(sample);
        }
        stream.push_back({.name = "two classes", .tasks = {{.task = 0, .train = std::move(data)}}});
    }
    return stream;
}

/// When the first step of the second experience was done, and how many steps there were since. What is before it is a
/// warm-up, as Avalanche's first experience is in the peers' script: it has no penalty and rehearses nothing.
struct WarmUp {
    using Clock = std::chrono::steady_clock;
    Clock::time_point over;
    std::size_t steps_since = 0;
    void step(const report::StepReport& report) {
        if (report.experience == 0) return;
        if (report.experience == 1 && report.step == 1)
            over = Clock::now();
        else
            ++steps_since;
    }
};

/// Milliseconds a step of one run over the experiences after the first, with all that happens between them and after
/// the last.
template <class... Policies>
double time_run(const PerceptronRow& row, const Stream& stream, const Policies&... policies) {
    Perceptron model(MlpConfig{.input_size = 784, .hidden_sizes = {256, 256}});
    model.add_head({.num_labels = 10});
    Trainer trainer(model, optimizer::Sgd{.learning_rate = 0.01}, schedule::Constant{}, policies...);
    WarmUp warm_up;
    trainer.fit(stream, {.epochs = 1, .batch_size = row.batch_size, .max_gradient_norm = 0, .threads = 1}, warm_up);
    const double seconds = std::chrono::duration<double>(WarmUp::Clock::now() - warm_up.over).count();
    return seconds * 1e3 / double(warm_up.steps_since);
}

}

nlohmann::ordered_json measure_perceptron(const PerceptronRow& row) {
    const Stream stream = make_stream(row.samples);
    std::vector<double> times;
    for (std::size_t round = 0; round < row.rounds; ++round) {
        if (row.mode == "sgd")
            times.push_back(time_run(row, stream));
        else if (row.mode == "replay")
            times.push_back(time_run(row, stream, forgetting::Replay{.capacity = 200, .batch_size = row.batch_size}));
        else
            times.push_back(time_run(
                row, stream,
                forgetting::OnlineEwc{.strength = 0.4, .empirical_fisher = row.mode == "ewc"})); // as Avalanche's
    }
    const double gflop = perceptron_products(row) * 1e-9;
    return {{"system", "didact"},
            {"model", "mlp784-256-256-10"},
            {"mode", row.mode},
            {"precision", "fp32"},
            {"batch", row.batch_size},
            {"threads", 1},
            {"step_ms", median(times)},
            {"step_ms_min", *std::min_element(times.begin(), times.end())},
            {"step_ms_max", *std::max_element(times.begin(), times.end())},
            {"gflop", gflop},
            {"gflop_per_s", gflop / median(times) * 1e3}};
}

}
