// expect: didact: `rehearse`, `distil`, `project` and `accumulate` are hooks of forgetting policies only
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::sharing;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        void rehearse(StepBatches&, const Moment&) {}
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
