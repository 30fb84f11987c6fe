// expect: didact: two policies of one family; join them by name, e.g. forgetting::Both<A, B>
#include "small_model.hpp"

void wrong(SmallModel& model) { Trainer trainer(model, freeze::Prefix(), freeze::L2Sp()); }
