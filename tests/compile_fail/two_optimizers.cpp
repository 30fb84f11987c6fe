// expect: didact: a run has one optimizer and one schedule
#include "small_model.hpp"

void wrong(SmallModel& model) { Trainer trainer(model, optimizer::AdamW(), optimizer::Sgd()); }
