// expect: didact: a Model needs at least one kind of head
#include "didact/didact.hpp"

using namespace didact;

Model<Mlp<Cpu<float>>> wrong(MlpConfig{.input_size = 3, .hidden_sizes = {4}});
