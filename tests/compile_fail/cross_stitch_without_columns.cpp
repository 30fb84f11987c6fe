// expect: didact: sharing::CrossStitch needs a column for each task
#include "small_model.hpp"

void wrong(SmallModel& model) { Trainer trainer(model, sharing::CrossStitch()); }
