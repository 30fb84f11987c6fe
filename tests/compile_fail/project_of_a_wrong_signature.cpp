// expect: didact: State::project must be
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        bool project(Engine<Model>&, const Moment&) { return true; }
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
