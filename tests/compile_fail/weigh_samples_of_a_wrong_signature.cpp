// expect: didact: State::weigh_samples must be
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::curriculum;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        void weigh_samples(std::span<float>) {}
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
