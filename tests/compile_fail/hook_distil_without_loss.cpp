// expect: didact: State::distil must be `double distil(Engine<Model>&, const Batch&, Model::Saved&, const StepGroup&,
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        void distil(Engine<Model>&, const Batch&, typename Model::Saved&, const StepGroup&, View<float>,
                    const Moment&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
