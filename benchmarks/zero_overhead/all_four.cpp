#include "by_hand.hpp"
#include "cases.hpp"

namespace zero_overhead {

namespace {

constexpr didact::curriculum::Competence<> competence{.initial = 0.3};

/// Draws from the shortest samples of one task, more of them from step to step.
struct ShortFirst {
    explicit ShortFirst(const didact::Dataset& data) : order(data.size()) {
        std::iota(order.begin(), order.end(), 0u);
        std::stable_sort(order.begin(), order.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return data.length(a) < data.length(b); });
    }

    void draw(std::size_t experience, std::size_t task, std::size_t step, std::size_t steps_per_epoch,
              std::size_t total) {
        const double start = std::pow(competence.initial, competence.power);
        const double share =
            std::min(1.0, std::pow(double(step) / double(total) / competence.duration * (1 - start) + start,
                                   1 / competence.power));
        const std::size_t available =
            std::clamp<std::size_t>(std::size_t(share * double(order.size()) + 1e-9), 1, order.size());
        pool.assign(order.begin(), order.begin() + std::ptrdiff_t(available));
        didact::Random random(ByHand::key(didact::RandomPurpose::curriculum, experience, step, steps_per_epoch, task));
        for (std::size_t i = 0; i < samples_per_task; ++i) {
            const std::size_t taken = i % available;
            std::swap(pool[taken], pool[taken + random.below(available - taken)]);
            chosen[i] = pool[taken];
        }
    }

    std::vector<std::uint32_t> order, pool;
    std::uint32_t chosen[samples_per_task];
};

}

/// Two experiences of two tasks with a frozen prefix, competence-based pacing by length, gradient surgery, and in the
/// second experience the penalty of elastic weight consolidation on what the tasks share.
Outcome all_four_by_hand(std::size_t steps) {
    ByHand run(2);
    for (didact::ParameterId id = 0; id < run.store.count(); ++id)
        run.store.set_trainable(id, !run.store[id].shared ||
                                        run.model.trunk().stage_of(run.store[id].name) > prefix_layers);
    run.store.plan();
    GradientSurgery surgery;
    didact::Batch batch;
    double loss = 0;
    const auto experience = [&](std::size_t number, const didact::Dataset(&data)[2], std::size_t until,
                                const auto& add) {
        run.reset_moments();
        const std::size_t steps_per_epoch = data[0].size() / samples_per_task, total = epochs * steps_per_epoch;
        FrozenOutput frozen[2] = {FrozenOutput(data[0]), FrozenOutput(data[1])};
        ShortFirst samples[2] = {ShortFirst(data[0]), ShortFirst(data[1])};
        for (std::size_t step = 0; step < std::min(until, total); ++step) {
            loss = 0;
            for (std::size_t task = 0; task < 2; ++task) {
                samples[task].draw(number, task, step, steps_per_epoch, total);
                batch.clear();
                batch.task = task;
                for (const std::uint32_t i : samples[task].chosen) batch.append(data[task], i);
                surgery.begin(run, task);
                loss +=
                    frozen[task].add_gradient(run, batch, 1, ByHand::dropout_key(batch, number, step, steps_per_epoch));
            }
            surgery.combine(run);
            run.update(ByHand::learning_rate(step, total), add);
        }
    };
    const didact::Dataset first[2] = {make_dataset(0, 0, first_size), make_dataset(0, 1, first_size)};
    const didact::Dataset last[2] = {make_dataset(1, 0, last_size), make_dataset(1, 1, last_size)};
    experience(0, first, epochs * first_size, [](std::size_t, float, float g) { return g; });
    const Consolidation kept(run, {&first[0], &first[1]});
    const float strength = float(ewc.strength);
    const float *const fisher = kept.fisher.data(), *const anchor = kept.anchor.data();
    experience(1, last, steps, [=](std::size_t i, float w, float g) {
        g += strength * fisher[i] * (w - anchor[i]);
        return g;
    });
    return outcome(run.model, loss);
}

Outcome all_four_by_trainer(std::size_t steps) {
    return train(2, 2, steps, didact::freeze::Prefix{.layers = prefix_layers}, competence, didact::sharing::Pcgrad{},
                 ewc);
}

}
