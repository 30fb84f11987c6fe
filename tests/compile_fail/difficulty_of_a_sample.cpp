// expect: didact: a difficulty metric is called as `std::vector<float> operator()(Engine<Model>&, const TaskData&)
#include "didact/didact.hpp"

using namespace didact;

struct OfOne {
    float operator()(const Sample& sample) const { return float(sample.labels.size()); }
};
using M = Model<Mlp<Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { Trainer trainer(model, curriculum::Competence<OfOne>{}); }
