// expect: didact: freeze::Lora trains adapters and this model has none
#include "small_model.hpp"

void wrong(SmallModel& model) { Trainer trainer(model, freeze::Lora()); }
