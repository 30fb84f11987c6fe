// expect: didact: a policy's State is made by `State(const Policy&, Model&)`
#include "didact/didact.hpp"

using namespace didact;

struct Careless {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {};
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Careless{}); }
