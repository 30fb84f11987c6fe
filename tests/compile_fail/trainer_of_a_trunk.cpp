// expect: didact: a Trainer trains a Model
#include "didact/didact.hpp"

using namespace didact;

void wrong(Transformer<arch::Bert, Cpu<float>>& trunk) { Trainer trainer(trunk, freeze::Prefix{}); }
