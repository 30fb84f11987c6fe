// expect: didact: `plan` is a hook of freeze policies only
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::curriculum;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        void plan(Model&, const Moment&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
