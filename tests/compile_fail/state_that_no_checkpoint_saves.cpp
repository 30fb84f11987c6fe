// expect: didact: this State holds data, so a resumed run would differ
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        std::vector<float> memory = {};
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
