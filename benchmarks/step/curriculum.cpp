#include "step.hpp"

#include "didact/policy/curriculum/competence.hpp"
#include "didact/policy/curriculum/mastery.hpp"

namespace step_benchmark {
namespace {

using namespace didact;

// Difficulties that know nothing of length, so that a step has as many tokens as without a curriculum.
const bool competence = add_row("Competence", one_task, usual_size, curriculum::Competence<difficulty::Given>{});
const bool mastery = add_row("Mastery", one_task, usual_size, curriculum::Mastery<difficulty::Given>{});

}
}
