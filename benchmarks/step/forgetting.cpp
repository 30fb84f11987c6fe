#include "step.hpp"

#include "didact/policy/forgetting/averaged_gem.hpp"
#include "didact/policy/forgetting/both.hpp"
#include "didact/policy/forgetting/learning_without_forgetting.hpp"
#include "didact/policy/forgetting/online_ewc.hpp"
#include "didact/policy/forgetting/replay.hpp"

namespace step_benchmark {
namespace {

using namespace didact::forgetting;

// A memory as large as the first experience, all of which is drawn in each step: as many samples as the step's own.
const AveragedGem averaged_gem{.capacity = batch_size, .batch_size = batch_size};
const Replay replay{.capacity = batch_size, .batch_size = batch_size};

const bool gem_row = add_row("AveragedGem", one_task, usual_size, averaged_gem);
const bool lwf_row = add_row("LearningWithoutForgetting", one_task, usual_size, LearningWithoutForgetting{});
const bool ewc_row = add_row("OnlineEwc", one_task, usual_size, OnlineEwc{});
const bool replay_row = add_row("Replay", one_task, usual_size, replay);
const bool both_row = add_row("Both<Replay,OnlineEwc>", one_task, usual_size, Both<Replay, OnlineEwc>{replay, {}});

}
}
