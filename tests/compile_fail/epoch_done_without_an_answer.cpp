// expect: didact: State::epoch_done must be `bool epoch_done(
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::freeze;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        void epoch_done(Model&, const Moment&, std::optional<double>) {}
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
