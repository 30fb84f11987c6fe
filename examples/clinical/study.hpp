#pragma once
#include <functional>
#include <iostream>
#include <limits>
#include <optional>

#include "data.hpp"
#include "didact/didact.hpp"
#include "didact/eval/continual.hpp"
#include "didact/policy/describe.hpp"
#include "didact/report/format_number.hpp"
#include "didact/report/resources.hpp"
#include "model.hpp"
#include "results.hpp"

namespace clinical {

/// What all experiments share.
struct Study {
    Options options;
    Budget budget;
    Data data;
    Pretrained base;    ///< what runs start from
    Pretrained adapted; ///< the same after masked language modelling on the domain's text
    Results results;
};

/// The experiments: one file each. They add to study.results.
void run_curve(Study& study);
void run_freezing(Study& study);
void run_curriculum(Study& study);
void run_sharing(Study& study);
void run_forgetting(Study& study);
void run_combination(Study& study);

/// What the strategies of an experiment are compared on.
struct Setting {
    std::string experiment, name;
    std::string baseline;           ///< the strategy that the others must beat
    std::vector<const Task*> heads; ///< task t of the stream has head t
    std::function<didact::Stream(std::uint64_t seed)> stream;
    std::size_t steps = 0; ///< of each experience
    std::size_t batch_size = 0;
    bool average = false; ///< judge by the mean over all test sets instead of each of them
};

/// One way to train, as types: policies of any families, on a trunk that suits them.
template <class Trunk, didact::Policy... Policies>
struct Strategy {
    std::string name;
    double rate = 1;                   ///< times the budget's learning rate
    const Pretrained* start = nullptr; ///< the base model where not said
    std::tuple<Policies...> policies = {};

    /// The policies with their numbers.
    std::string describe() const {
        return std::apply(
            [](const Policies&... policy) {
                std::string text;
                ((text += (text.empty() ? "" : " + ") + didact::describe(policy)), ...);
                return text;
            },
            policies);
    }
};

template <class Trunk = Encoder<>, didact::Policy... Policies>
Strategy<Trunk, Policies...> strategy(std::string name, double rate, Policies... policies) {
    return {std::move(name), rate, nullptr, {policies...}};
}

/// Lets the peak of this process's memory be counted anew, where the system can (Linux).
void reset_peak_memory();

/// What one training run left behind.
struct Outcome {
    RunResult run;
    std::vector<double> matrix;
    std::vector<didact::Evaluation> tests; ///< of the last experience's tasks where there is one experience

    /// Mean over all test sets.
    double score() const;
};

/// Trains one model. With one experience the tests are left out of the training and run at the end.
template <class Trunk, didact::Policy... Policies>
Outcome train_once(const Study& study, const Setting& setting, const Strategy<Trunk, Policies...>& strategy,
                   double rate, std::uint64_t seed) {
    using namespace didact;
    reset_peak_memory();
    const Pretrained& start = strategy.start ? *strategy.start : study.base;
    auto model = [&] {
        if constexpr (sharing::is_cross_stitch<Trunk>)
            return StudyModel<Trunk>(CrossStitchConfig{start.config, setting.heads.size()}, seed);
        else
            return StudyModel<Trunk>(start.config, seed);
    }();
    for (const Task* task : setting.heads) {
        const HeadOptions head{.num_labels = task->labels.size(), .labels = task->labels.names()};
        if (task->tagging)
            model.template add_head<Tagger>(head);
        else
            model.template add_head<Classifier>(head);
    }
    copy_weights(start, model);

    Stream stream = setting.stream(seed);
    std::vector<TaskData> tests;
    if (stream.size() == 1 && !setting.average)
        for (TaskData& data : stream[0].tasks)
            tests.push_back({.task = data.task, .test = std::exchange(data.test, {})});

    TrainingOptions options;
    options.steps = setting.steps;
    options.batch_size = setting.batch_size;
    options.patience = study.budget.patience;
    options.threads = study.options.threads;
    options.seed = seed;
    const report::Stopwatch stopwatch;
    const double cpu = report::process_cpu_seconds();
    const optimizer::AdamW adamw{.learning_rate = rate};
    return std::apply(
        [&](const Policies&... policies) {
            Trainer trainer(model, policies..., adamw);
            const TrainingResult result = trainer.fit(stream, options);
            Outcome outcome;
            outcome.run = {.seed = seed,
                           .forgetting = std::numeric_limits<double>::quiet_NaN(),
                           .seconds = stopwatch.seconds(),
                           .cpu_seconds = report::process_cpu_seconds() - cpu,
                           .peak_memory_mb = double(report::peak_memory_bytes()) / 1e6,
                           .tokens = result.tokens,
                           .learning_rate = rate};
            if (!result.validation.empty())
                outcome.run.validation = *std::max_element(result.validation.begin(), result.validation.end());
            outcome.matrix = result.matrix;
            for (const TaskData& data : tests)
                outcome.tests.push_back(
                    evaluate(trainer.engine(), data.test, data.task, options.evaluation_batch_size));
            return outcome;
        },
        strategy.policies);
}

extern template Outcome train_once(const Study&, const Setting&, const Strategy<Encoder<>>&, double, std::uint64_t);

/// Adds the rows of one run: one for the mean over test sets, or one for each task.
void record(Study& study, const Setting& setting, const std::string& strategy, const std::string& policies,
            const Outcome& outcome);

/// The same setting judged by its validation parts: what is chosen in it has not seen the control set.
inline Setting judged_by_validation(Setting setting) {
    setting.stream = [stream = std::move(setting.stream)](std::uint64_t seed) {
        didact::Stream result = stream(seed);
        for (didact::Experience& experience : result)
            for (didact::TaskData& data : experience.tasks) data.test = data.validation;
        return result;
    };
    return setting;
}

/// A strategy and the learning rate to run it with.
template <class Strategy>
struct Choice {
    Strategy strategy;
    double rate = 0;
};

/// The best by validation, on a seed that takes no part in the results: of several versions of a strategy, or else of
/// the budget's learning rates, times what its kind of update needs.
template <class Strategy>
Choice<Strategy> choose(const Study& study, const Setting& setting, const std::vector<Strategy>& versions) {
    std::vector<Choice<Strategy>> choices;
    for (const Strategy& version : versions)
        for (const double factor : versions.size() > 1 ? std::vector<double>{1} : study.budget.rate_factors)
            choices.push_back({version, study.budget.learning_rate * version.rate * factor});
    if (choices.size() == 1) return choices[0];
    constexpr std::uint64_t tuning_seed = 1000000;
    const Setting tuning = judged_by_validation(setting);
    std::size_t best = 0;
    double best_score = -1e300;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        const double score = train_once(study, tuning, choices[i].strategy, choices[i].rate, tuning_seed).score();
        std::cerr << "clinical: " << setting.experiment << " / " << setting.name << " / " << choices[i].strategy.name
                  << ": " << choices[i].strategy.describe() << ", learning rate "
                  << didact::report::scientific(choices[i].rate) << ": validation " << didact::report::fixed(score, 3)
                  << std::endl;
        if (score > best_score) best = i, best_score = score;
    }
    return choices[best];
}

/// Takes over what another experiment found for the same strategy in the same setting; false where it was not run.
bool reuse(Study& study, const Setting& setting, const std::string& strategy, const std::string& other_experiment);

/// Runs the best version of a strategy in a setting, seed by seed.
template <class Trunk, didact::Policy... Policies>
void run(Study& study, const Setting& setting, const std::vector<Strategy<Trunk, Policies...>>& versions) {
    const auto [strategy, rate] = choose(study, setting, versions);
    for (std::uint64_t seed = 1; seed <= study.options.seeds; ++seed)
        record(study, setting, strategy.name, strategy.describe(), train_once(study, setting, strategy, rate, seed));
}

template <class Trunk, didact::Policy... Policies>
void run(Study& study, const Setting& setting, const Strategy<Trunk, Policies...>& strategy) {
    run(study, setting, std::vector{strategy});
}

/// Runs several strategies in a setting.
template <class... Strategies>
void compare(Study& study, const Setting& setting, const Strategies&... strategies) {
    (run(study, setting, strategies), ...);
}

/// One experience that teaches diagnosis from `count` labelled texts.
inline Setting diagnosis_setting(const Study& study, std::string experiment, std::size_t count, std::string baseline) {
    const Task& task = study.data.diagnosis;
    const std::size_t labels = count == 0 ? task.data.train.size() : std::min(count, task.data.train.size());
    return {.experiment = std::move(experiment),
            .name = std::to_string(labels) + " labels",
            .baseline = std::move(baseline),
            .heads = {&task},
            .stream = [&task, labels](std::uint64_t seed) -> didact::Stream {
                return {{.name = "diagnosis",
                         .tasks = {{.task = 0,
                                    .train = draw(task.data.train, labels, seed),
                                    .validation = task.data.validation,
                                    .test = task.data.test}}}};
            },
            .steps = study.budget.steps,
            .batch_size = study.budget.batch_size};
}

}
