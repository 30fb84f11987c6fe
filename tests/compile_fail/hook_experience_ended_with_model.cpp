// expect: didact: State::experience_ended must be `void experience_ended(Engine<Model>&, const Experience&, const
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        void experience_ended(Model&, const Experience&, const Moment&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
