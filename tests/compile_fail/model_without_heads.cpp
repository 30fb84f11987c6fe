// expect: didact: a Model needs at least one kind of head
#include "small_model.hpp"

using NoHeads = Model<Transformer<arch::Bert, Cpu<float>>>;
void wrong(NoHeads& model) { model.tasks(); }
