// expect: didact: an argument of Trainer is no policy
#include "small_model.hpp"

void wrong(SmallModel& model) { Trainer trainer(model, 3); }
