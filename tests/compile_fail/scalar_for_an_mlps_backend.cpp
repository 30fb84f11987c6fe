// expect: didact: the first template argument of Mlp is a backend, e.g. Cpu<float>
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Mlp<double>, heads::SequenceClassification<>>;
void wrong(const MlpConfig& config) { M model(config); }
