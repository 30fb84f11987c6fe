#include "later_sets.hpp"

namespace clinical {

using namespace didact;
using namespace didact::forgetting;

namespace {

void run_stream(Study& study, const LaterSet& later) {
    const Budget& budget = study.budget;
    Setting setting{.experiment = "forgetting",
                    .name = later.name,
                    .baseline = "none",
                    .heads = later.heads,
                    .stream = later.stream,
                    .steps = budget.steps / 2,
                    .batch_size = budget.batch_size,
                    .average = true};
    compare(study, setting, //
            strategy("none", 1),
            strategy("Replay", 1, Replay{.capacity = budget.few_labels / 2, .batch_size = budget.batch_size / 2}));
    std::vector<Strategy<Encoder<>, OnlineEwc>> strengths;
    for (const double strength : budget.ewc_strengths)
        strengths.push_back(
            strategy("OnlineEwc", 1, OnlineEwc{.strength = strength, .fisher_samples = budget.fisher_samples}));
    run(study, setting, strengths);
    if (budget.all_strategies)
        compare(study, setting, strategy("LwF", 1, LearningWithoutForgetting{.strength = 1, .temperature = 2}),
                strategy("A-GEM", 1, AveragedGem{.capacity = budget.few_labels / 2, .batch_size = budget.batch_size}));
    // The upper bound: everything at once, with the steps of both.
    setting.stream = [&](std::uint64_t seed) -> Stream {
        Experience all{.name = "all at once"};
        for (const Experience& experience : later.stream(seed))
            all.tasks.insert(all.tasks.end(), experience.tasks.begin(), experience.tasks.end());
        return {all};
    };
    setting.steps = budget.steps / 2 * 2;
    run(study, setting, strategy("all at once (upper bound)", 1));
}

}

/// What is left of the first set after a second one has been learnt?
void run_forgetting(Study& study) {
    for (const LaterSet& later : later_sets(study)) run_stream(study, later);
}

}
