#include "by_hand.hpp"
#include "cases.hpp"

namespace zero_overhead {

/// A reservoir of the first experience's samples; every step of the second adds a batch drawn from it without
/// replacement, current and rehearsed samples weighing alike.
Outcome replay_by_hand(std::size_t steps) {
    ByHand run(1);
    run.store.plan();
    std::vector<std::uint32_t> order, places;
    didact::Batch batch, rehearsed;
    double loss = 0;

    const didact::Dataset first = make_dataset(0, 0, first_size), last = make_dataset(1, 0, last_size);
    std::size_t steps_per_epoch = first_size / samples_per_task;
    run.reset_moments();
    for (std::size_t step = 0; step < epochs * steps_per_epoch; ++step) {
        const std::size_t begin = step % steps_per_epoch * samples_per_task;
        if (begin == 0) ByHand::shuffle(order, first_size, 0, step / steps_per_epoch);
        batch.clear();
        for (std::size_t i = 0; i < samples_per_task; ++i) batch.append(first, order[begin + i]);
        loss = run.add_gradient(batch, 1, ByHand::dropout_key(batch, 0, step, steps_per_epoch));
        run.update(ByHand::learning_rate(step, epochs * steps_per_epoch));
    }

    std::vector<didact::Sample> memory;
    for (std::uint32_t i = 0; i < first.size(); ++i) {
        if (memory.size() < replay.capacity) {
            memory.push_back(first.sample(i));
            continue;
        }
        didact::Random random(
            didact::RandomKey{.seed = seed, .purpose = didact::RandomPurpose::reservoir, .sample = i});
        if (const std::size_t place = random.below(i + 1); place < replay.capacity) memory[place] = first.sample(i);
    }

    // Rehearsed samples are not those of a data set; the number that stands for them is part of the dropout's key.
    constexpr std::uint64_t memory_digest = 0xb0ffe4;
    constexpr double total = double(samples_per_task + replay.batch_size);
    steps_per_epoch = last_size / samples_per_task;
    places.resize(memory.size());
    run.reset_moments();
    for (std::size_t step = 0; step < steps; ++step) {
        const std::size_t begin = step % steps_per_epoch * samples_per_task;
        if (begin == 0) ByHand::shuffle(order, last_size, 1, step / steps_per_epoch);
        batch.clear();
        for (std::size_t i = 0; i < samples_per_task; ++i) batch.append(last, order[begin + i]);

        didact::Random random(ByHand::key(didact::RandomPurpose::rehearsal, 1, step, steps_per_epoch, 0));
        std::iota(places.begin(), places.end(), 0u);
        rehearsed.clear();
        for (std::size_t i = 0; i < replay.batch_size; ++i) {
            std::swap(places[i], places[i + random.below(places.size() - i)]);
            rehearsed.append(memory[places[i]], {memory_digest, places[i]});
        }

        constexpr double current = double(samples_per_task) / total, earlier = double(replay.batch_size) / total;
        loss = current * run.add_gradient(batch, current, ByHand::dropout_key(batch, 1, step, steps_per_epoch));
        loss +=
            earlier * run.add_gradient(rehearsed, earlier, ByHand::dropout_key(rehearsed, 1, step, steps_per_epoch));
        run.update(ByHand::learning_rate(step, planned_steps));
    }
    return outcome(run.model, loss);
}

Outcome replay_by_trainer(std::size_t steps) { return train(2, 1, steps, replay); }

}
