// expect: didact: forgetting::Both joins two forgetting policies
#include "small_model.hpp"

void wrong(SmallModel& model) { Trainer trainer(model, forgetting::Both<forgetting::Replay, freeze::L2Sp>()); }
