#pragma once
#include "study.hpp"

namespace clinical {

/// Two sets of labelled texts that arrive one after another.
struct LaterSet {
    std::string name;
    std::vector<const Task*> heads;
    std::function<didact::Stream(std::uint64_t seed)> stream;
};

/// New diagnoses for the same head (the first half of them, then the second), and a second set as the data have it: of
/// a later time, or another task with a head of its own. What has no room for all strategies takes the first, where
/// forgetting is plain to see.
inline std::vector<LaterSet> later_sets(const Study& study) {
    using namespace didact;
    const Data& data = study.data;
    const Task &diagnosis = data.diagnosis, &later = data.later;
    const std::size_t count = study.budget.few_labels, half = diagnosis.labels.size() / 2;
    const auto part = [&diagnosis, count](std::uint64_t seed, std::size_t begin, std::size_t end) -> TaskData {
        return {.task = 0,
                .train = draw(with_labels(diagnosis.data.train, begin, end), count, seed),
                .validation = with_labels(diagnosis.data.validation, begin, end),
                .test = with_labels(diagnosis.data.test, begin, end)};
    };
    const LaterSet classes{"diagnoses 1-" + std::to_string(half) + ", then the others",
                           {&diagnosis},
                           [&diagnosis, part, half](std::uint64_t seed) -> Stream {
                               return {
                                   {.name = "first diagnoses", .tasks = {part(seed, 0, half)}},
                                   {.name = "other diagnoses", .tasks = {part(seed, half, diagnosis.labels.size())}}};
                           }};
    LaterSet set{
        data.later_name,
        {&diagnosis},
        [&diagnosis, &later, count, head = std::size_t(data.later_has_its_own_head)](std::uint64_t seed) -> Stream {
            const auto all = [&](const Task& task, std::size_t number) -> TaskData {
                return {.task = number,
                        .train = draw(task.data.train, count, seed),
                        .validation = task.data.validation,
                        .test = task.data.test};
            };
            return {{.name = "first", .tasks = {all(diagnosis, 0)}}, {.name = "later", .tasks = {all(later, head)}}};
        }};
    if (data.later_has_its_own_head) set.heads.push_back(&later);
    if (study.budget.all_strategies) return {classes, set};
    return {classes};
}

}
