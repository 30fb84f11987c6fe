// expect: didact: an optimizer needs a member `double learning_rate`
#include "didact/didact.hpp"

using namespace didact;

struct Rateless {
    static constexpr Family family = Family::optimizer;
    template <class S>
    struct State {
        explicit State(const Rateless&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Rateless{}); }
