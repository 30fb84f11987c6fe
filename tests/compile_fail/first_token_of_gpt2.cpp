// expect: didact: under causal attention the first token sees no other
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Transformer<arch::Gpt2, Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { model.add_head({.num_labels = 2}); }
