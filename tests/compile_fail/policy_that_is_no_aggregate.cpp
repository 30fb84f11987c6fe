// expect: didact: a policy is an aggregate of hyper-parameters, without constructors and private members
#include "didact/didact.hpp"

using namespace didact;

class Built {
  public:
    static constexpr Family family = Family::freeze;
    Built() : layers_(3) {}
    template <class Model>
    struct State {
        State(const Built&, const Model&) {}
    };

  private:
    int layers_;
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Built()); }
