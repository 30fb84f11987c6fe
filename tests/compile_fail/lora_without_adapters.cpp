// expect: didact: freeze::Lora trains adapters and this model has none; build it as Transformer<Arch, Backend,
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, freeze::Lora{}); }
