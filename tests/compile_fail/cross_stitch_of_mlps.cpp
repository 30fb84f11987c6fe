// expect: didact: a CrossStitch network is made of transformers
#include "didact/didact.hpp"

using namespace didact;

using M = Model<CrossStitch<Mlp<Cpu<float>>>, heads::SequenceClassification<>>;
void wrong(const CrossStitchConfig& config) { M model(config); }
