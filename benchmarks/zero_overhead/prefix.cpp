#include "by_hand.hpp"
#include "cases.hpp"

namespace zero_overhead {

/// The first block and the embeddings are frozen. Their output is computed once a sample and kept in one array;
/// every batch begins at the second block.
Outcome prefix_by_hand(std::size_t steps) {
    ByHand run(1);
    for (didact::ParameterId id = 0; id < run.store.count(); ++id)
        run.store.set_trainable(id, !run.store[id].shared ||
                                        run.model.trunk().stage_of(run.store[id].name) > prefix_layers);
    run.store.plan();
    run.reset_moments();
    const didact::Dataset data = make_dataset(0, 0, last_size);
    const std::size_t steps_per_epoch = data.size() / samples_per_task;
    FrozenOutput frozen(data);
    std::vector<std::uint32_t> order;
    didact::Batch batch;
    double loss = 0;
    for (std::size_t step = 0; step < steps; ++step) {
        const std::size_t begin = step % steps_per_epoch * samples_per_task;
        if (begin == 0) ByHand::shuffle(order, data.size(), 0, step / steps_per_epoch);
        batch.clear();
        for (std::size_t i = 0; i < samples_per_task; ++i) batch.append(data, order[begin + i]);
        loss = frozen.add_gradient(run, batch, 1, ByHand::dropout_key(batch, 0, step, steps_per_epoch));
        run.update(ByHand::learning_rate(step, planned_steps));
    }
    return outcome(run.model, loss);
}

Outcome prefix_by_trainer(std::size_t steps) {
    return train(1, 1, steps, didact::freeze::Prefix{.layers = prefix_layers});
}

}
