// expect: didact: `select` and `weigh_samples` are hooks of curriculum policies only
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::freeze;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        void select(const Dataset&, std::size_t, const Moment&, std::span<std::uint32_t>) {}
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
