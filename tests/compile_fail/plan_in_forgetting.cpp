// expect: didact: `plan` is a hook of freeze policies only
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        void plan(Model&, const Moment&) {}
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
