// expect: didact: State::plan must be `void plan(Model&, const Moment&)`
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::freeze;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        void plan(Model&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
