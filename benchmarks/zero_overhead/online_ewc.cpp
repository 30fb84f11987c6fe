#include "by_hand.hpp"
#include "cases.hpp"

namespace zero_overhead {

/// Two experiences; in the second the update adds strength · F (w − a). The Fisher information F is the library's
/// (forgetting::add_fisher): it is computed once, between the experiences, and is not among the steps that are counted.
Outcome online_ewc_by_hand(std::size_t steps) {
    ByHand run(1);
    run.store.plan();
    std::vector<std::uint32_t> order;
    didact::Batch batch;
    double loss = 0;
    const auto experience = [&](std::size_t number, const didact::Dataset& data, std::size_t until, const auto& add) {
        run.reset_moments();
        const std::size_t steps_per_epoch = data.size() / samples_per_task, total = epochs * steps_per_epoch;
        for (std::size_t step = 0; step < std::min(until, total); ++step) {
            const std::size_t begin = step % steps_per_epoch * samples_per_task;
            if (begin == 0) ByHand::shuffle(order, data.size(), number, step / steps_per_epoch);
            batch.clear();
            for (std::size_t i = 0; i < samples_per_task; ++i) batch.append(data, order[begin + i]);
            loss = run.add_gradient(batch, 1, ByHand::dropout_key(batch, number, step, steps_per_epoch));
            run.update(ByHand::learning_rate(step, total), add);
        }
    };
    const didact::Dataset first = make_dataset(0, 0, first_size), last = make_dataset(1, 0, last_size);
    experience(0, first, epochs * first_size, [](std::size_t, float, float g) { return g; });
    const Consolidation kept(run, {&first});
    const float strength = float(ewc.strength);
    const float *const fisher = kept.fisher.data(), *const anchor = kept.anchor.data();
    experience(1, last, steps, [=](std::size_t i, float w, float g) {
        g += strength * fisher[i] * (w - anchor[i]);
        return g;
    });
    return outcome(run.model, loss);
}

Outcome online_ewc_by_trainer(std::size_t steps) { return train(2, 1, steps, ewc); }

}
