// expect: didact: State::select must be `void select(const Dataset&, std::size_t slot, const Moment&,
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::curriculum;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        std::vector<std::uint32_t> select(const Dataset&, std::size_t) { return {}; }
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
