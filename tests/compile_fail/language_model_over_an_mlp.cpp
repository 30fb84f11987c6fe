// expect: didact: a language-model head needs a trunk with a token embedding
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Mlp<Cpu<float>>, heads::CausalLanguageModel>;
void wrong(M& model) { model.add_head({}); }
