// expect: didact: forgetting::Both joins two forgetting policies
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, forgetting::Both<forgetting::Replay, freeze::Prefix>{}); }
