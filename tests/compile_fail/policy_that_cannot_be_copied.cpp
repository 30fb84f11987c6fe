// expect: didact: a policy must be copyable: one value starts many runs
#include "didact/didact.hpp"

using namespace didact;

struct Unique {
    static constexpr Family family = Family::freeze;
    std::unique_ptr<int> layers = {};
    template <class Model>
    struct State {
        State(const Unique&, const Model&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Unique{}); }
