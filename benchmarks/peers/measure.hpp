#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "didact/report/step_report.hpp"

/// The same work as the peers' scripts do, by this library: one row a call, one JSON line a row.
namespace peers {

/// Times steps, and how much of the machine other processes had meanwhile; a callback of fit.
class StepTimer {
  public:
    /// The first `warm_steps` steps are not counted.
    explicit StepTimer(std::size_t warm_steps) : warm_steps_(warm_steps) { begin(); }

    void step(const didact::report::StepReport& report);
    std::size_t steps() const { return seconds_.size(); }

    /// Adds step_ms (median of the steps that other processes left undisturbed, or of all where those are fewer than
    /// three), its least and most, tokens_per_s, and how many steps were undisturbed.
    void add_to(nlohmann::ordered_json& row) const;

  private:
    void begin();

    std::size_t warm_steps_, seen_ = 0;
    double began_ = 0, others_began_ = 0;
    std::vector<double> seconds_, tokens_, disturbance_; ///< the last: share of all cores
};

/// One row of the table: what was asked for, to which the measurement is added.
struct TransformerRow {
    std::string model = "minilm", mode = "full", lengths = "fixed", precision = "fp32";
    std::size_t batch_size = 0, length = 0, steps = 6, warm_steps = 2, threads = 2;
    std::size_t micro_batch_tokens = 0; ///< 0: as TrainingOptions has it
    double dropout = 0;
    bool checkpointing = false; ///< activations of a block are computed again for backward
};
nlohmann::ordered_json measure_transformer(const TransformerRow& row);

struct PerceptronRow {
    std::string mode = "sgd"; ///< sgd, replay, ewc (empirical Fisher information, as Avalanche), ewc-exact
    std::size_t batch_size = 10, samples = 2000, rounds = 3;
};
nlohmann::ordered_json measure_perceptron(const PerceptronRow& row);

struct OptimizerRow {
    std::size_t threads = 2, repetitions = 9;
};
nlohmann::ordered_json measure_optimizer(const OptimizerRow& row);

/// The most that the machine does with so many threads at once: gflop_per_s of products, from registers alone, and
/// gb_per_s read from memory. For bf16 without AMX there is no gflop_per_s.
struct LimitsRow {
    std::size_t threads = 2;
    std::string precision = "fp32";
};
nlohmann::ordered_json measure_limits(const LimitsRow& row);

/// The middle value; of an even number, the upper one.
double median(std::vector<double> values);

}
