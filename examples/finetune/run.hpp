#pragma once
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>

#include "didact/didact.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/io/hugging_face.hpp"
#include "didact/policy/describe.hpp"
#include "didact/report/jsonl.hpp"
#include "didact/report/progress.hpp"
#include "didact/report/resources.hpp"
#include "didact/report/tensorboard.hpp"
#include "didact/text/tokenizer_json.hpp"
#include "didact/text/tokenizer_save.hpp"
#include "didact/train/checkpoint.hpp"
#include "options.hpp"
#include "task.hpp"

namespace finetune {

inline volatile std::sig_atomic_t interrupted = 0;

/// A callback that may be absent.
template <class Callback>
struct Optional {
    std::optional<Callback> callback = {};
    void step(const didact::report::StepReport& report) {
        if constexpr (requires { callback->step(report); })
            if (callback) callback->step(report);
    }
    void epoch(const didact::report::EpochReport& report) {
        if constexpr (requires { callback->epoch(report); })
            if (callback) callback->epoch(report);
    }
    void finish() {
        if constexpr (requires { callback->finish(); })
            if (callback) callback->finish();
    }
    template <class Trainer>
    void checkpoint(Trainer& trainer) {
        if constexpr (requires { callback->checkpoint(trainer); })
            if (callback) callback->checkpoint(trainer);
    }
};

/// Has the lines up to a checkpoint on the disk before the checkpoint is.
struct FlushBeforeCheckpoint {
    std::optional<didact::report::JsonLines>& lines;
    std::size_t every;
    template <class Trainer>
    void checkpoint(Trainer& trainer) {
        if (lines && every > 0 && trainer.moment().step_of_run % every == 0) lines->offset();
    }
};

using BertConfig = didact::io::ModelConfig;

template <class Adapter>
using BertModel =
    didact::Model<didact::Transformer<didact::arch::Bert, didact::Cpu<float>, Adapter>,
                  didact::heads::SequenceClassification<>, didact::heads::TokenClassification, didact::heads::Span>;

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

/// Trains with one pair of strategies, tests, saves. Gives the object that --json writes. Sets `training` once all
/// that was asked for is known to fit together and the output can be written.
template <didact::Policy Freeze, didact::Policy Curriculum>
nlohmann::ordered_json run(const Options& options, const BertConfig& config,
                           const didact::text::WordPieceTokenizer& tokenizer, const Task& task, const Freeze& freeze,
                           const Curriculum& curriculum, bool& training) {
    using namespace didact;
    using Adapter = std::conditional_t<std::is_same_v<Freeze, freeze::Lora>, adapters::Lora, nn::NoAdapter>;
    BertModel<Adapter> model(config.transformer, options.seed);
    add_head(model, options, task);
    // A head of the folder is of use only where it was trained for the same labels.
    const bool fresh_head = options.task != "span" && config.labels != task.labels.names();
    const io::LoadReport loaded = io::load_weights(model, options.model, {.fresh_heads = fresh_head});

    const optimizer::AdamW adamw{.learning_rate = options.learning_rate, .weight_decay = options.weight_decay};
    const schedule::Linear linear{.warmup = options.warmup};
    auto trainer = make_trainer(options, model, freeze, curriculum, adamw, linear);
    const std::filesystem::path out = options.out, checkpoints = out / "checkpoints";
    if (options.resume)
        require(std::filesystem::is_directory(checkpoints) && Checkpoint({checkpoints}).resume(trainer),
                "--resume: ", checkpoints.string(), ": there is no checkpoint to go on from");
    TrainingOptions training_options = options.training();
    training_options.stop = [] { return interrupted != 0; };
    const Stream stream{{.name = "train", .tasks = {{.train = task.train, .validation = task.valid}}}};
    trainer.check_run(stream, training_options);
    const std::size_t tokens_before = trainer.result().tokens;
    // What cannot be written is refused now, not at the end.
    if (!options.out.empty()) {
        io::make_folder(out);
        io::AtomicFile(out / "model.safetensors");
    }
    if (!options.json.empty() && options.json != "-") io::AtomicFile(std::filesystem::path(options.json));

    Optional<report::Progress> progress;
    Optional<report::JsonLines> metrics;
    Optional<report::TensorBoard> tensorboard;
    Optional<Checkpoint> checkpoint;
    if (!options.quiet) progress.callback.emplace(report::ProgressOptions{});
    const std::filesystem::path lines = out / "metrics.jsonl";
    if (!options.out.empty())
        metrics.callback.emplace(lines, options.resume
                                            ? report::JsonLines::place_after(lines, trainer.moment().step_of_run)
                                            : report::JsonLines::Place());
    if (options.tensorboard) tensorboard.callback.emplace(out / "tensorboard");
    FlushBeforeCheckpoint flush{metrics.callback, options.checkpoint_every};
    if (options.checkpoint_every > 0)
        checkpoint.callback.emplace(CheckpointOptions{checkpoints, options.checkpoint_every});

    training = true;
    if (!options.quiet)
        for (const std::string& note : task.notes) std::cerr << "finetune: " << note << '\n';
    std::signal(SIGINT, [](int) { interrupted = 1; });
    const report::Stopwatch stopwatch;
    const TrainingResult result =
        trainer.fit(stream, training_options, progress, metrics, tensorboard, flush, checkpoint);
    const double seconds = stopwatch.seconds();
    if (!result.finished) {
        if (metrics.callback) metrics.callback->finish();
        if (options.checkpoint_every > 0)
            save_checkpoint(trainer,
                            checkpoints / ("step-" + std::to_string(trainer.moment().step_of_run) + ".checkpoint"));
        fail("interrupted at step ", trainer.moment().step_of_run,
             options.checkpoint_every > 0 ? "; --resume goes on from here" : "; nothing was saved");
    }

    const Evaluation test = evaluate(trainer.engine(), task.test, 0, training_options.evaluation_batch_size);
    nlohmann::ordered_json json;
    for (const auto& [name, value] : task.metrics(test)) json[name] = value;
    json["loss"] = test.loss;
    json["train_seconds"] = seconds;
    json["tokens_per_second"] = double(result.tokens - tokens_before) / seconds;
    json["peak_memory_mb"] = double(report::peak_memory_bytes()) / 1e6;
    json["trainable_parameters"] = model.parameters().trainable_parameters();
    json["total_parameters"] = model.parameters().total_parameters();
    json["train_rows"] = task.train.size();
    json["test_rows"] = task.test.size();
    json["steps"] = trainer.moment().step_of_run;
    if (!result.validation.empty()) json["validation"] = result.validation;
    json["freeze"] = describe(freeze);
    json["curriculum"] = describe(curriculum);
    json["optimizer"] = describe(adamw);
    json["schedule"] = describe(linear);
    json["seed"] = options.seed;

    if (!options.out.empty()) {
        io::save_pretrained(model, out);
        text::save_tokenizer(out, tokenizer);
        nlohmann::ordered_json run = {{"command", "finetune"},
                                      {"model", options.model},
                                      {"task", options.task},
                                      {"train", {{"path", options.train}, {"digest", task.train.digest()}}},
                                      {"valid", {{"path", options.valid}, {"digest", task.valid.digest()}}},
                                      {"test", {{"path", options.test}, {"digest", task.test.digest()}}},
                                      {"text_column", options.text_column},
                                      {"second_text_column", options.second_text_column},
                                      {"label_column", options.label_column},
                                      {"difficulty_column", options.difficulty_column},
                                      {"valid_share", options.valid_share},
                                      {"epochs", options.epochs},
                                      {"batch", options.batch},
                                      {"accumulation", options.accumulation},
                                      {"max_length", options.max_length},
                                      {"stride", options.stride},
                                      {"limit", options.limit},
                                      {"clip", options.clip},
                                      {"label_smoothing", options.label_smoothing},
                                      {"class_weights", options.class_weights},
                                      {"patience", options.patience},
                                      {"fresh_tensors", loaded.missing},
                                      {"result", json}};
        io::write_json(out / "run.json", run);
    }
    return json;
}

}
