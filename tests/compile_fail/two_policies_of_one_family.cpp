// expect: didact: two policies of one family; join them by name, e.g. forgetting::Both<A, B>
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, forgetting::Replay{}, forgetting::OnlineEwc{}); }
