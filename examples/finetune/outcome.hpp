#pragma once
#include <nlohmann/json.hpp>
#include <optional>

#include "didact/report/jsonl.hpp"
#include "didact/report/progress.hpp"
#include "didact/report/resources.hpp"
#include "didact/report/tensorboard.hpp"
#include "didact/train/checkpoint.hpp"
#include "options.hpp"
#include "task.hpp"

namespace finetune {

/// What a run gives, whatever its strategies are.
struct Outcome {
    didact::Evaluation test = {};
    std::vector<double> validation = {}; ///< the metric after each epoch
    double seconds = 0;
    std::size_t tokens = 0, steps = 0, trainable_parameters = 0, total_parameters = 0;
    std::string freeze, curriculum, optimizer, schedule; ///< described
    std::vector<std::string> fresh_tensors;              ///< that the model's folder lacks
};

/// The object that --json writes.
nlohmann::ordered_json summary(const Outcome& outcome, const Options& options, const Task& task);

/// Writes OUT/run.json: what was asked for and what came of it.
void write_run(const Outcome& outcome, const Options& options, const Task& task);

/// The callbacks that the flags ask for, as one: progress on standard error, OUT/metrics.jsonl, OUT/tensorboard,
/// OUT/checkpoints.
class Observer {
  public:
    /// Goes on after the step `steps_before` of the run in files that are there already.
    Observer(const Options& options, std::size_t steps_before);

    void step(const didact::report::StepReport& report);
    void epoch(const didact::report::EpochReport& report);
    void finish();

    template <class Trainer>
    void checkpoint(Trainer& trainer) {
        if (!checkpoint_ || trainer.moment().step_of_run % every_ != 0) return;
        lines_->offset(); // the lines up to a checkpoint are on the disk before the checkpoint is
        checkpoint_->checkpoint(trainer);
    }

  private:
    std::size_t every_;
    std::optional<didact::report::Progress> progress_;
    std::optional<didact::report::JsonLines> lines_;
    std::optional<didact::report::TensorBoard> tensorboard_;
    std::optional<didact::Checkpoint> checkpoint_;
};

}
