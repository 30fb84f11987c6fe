#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "didact/data/answer_windows.hpp"
#include "didact/data/label_set.hpp"
#include "didact/eval/evaluation.hpp"
#include "didact/text/wordpiece.hpp"
#include "options.hpp"

namespace finetune {

/// What the files hold, encoded: the same for every task from here on.
struct Task {
    didact::LabelSet labels;
    didact::Dataset train, valid, test;
    std::vector<float> class_weights;
    /// The metrics of the test set, by name, from what the model said of it.
    std::function<std::vector<std::pair<std::string, double>>(const didact::Evaluation&)> metrics;
    std::vector<std::string> notes; ///< what was cut or left out, for the user to read
};

/// Reads and encodes the files that the options name. Throws didact::Error that names file and line where one of them
/// is not what the task needs.
Task read_task(const Options& options, const didact::text::WordPieceTokenizer& tokenizer);

}
