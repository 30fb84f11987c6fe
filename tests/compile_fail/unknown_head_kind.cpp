// expect: didact: this kind of head is not among the Model's template arguments
#include "didact/didact.hpp"

using namespace didact;

using M = Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>>;
void wrong(M& model) { model.add_head<heads::TokenClassification>({.num_labels = 3}); }
