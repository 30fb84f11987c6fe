// expect: didact: the first template argument of Model is a trunk
#include "didact/didact.hpp"

using namespace didact;

using M = Model<heads::SequenceClassification<>, Transformer<arch::Bert, Cpu<float>>>;
void wrong(const TransformerConfig& config) { M model(config); }
