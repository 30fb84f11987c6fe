#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "didact/eval/classification.hpp"
#include "didact/eval/interval.hpp"

namespace clinical {

/// What one run with one seed gave.
struct RunResult {
    std::uint64_t seed = 0;
    double value = 0;      ///< of the metric, on the control set
    double validation = 0; ///< best validation score of the run: what anything is chosen by
    double forgetting = 0; ///< NaN where there is one experience only
    double seconds = 0, cpu_seconds = 0, peak_memory_mb = 0; ///< of training
    std::size_t tokens = 0;
    double learning_rate = 0;
    std::vector<double> matrix = {};                     ///< R, see eval/continual.hpp; empty for one experience
    std::vector<didact::eval::ClassScores> classes = {}; ///< of a classification task
};

/// The runs of one strategy in one setting, judged by one metric.
struct Row {
    std::string experiment, setting, strategy, policies, baseline, metric;
    std::vector<RunResult> runs = {};

    std::vector<double> values() const;
    double mean(double RunResult::*field) const;
    bool is_baseline() const { return strategy == baseline; }
};

/// How a strategy fares against its baseline, seed by seed.
struct Verdict {
    didact::eval::Interval difference;
    std::string word; ///< better, worse, no difference; "–" for a baseline or a single seed
};

/// "0.912 ± 0.004", and the same with a sign in front. One seed has no interval.
std::string with_half_width(const didact::eval::Interval& interval);
std::string with_sign(const didact::eval::Interval& interval);

/// All rows, in the order in which they were run.
class Results {
  public:
    /// Adds a run to the row of its strategy.
    void add(const Row& key, const RunResult& run);

    const std::vector<Row>& rows() const { return rows_; }
    const Row* baseline_of(const Row& row) const;
    Verdict verdict(const Row& row) const;

  private:
    std::vector<Row> rows_;
};

/// What the report tells about the study as a whole.
struct StudyDescription {
    std::string command, data, model, budget;
    std::vector<std::string> notes;   ///< what was cut
    std::vector<std::string> classes; ///< names of the diagnoses
    std::size_t seeds = 0;
    double seconds = 0, cpu_seconds = 0;
};

/// The one table at the end of a run.
std::string terminal_table(const Results& results);

/// OUT/report.html.
void write_report(const std::string& folder, const StudyDescription& study, const Results& results);

/// All numbers of all runs.
void write_numbers(const std::string& file, const StudyDescription& study, const Results& results);

}
