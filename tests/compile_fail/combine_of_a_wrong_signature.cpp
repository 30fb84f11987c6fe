// expect: didact: State::combine must be
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::sharing;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        void combine(std::span<double>) {}
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
