#pragma once
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace didact::report {

/// What is known after one optimizer step.
struct StepReport {
    std::size_t experience = 0, epoch = 0;
    std::size_t step = 0;        ///< steps done in this experience, this one included
    std::size_t total_steps = 0; ///< of this experience
    std::size_t tokens = 0;      ///< that this step saw
    double loss = 0, learning_rate = 0;
    double gradient_norm = 0;    ///< before clipping
    double seconds = 0;          ///< since the run began
    std::size_t step_of_run = 0; ///< steps done since the run began, in all experiences, this one included
};

/// What is known after an epoch, for one split of the data.
struct EpochReport {
    std::size_t experience = 0, epoch = 0;
    std::string split = {};
    std::string task = {}; ///< where the model has several
    std::vector<std::pair<std::string, double>> metrics = {};
    double seconds = 0;          ///< since the run began
    std::size_t step_of_run = 0; ///< steps done since then
};

}
