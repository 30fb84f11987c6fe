// expect: didact: a schedule needs `double factor(std::size_t step, std::size_t total) const`
#include "didact/didact.hpp"

using namespace didact;

struct Halving {
    static constexpr Family family = Family::schedule;
    double factor(double progress) const { return progress; }
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, Halving{}); }
