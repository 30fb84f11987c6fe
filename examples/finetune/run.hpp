#pragma once
#include <csignal>
#include <iostream>

#include "didact/didact.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/io/hugging_face.hpp"
#include "didact/text/tokenizer_save.hpp"
#include "job.hpp"
#include "outcome.hpp"
#include "strategies.hpp"

namespace finetune {

template <didact::Backend B, class Adapter>
using BertModel =
    didact::Model<didact::Transformer<didact::arch::Bert, B, Adapter>, didact::heads::SequenceClassification<>,
                  didact::heads::TokenClassification, didact::heads::Span>;

template <class Model>
void add_head(Model& model, const Options& options, const Task& task) {
    const didact::HeadOptions head{.name = "main",
                                   .num_labels = options.task == "span" ? 2 : task.labels.size(),
                                   .labels = options.task == "span" ? std::vector<std::string>() : task.labels.names(),
                                   .label_smoothing = options.label_smoothing,
                                   .class_weights = task.class_weights};
    if (options.task == "classify") model.template add_head<didact::heads::SequenceClassification<>>(head);
    if (options.task == "tag") model.template add_head<didact::heads::TokenClassification>(head);
    if (options.task == "span") model.template add_head<didact::heads::Span>(head);
}

/// The trainer. Where a strategy does not fit the model, the Error says which flag asked for it.
template <class Model, class Freeze, class Curriculum, class... Others>
auto make_trainer(const Options& options, Model& model, const Freeze& freeze, const Curriculum& curriculum,
                  const Others&... others) {
    try {
        return didact::Trainer(model, freeze, curriculum, others...);
    } catch (const didact::Error& error) {
        const bool of_freeze = std::string_view(error.what()).starts_with("freeze::");
        didact::fail(of_freeze ? "--freeze " + options.freeze : "--curriculum " + options.curriculum, ": ",
                     error.what());
    }
}

/// Throws Error where a curriculum cannot be followed, before anything is written.
template <class Curriculum>
void check_curriculum(const Options& options, const Curriculum& curriculum, const Task& task) {
    if constexpr (requires { curriculum.stages; })
        didact::require(curriculum.stages <= options.epochs, "--curriculum ", options.curriculum, " has ",
                        curriculum.stages, " stages and needs as many epochs; --epochs is ", options.epochs);
    if constexpr (requires {
                      { curriculum.difficulty } -> std::same_as<const didact::difficulty::Given&>;
                  })
        curriculum.difficulty(task, didact::TaskData{.train = task.train});
}

/// Trains with one pair of strategies, tests, saves. Gives the object that --json writes.
template <didact::Backend B, didact::Policy Freeze, didact::Policy Curriculum>
nlohmann::ordered_json run(const Job& job, const Freeze& freeze, const Curriculum& curriculum) {
    using namespace didact;
    using Adapter = std::conditional_t<std::is_same_v<Freeze, freeze::Lora>, adapters::Lora, nn::NoAdapter>;
    const Options& options = job.options;
    const Task task = read_task(options, job.tokenizer);
    check_curriculum(options, curriculum, task);
    BertModel<B, Adapter> model(job.config.transformer, options.seed);
    add_head(model, options, task);
    // A head of the folder is of use only where it was trained for the same labels.
    const bool fresh_head = options.task != "span" && job.config.labels != task.labels.names();
    const io::LoadReport loaded = io::load_weights(model, options.model, {.fresh_heads = fresh_head});

    const optimizer::AdamW adamw{.learning_rate = options.learning_rate, .weight_decay = options.weight_decay};
    const schedule::Linear linear{.warmup = options.warmup};
    auto trainer = make_trainer(options, model, freeze, curriculum, adamw, linear);
    const std::filesystem::path out = options.out, checkpoints = out / "checkpoints";
    if (options.resume)
        require(io::is_folder(checkpoints) && Checkpoint({checkpoints}).resume(trainer),
                "--resume: ", checkpoints.string(), ": there is no checkpoint to go on from");
    TrainingOptions training_options = options.training();
    training_options.stop = [] { return interrupted != 0; };
    const Stream stream{{.name = "train", .tasks = {{.train = task.train, .validation = task.valid}}}};
    trainer.check_run(stream, training_options);
    const std::size_t tokens_before = trainer.result().tokens;
    // What cannot be written is refused now, not at the end.
    if (!options.prefix_cache.empty()) io::make_folder(options.prefix_cache);
    if (!options.out.empty()) {
        io::make_folder(out);
        io::AtomicFile(out / "model.safetensors");
    }
    if (!options.json.empty() && options.json != "-") io::AtomicFile(std::filesystem::path(options.json));
    Observer observer(options, trainer.moment().step_of_run);

    job.training = true;
    if (!options.quiet)
        for (const std::string& note : task.notes) std::cerr << "finetune: " << note << '\n';
    std::signal(SIGINT, [](int) { interrupted = 1; });
    const report::Stopwatch stopwatch;
    const TrainingResult result = trainer.fit(stream, training_options, observer);
    Outcome outcome{.validation = result.validation,
                    .seconds = stopwatch.seconds(),
                    .tokens = result.tokens - tokens_before,
                    .steps = trainer.moment().step_of_run,
                    .trainable_parameters = model.parameters().trainable_parameters(),
                    .total_parameters = model.parameters().total_parameters(),
                    .freeze = describe(freeze),
                    .curriculum = describe(curriculum),
                    .optimizer = describe(adamw),
                    .schedule = describe(linear),
                    .fresh_tensors = loaded.missing};
    if (const std::string& failure = trainer.engine().prefix_cache().failure(); !failure.empty() && !options.quiet)
        std::cerr << "finetune: " << failure << "; what is not there was computed each time\n";
    if (!result.finished) {
        observer.finish();
        if (options.checkpoint_every > 0)
            save_checkpoint(trainer, checkpoints / ("step-" + std::to_string(outcome.steps) + ".checkpoint"));
        fail("interrupted at step ", outcome.steps,
             options.checkpoint_every > 0 ? "; --resume goes on from here" : "; nothing was saved");
    }
    outcome.test = evaluate(trainer.engine(), task.test, 0, training_options.evaluation_batch_size);
    if (!options.out.empty()) {
        io::save_pretrained(model, out);
        text::save_tokenizer(out, job.tokenizer);
        write_run(outcome, options, task);
    }
    return summary(outcome, options, task);
}

/// Runs with the pair that the flags name, if its freeze strategy is in this table.
template <didact::Backend B, class... Freezes, class... Curricula>
std::optional<nlohmann::ordered_json> run_if_in(PolicyTable<Freezes...> freezes, PolicyTable<Curricula...> curricula,
                                                const Job& job) {
    std::optional<nlohmann::ordered_json> result;
    choose("--freeze", job.options.freeze, freezes, [&](const auto& freeze) {
        const bool found = choose("--curriculum", job.options.curriculum, curricula,
                                  [&](const auto& curriculum) { result = run<B>(job, freeze, curriculum); });
        didact::require(found, unknown("--curriculum", job.options.curriculum, names(curricula)),
                        of_precision(job.options));
    });
    return result;
}

}
