#include "study.hpp"

namespace clinical {

using namespace didact;

namespace {

TaskData sample_of(const Task& task, std::size_t number, std::size_t count, std::uint64_t seed) {
    return {.task = number,
            .train = draw(task.data.train, count, seed),
            .validation = task.data.validation,
            .test = task.data.test};
}

}

/// Do diagnosis and the tagging of mentions help each other? A task alone gets batches of n, both together of 2 n, half
/// of each: every task sees as many of its samples, whether alone or not. Tagging learns slowly, so all get
/// twice the budget's steps.
void run_sharing(Study& study) {
    const Task &diagnosis = study.data.diagnosis, &mentions = study.data.mentions;
    const std::size_t labels = study.budget.few_labels, sentences = study.budget.sentences;
    const std::string alone = "single tasks";
    Setting setting{.experiment = "sharing",
                    .name = std::to_string(labels) + " labels, " + std::to_string(sentences) + " sentences",
                    .baseline = alone,
                    .heads = {&diagnosis},
                    .stream = [&](std::uint64_t seed) -> Stream {
                        return {{.name = "diagnosis", .tasks = {sample_of(diagnosis, 0, labels, seed)}}};
                    },
                    .steps = 2 * study.budget.steps,
                    .batch_size = study.budget.batch_size / 2};
    run(study, setting, strategy(alone, 1));
    setting.heads = {&mentions};
    setting.stream = [&](std::uint64_t seed) -> Stream {
        return {{.name = "mentions", .tasks = {sample_of(mentions, 0, sentences, seed)}}};
    };
    run(study, setting, strategy(alone, 1));

    setting.heads = {&diagnosis, &mentions};
    setting.stream = [&](std::uint64_t seed) -> Stream {
        return {{.name = "both",
                 .tasks = {sample_of(diagnosis, 0, labels, seed), sample_of(mentions, 1, sentences, seed)}}};
    };
    setting.batch_size *= 2;
    using sharing::Both, sharing::Hard;
    const Hard half_each{.exponent = 0};
    run(study, setting, strategy("Hard", 1, half_each));
    if (!study.budget.all_strategies) return;
    run(study, setting, strategy("PCGrad", 1, Both<Hard, sharing::Pcgrad>{half_each}));
    run(study, setting, strategy("UncertaintyWeighting", 1, Both<Hard, sharing::UncertaintyWeighting>{half_each}));
    run(study, setting,
        strategy<CrossStitch<Encoder<>>>("CrossStitch", 1, Both<Hard, sharing::CrossStitch>{half_each}));
}

}
