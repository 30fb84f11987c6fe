// expect: didact: State::rehearse must be `void rehearse(StepBatches&, const Moment&)`
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        void rehearse(Batch&) {}
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
