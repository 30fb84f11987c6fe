// expect: didact: State::observe must be
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::curriculum;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        int observe = 0;
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
