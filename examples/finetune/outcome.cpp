#include "outcome.hpp"

#include "didact/io/json.hpp"

namespace finetune {

using namespace didact;

nlohmann::ordered_json summary(const Outcome& outcome, const Options& options, const Task& task) {
    nlohmann::ordered_json json;
    for (const auto& [name, value] : task.metrics(outcome.test)) json[name] = value;
    json["loss"] = outcome.test.loss;
    json["train_seconds"] = outcome.seconds;
    json["tokens_per_second"] = double(outcome.tokens) / outcome.seconds;
    json["peak_memory_mb"] = double(report::peak_memory_bytes()) / 1e6;
    json["trainable_parameters"] = outcome.trainable_parameters;
    json["total_parameters"] = outcome.total_parameters;
    json["train_rows"] = task.train.size();
    json["test_rows"] = task.test.size();
    json["steps"] = outcome.steps;
    if (!outcome.validation.empty()) json["validation"] = outcome.validation;
    json["freeze"] = outcome.freeze;
    json["curriculum"] = outcome.curriculum;
    json["optimizer"] = outcome.optimizer;
    json["schedule"] = outcome.schedule;
    json["precision"] = options.precision;
    json["seed"] = options.seed;
    return json;
}

void write_run(const Outcome& outcome, const Options& options, const Task& task) {
    const auto file = [](const std::string& path, const Dataset& data) {
        return nlohmann::ordered_json{{"path", path}, {"digest", data.digest()}};
    };
    const nlohmann::ordered_json run = {{"command", "finetune"},
                                        {"model", options.model},
                                        {"task", options.task},
                                        {"train", file(options.train, task.train)},
                                        {"valid", file(options.valid, task.valid)},
                                        {"test", file(options.test, task.test)},
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
                                        {"fresh_tensors", outcome.fresh_tensors},
                                        {"result", summary(outcome, options, task)}};
    io::write_json(std::filesystem::path(options.out) / "run.json", run);
}

Observer::Observer(const Options& options, std::size_t steps_before) : every_(options.checkpoint_every) {
    const std::filesystem::path out = options.out, lines = out / "metrics.jsonl";
    using Place = report::JsonLines::Place;
    if (!options.quiet) progress_.emplace(report::ProgressOptions{});
    if (!options.out.empty())
        lines_.emplace(lines, options.resume ? report::JsonLines::place_after(lines, steps_before) : Place());
    if (options.tensorboard) tensorboard_.emplace(out / "tensorboard");
    if (!options.resume && !options.out.empty()) remove_checkpoints(out / "checkpoints");
    if (every_ > 0) checkpoint_.emplace(CheckpointOptions{out / "checkpoints", every_});
}

void Observer::step(const report::StepReport& report) {
    if (progress_) progress_->step(report);
    if (lines_) lines_->step(report);
    if (tensorboard_) tensorboard_->step(report);
}

void Observer::epoch(const report::EpochReport& report) {
    if (progress_) progress_->epoch(report);
    if (lines_) lines_->epoch(report);
    if (tensorboard_) tensorboard_->epoch(report);
}

void Observer::finish() {
    if (progress_) progress_->finish();
    if (lines_) lines_->finish();
    if (tensorboard_) tensorboard_->finish();
}

}
