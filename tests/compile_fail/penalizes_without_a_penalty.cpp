// expect: didact: `penalizes` says whether there is anything to ask `penalty` for, which this State lacks
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        bool penalizes() const { return true; }
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
