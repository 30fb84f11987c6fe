// expect: didact: `rehearse`, `distil`, `project` and `accumulate` are hooks of forgetting policies only
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::sharing;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        void rehearse(StepBatches&, const Moment&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
