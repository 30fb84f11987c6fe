// expect: didact: State::penalizes must be `bool penalizes() const`
#include "small_model.hpp"

struct Own {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        float penalty(std::size_t, float) const { return 0; }
        bool penalizes() { return false; }
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Own()); }
