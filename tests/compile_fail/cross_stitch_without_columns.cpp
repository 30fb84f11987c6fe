// expect: didact: sharing::CrossStitch needs a column for each task
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, sharing::CrossStitch{}); }
