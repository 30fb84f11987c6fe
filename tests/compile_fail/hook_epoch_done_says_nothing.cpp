// expect: didact: State::epoch_done must be `bool epoch_done(Model&, const Moment&, std::optional<double> validation)`
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::freeze;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        void epoch_done(Model&, const Moment&, std::optional<double>) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
