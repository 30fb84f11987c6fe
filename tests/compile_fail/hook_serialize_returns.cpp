// expect: didact: State::serialize must be `void serialize(Archive&)`
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        int serialize(Archive&) { return 0; }
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
