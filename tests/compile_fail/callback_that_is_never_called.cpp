// expect: didact: a callback has one or more of
#include "didact/didact.hpp"

using namespace didact;

struct Silent {
    void step(int) {}
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model, const Dataset& data) {
    Silent silent;
    Trainer(model).fit(data, TrainingOptions{}, silent);
}
