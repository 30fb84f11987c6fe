#include "by_hand.hpp"
#include "cases.hpp"

namespace zero_overhead {

/// Two tasks with a head each. Each task's gradient loses its component along the other's where they conflict.
Outcome pcgrad_by_hand(std::size_t steps) {
    ByHand run(2);
    run.store.plan();
    run.reset_moments();
    const didact::Dataset data[2] = {make_dataset(0, 0, last_size), make_dataset(0, 1, last_size)};
    const std::size_t steps_per_epoch = last_size / samples_per_task;
    GradientSurgery surgery;
    std::vector<std::uint32_t> order[2];
    didact::Batch batch;
    double loss = 0;
    for (std::size_t step = 0; step < steps; ++step) {
        const std::size_t begin = step % steps_per_epoch * samples_per_task;
        loss = 0;
        for (std::size_t task = 0; task < 2; ++task) {
            if (begin == 0) ByHand::shuffle(order[task], last_size, 0, step / steps_per_epoch, task);
            batch.clear();
            batch.task = task;
            for (std::size_t i = 0; i < samples_per_task; ++i) batch.append(data[task], order[task][begin + i]);
            surgery.begin(run, task);
            loss += run.add_gradient(batch, 1, ByHand::dropout_key(batch, 0, step, steps_per_epoch));
        }
        surgery.combine(run);
        run.update(ByHand::learning_rate(step, planned_steps));
    }
    return outcome(run.model, loss);
}

Outcome pcgrad_by_trainer(std::size_t steps) { return train(1, 2, steps, didact::sharing::Pcgrad{}); }

}
