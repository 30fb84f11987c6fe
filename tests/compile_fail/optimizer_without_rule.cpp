// expect: didact: an optimizer's State needs `layout_changed`, `rule`, `reset` and `serialize`
#include "didact/didact.hpp"

using namespace didact;

struct Idle {
    static constexpr Family family = Family::optimizer;
    double learning_rate = 1;
    template <class S>
    struct State {
        explicit State(const Idle&) {}
        void reset() {}
        void serialize(Archive&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Idle{}); }
