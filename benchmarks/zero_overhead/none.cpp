#include "by_hand.hpp"
#include "cases.hpp"

namespace zero_overhead {

/// No strategy: a permutation an epoch, one batch a step, AdamW.
Outcome none_by_hand(std::size_t steps) {
    ByHand run(1);
    run.store.plan();
    run.reset_moments();
    const didact::Dataset data = make_dataset(0, 0, last_size);
    const std::size_t steps_per_epoch = data.size() / samples_per_task;
    std::vector<std::uint32_t> order;
    didact::Batch batch;
    double loss = 0;
    for (std::size_t step = 0; step < steps; ++step) {
        const std::size_t begin = step % steps_per_epoch * samples_per_task;
        if (begin == 0) ByHand::shuffle(order, data.size(), 0, step / steps_per_epoch);
        batch.clear();
        for (std::size_t i = 0; i < samples_per_task; ++i) batch.append(data, order[begin + i]);
        loss = run.add_gradient(batch, 1, ByHand::dropout_key(batch, 0, step, steps_per_epoch));
        run.update(ByHand::learning_rate(step, planned_steps));
    }
    return outcome(run.model, loss);
}

Outcome none_by_trainer(std::size_t steps) { return train(1, 1, steps); }

}
