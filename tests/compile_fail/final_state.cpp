// expect: didact: a policy's State must not be final
#include "didact/didact.hpp"

using namespace didact;

struct Last {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State final {
        State(const Last&, const Model&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Last{}); }
