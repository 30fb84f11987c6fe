// expect: didact: State::penalty must be `S penalty(std::size_t i, S w) const`
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        float penalty(float w) const { return w; }
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
