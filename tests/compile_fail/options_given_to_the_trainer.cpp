// expect: training options go to Trainer::fit
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, forgetting::Replay{}, TrainingOptions{.epochs = 2}); }
