// expect: didact: this kind of head is not among the Model's template arguments
#include "small_model.hpp"

void wrong(SmallModel& model) { model.add_head<heads::Span>({.num_labels = 2}); }
