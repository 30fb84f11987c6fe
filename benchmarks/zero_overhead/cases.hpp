#pragma once
#include "workload.hpp"

/// One file a case: the loop written by hand, and below it the line that asks Trainer for the same.
namespace zero_overhead {

Outcome none_by_hand(std::size_t steps);
Outcome none_by_trainer(std::size_t steps);
Outcome prefix_by_hand(std::size_t steps);
Outcome prefix_by_trainer(std::size_t steps);
Outcome online_ewc_by_hand(std::size_t steps);
Outcome online_ewc_by_trainer(std::size_t steps);
Outcome replay_by_hand(std::size_t steps);
Outcome replay_by_trainer(std::size_t steps);
Outcome pcgrad_by_hand(std::size_t steps);
Outcome pcgrad_by_trainer(std::size_t steps);
Outcome all_four_by_hand(std::size_t steps);
Outcome all_four_by_trainer(std::size_t steps);

struct Case {
    const char* name;
    Outcome (*by_hand)(std::size_t);
    Outcome (*by_trainer)(std::size_t);
};
inline constexpr Case cases[] = {
    {"None", none_by_hand, none_by_trainer},
    {"Prefix", prefix_by_hand, prefix_by_trainer},
    {"OnlineEwc", online_ewc_by_hand, online_ewc_by_trainer},
    {"Replay", replay_by_hand, replay_by_trainer},
    {"Pcgrad", pcgrad_by_hand, pcgrad_by_trainer},
    {"AllFour", all_four_by_hand, all_four_by_trainer},
};

}
