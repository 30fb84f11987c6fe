// expect: didact: State::weigh_groups must be `void weigh_groups(std::span<const StepGroup>, std::span<double> weights,
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::sharing;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        void weigh_groups(std::span<const double>, std::span<double>, const Moment&) {}
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
