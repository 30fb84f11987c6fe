// expect: didact: this State holds data, so a resumed run would differ: give it `void serialize(Archive&)`
#include "didact/didact.hpp"

using namespace didact;

struct Own {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const Own&, const Model&) {}
        std::vector<float> importances = {};
    };
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Own{}); }
