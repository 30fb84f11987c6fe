// expect: didact: State::losses_known must be `void losses_known(std::span<const StepGroup>, const Moment&)`
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::sharing;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        void losses_known(std::span<const double>, const Moment&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
