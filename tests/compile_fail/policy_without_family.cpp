// expect: didact: this argument is no policy: a policy names its family
#include "didact/didact.hpp"

using namespace didact;

struct Nameless {
    template <class Model>
    struct State {
        State(const Nameless&, const Model&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Nameless{}); }
