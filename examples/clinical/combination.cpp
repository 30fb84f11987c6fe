#include "later_sets.hpp"

namespace clinical {

using namespace didact;

/// Strategies of all four kinds at once, where all four have something to do: few labels, a second task beside the
/// first, and a second set that arrives later.
void run_combination(Study& study) {
    const Budget& budget = study.budget;
    const LaterSet later = later_sets(study).front();
    const Task& mentions = study.data.mentions;
    Setting setting{.experiment = "combination",
                    .name = later.name + "; with mentions",
                    .baseline = "plain",
                    .heads = later.heads,
                    .stream = [&](std::uint64_t seed) -> Stream {
                        Stream stream = later.stream(seed);
                        stream[0].tasks.push_back({.task = later.heads.size(),
                                                   .train = draw(mentions.data.train, budget.few_labels, seed),
                                                   .validation = mentions.data.validation,
                                                   .test = mentions.data.test});
                        return stream;
                    },
                    .steps = budget.steps / 2,
                    .batch_size = budget.batch_size,
                    .average = true};
    setting.heads.push_back(&mentions);
    compare(study, setting, strategy("plain", 1),
            strategy("Prefix + Competence + PCGrad + Replay", 1,
                     freeze::Prefix{.layers = study.base.config.num_layers / 2},
                     curriculum::Competence<difficulty::Length>{.initial = 0.3}, sharing::Pcgrad{},
                     forgetting::Replay{.capacity = budget.few_labels, .batch_size = budget.batch_size / 2}));
}

}
