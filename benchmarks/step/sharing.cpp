#include "step.hpp"

#include "didact/policy/sharing/cross_stitch.hpp"
#include "didact/policy/sharing/hard.hpp"
#include "didact/policy/sharing/pcgrad.hpp"
#include "didact/policy/sharing/uncertainty_weighting.hpp"

namespace step_benchmark {
namespace {

using namespace didact;

const auto two_columns = [] {
    return make_model<didact::CrossStitch<Trunk>>(2, CrossStitchConfig{.transformer = config(), .columns = 2});
};

// Two tasks with a head each; to be compared with None/2tasks.
const bool hard = add_row("Hard", two_tasks, usual_size, sharing::Hard{.exponent = 0.5});
const bool pcgrad = add_row("Pcgrad", two_tasks, usual_size, sharing::Pcgrad{});
const bool uncertainty = add_row("UncertaintyWeighting", two_tasks, usual_size, sharing::UncertaintyWeighting{});
const bool cross_stitch = add_row("CrossStitch", two_columns, usual_size, sharing::CrossStitch{});

}
}
