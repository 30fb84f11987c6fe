#include <set>

#include "study.hpp"

namespace clinical {

/// Does masked language modelling on the domain's text pay, and at how many labels?
void run_curve(Study& study) {
    const auto plain = strategy("plain", 1);
    auto adapted = strategy("after domain-adaptive MLM", 1);
    adapted.start = &study.adapted;
    std::set<std::string> done;
    for (const std::size_t labels : study.budget.curve) {
        const Setting setting = diagnosis_setting(study, "curve", labels, plain.name);
        if (!done.insert(setting.name).second) continue; // of a small set several sizes are all of it
        run(study, setting, plain);
        if (labels == study.budget.curve[0] || study.budget.all_strategies) run(study, setting, adapted);
    }
}

}
