// expect: didact: forgetting::LearningWithoutForgetting distils logits
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Transformer<arch::Gpt2, Cpu<float>>, heads::CausalLanguageModel>;
void wrong(M& model) { Trainer trainer(model, forgetting::LearningWithoutForgetting{}); }
