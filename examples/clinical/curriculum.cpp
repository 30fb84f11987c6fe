#include "study.hpp"

namespace clinical {

using namespace didact;
using namespace didact::curriculum;

/// Does the order help? `random` keeps the pacing and drops the order, `hard first` turns it round.
void run_curriculum(Study& study) {
    const Setting setting = diagnosis_setting(study, "curriculum", study.budget.few_labels, "plain");
    if (!reuse(study, setting, "plain", "curve") && !reuse(study, setting, "plain", "freezing"))
        run(study, setting, strategy("plain", 1));
    compare(study, setting, //
            strategy("Competence, length", 1, Competence<difficulty::Length>{.initial = 0.3}),
            strategy("Competence, random", 1, Competence<difficulty::Random>{.initial = 0.3}));
    if (!study.budget.all_strategies) return;
    compare(study, setting, //
            strategy("Competence, rarity", 1, Competence<difficulty::Rarity>{.initial = 0.3}),
            strategy("Competence, loss", 1, Competence<difficulty::ModelLoss>{.initial = 0.3}),
            strategy("Competence, hard first", 1, Competence<difficulty::Reversed<difficulty::Length>>{.initial = 0.3}),
            strategy("Mastery, length", 1, Mastery<difficulty::Length>{}));
}

}
