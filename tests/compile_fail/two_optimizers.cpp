// expect: didact: a run has one optimizer and one schedule
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, optimizer::Sgd{}, optimizer::AdamW{}); }
