// expect: didact: the first template argument of Transformer is a family of transformers, e.g. arch::Bert
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Transformer<Cpu<float>, arch::Bert>, heads::SequenceClassification<>>;
void wrong(const TransformerConfig& config) { M model(config); }
