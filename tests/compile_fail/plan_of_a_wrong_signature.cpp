// expect: didact: State::plan must be `void plan(Model&, const Moment&)`
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::freeze;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        void plan(Model&) {}
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
