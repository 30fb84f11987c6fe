#pragma once
#include <didact/didact.hpp>

using namespace didact;
using SmallModel = Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>>;
