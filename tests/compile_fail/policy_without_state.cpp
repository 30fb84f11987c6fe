// expect: didact: a policy needs a nested `template <class Model> struct State`
#include "didact/didact.hpp"

using namespace didact;

struct Stateless {
    static constexpr Family family = Family::forgetting;
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Stateless{}); }
