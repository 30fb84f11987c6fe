// expect: didact: `penalty` is a hook of freeze and forgetting policies only
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::curriculum;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        float penalty(std::size_t, float w) const { return w; }
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
