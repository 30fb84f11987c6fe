// expect: didact: a Model's template arguments after the trunk are kinds of head
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Transformer<arch::Bert, Cpu<float>>, heads::CrossEntropy>;
void wrong(const TransformerConfig& config) { M model(config); }
