// expect: didact: State::experience_ended must be
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        void experience_ended(Model&) {}
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
