#include "step.hpp"

#include "didact/policy/freeze/discriminative.hpp"
#include "didact/policy/freeze/gradual_unfreeze.hpp"
#include "didact/policy/freeze/l2sp.hpp"
#include "didact/policy/freeze/lora.hpp"
#include "didact/policy/freeze/prefix.hpp"

namespace step_benchmark {
namespace {

using namespace didact::freeze;
using LoraTrunk = didact::Transformer<didact::arch::Bert, B, didact::adapters::Lora>;

const bool prefix = add_row("Prefix", one_task, usual_size, Prefix{.layers = 2});
const bool prefix_with_dropout = add_row("Prefix/dropout", one_task, usual_size, Prefix{.layers = 2, .dropout = true});
const bool embeddings = add_row("Embeddings", one_task, usual_size, Embeddings{});
const bool all_but_head = add_row("AllButHead", one_task, usual_size, AllButHead{});
const bool discriminative = add_row("Discriminative", one_task, usual_size, Discriminative{});
// An epoch that does not end: the first stage, in which only the heads train and nothing is cached yet.
const bool gradual = add_row("GradualUnfreeze/first", one_task, 16384, GradualUnfreeze{});
const bool l2sp = add_row("L2Sp", one_task, usual_size, L2Sp{});
const bool lora = add_row(
    "Lora", [] { return make_model<LoraTrunk>(1); }, usual_size, Lora{});

}
}
