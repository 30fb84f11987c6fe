// expect: didact: State::select must be `void select(const Dataset&, std::size_t slot, const Moment&,
#include "small_model.hpp"

struct Wrong {
    static constexpr Family family = Family::curriculum;
    template <class Model>
    struct State {
        State(const Wrong&, const Model&) {}
        std::vector<int> select(const Dataset&) { return {}; }
    };
};

void wrong(SmallModel& model) { Trainer trainer(model, Wrong()); }
