// expect: didact: State::penalty must be `S penalty(std::size_t i, S w) const`
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        float penalty(std::size_t, float) { return 0; }
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
