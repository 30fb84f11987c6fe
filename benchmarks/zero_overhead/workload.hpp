#pragma once
#include <bit>
#include <cstdint>
#include <string>

#include "didact/backend/cpu.hpp"
#include "didact/model/arch/bert.hpp"
#include "didact/model/heads/sequence_losses.hpp"
#include "didact/policy/curriculum/competence.hpp"
#include "didact/policy/forgetting/online_ewc.hpp"
#include "didact/policy/forgetting/replay.hpp"
#include "didact/policy/freeze/prefix.hpp"
#include "didact/policy/sharing/pcgrad.hpp"
#include "didact/train/trainer.hpp"

/// What both ways of zero_overhead train: a small BERT on sequences of about 20 tokens, 8 samples a task and step, on
/// one thread. Experience 0 is short and gives a forgetting policy something to keep; steps are counted in the last
/// experience.
namespace zero_overhead {

using B = didact::Cpu<float>;
using Model = didact::Model<didact::Transformer<didact::arch::Bert, B>, didact::heads::SequenceClassification<>>;

inline constexpr std::uint64_t seed = 7;
inline constexpr std::size_t samples_per_task = 8; ///< of a step
inline constexpr std::size_t epochs = 3;           ///< of each experience
inline constexpr std::size_t first_size = 16, last_size = 64;
inline constexpr std::size_t planned_steps = epochs * last_size / samples_per_task; ///< of the last experience
inline constexpr didact::optimizer::AdamW adam{.learning_rate = 1e-3};
inline constexpr double warmup = 0.1;
inline constexpr std::size_t prefix_layers = 1;
inline constexpr didact::forgetting::OnlineEwc ewc{.strength = 100};
inline constexpr didact::forgetting::Replay replay{.capacity = 12, .batch_size = 8};

inline Model make_model(std::size_t tasks) {
    didact::TransformerConfig config;
    config.vocab_size = 1000;
    config.hidden_size = 64;
    config.num_layers = 2;
    config.num_heads = 4;
    config.intermediate_size = 256;
    config.max_positions = 64;
    config.type_vocab_size = 2;
    Model model(config, seed);
    for (std::size_t task = 0; task < tasks; ++task) model.add_head({.num_labels = 3});
    return model;
}

/// Sequences of 14 to 26 tokens whose class is in their first token, or for other tasks in a later one.
inline didact::Dataset make_dataset(std::size_t experience, std::size_t task, std::size_t size) {
    didact::Dataset data("experience " + std::to_string(experience) + ", task " + std::to_string(task));
    didact::Random random(didact::RandomKey{
        .seed = seed, .purpose = didact::RandomPurpose::data, .experience = experience, .sample = task});
    for (std::size_t i = 0; i < size; ++i) {
        didact::Sample sample;
        sample.token_ids.resize(14 + random.below(13));
        for (std::int32_t& id : sample.token_ids) id = std::int32_t(random.below(1000));
        sample.labels = {sample.token_ids[task] % 3};
        data.append(sample);
    }
    return data;
}

inline didact::Stream make_stream(std::size_t experiences, std::size_t tasks) {
    didact::Stream stream;
    for (std::size_t e = 0; e < experiences; ++e) {
        stream.push_back({.name = "experience " + std::to_string(e)});
        for (std::size_t task = 0; task < tasks; ++task)
            stream.back().tasks.push_back(
                {.task = task, .train = make_dataset(e, task, e + 1 < experiences ? first_size : last_size)});
    }
    return stream;
}

/// What a run leaves: both ways must leave the same bits.
struct Outcome {
    std::uint64_t digest = 0; ///< of all parameters
    double loss = 0;          ///< of the last step
};

inline Outcome outcome(const Model& model, double loss) {
    Outcome result{0, loss};
    for (const float w : model.parameters().values())
        result.digest = didact::mix_bits(result.digest ^ std::bit_cast<std::uint32_t>(w));
    return result;
}

/// Trains by the library: the whole of the first experience and `steps` of the last one.
template <class... Policies>
Outcome train(std::size_t experiences, std::size_t tasks, std::size_t steps, const Policies&... policies) {
    Model model = make_model(tasks);
    const didact::Stream stream = make_stream(experiences, tasks);
    didact::Trainer trainer(model, adam, didact::schedule::Linear{.warmup = warmup}, policies...);
    const auto stop = [&] { return trainer.moment().experience + 1 == experiences && trainer.moment().step == steps; };
    const auto result = trainer.fit(stream, {.epochs = double(epochs),
                                             .batch_size = samples_per_task,
                                             .accumulation = tasks,
                                             .seed = seed,
                                             .threads = 1,
                                             .stop = stop});
    return outcome(model, result.last_loss);
}

}
