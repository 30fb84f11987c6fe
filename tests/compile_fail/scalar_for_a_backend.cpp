// expect: didact: the second template argument of Transformer is a backend, e.g. Cpu<float>
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Transformer<arch::Bert, float>, heads::SequenceClassification<>>;
void wrong(const TransformerConfig& config) { M model(config); }
