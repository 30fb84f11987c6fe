#include "study.hpp"

#include <fstream>

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

namespace clinical {

using namespace didact;

void reset_peak_memory() {
#if defined(__GLIBC__)
    malloc_trim(0); // what earlier runs have freed goes back first
#endif
    std::ofstream("/proc/self/clear_refs") << "5\n"; // see proc(5); where this cannot be, the peak is the process's
}

template Outcome train_once(const Study&, const Setting&, const Strategy<Encoder<>>&, double, std::uint64_t);

double Outcome::score() const {
    if (tests.empty()) return eval::AverageAccuracy::of(eval::ResultMatrix(matrix));
    double sum = 0;
    for (const Evaluation& test : tests) sum += test.primary;
    return sum / double(tests.size());
}

bool reuse(Study& study, const Setting& setting, const std::string& strategy, const std::string& other_experiment) {
    std::vector<Row> found;
    for (const Row& row : study.results.rows())
        if (row.experiment == other_experiment && row.setting == setting.name && row.strategy == strategy)
            found.push_back(row);
    for (Row& row : found) {
        row.experiment = setting.experiment;
        row.baseline = setting.baseline;
        for (const RunResult& run : row.runs) study.results.add(row, run);
    }
    return !found.empty();
}

void record(Study& study, const Setting& setting, const std::string& strategy, const std::string& policies,
            const Outcome& outcome) {
    Row row{.experiment = setting.experiment,
            .setting = setting.name,
            .strategy = strategy,
            .policies = policies,
            .baseline = setting.baseline,
            .metric = {}};
    RunResult run = outcome.run;
    const auto say = [&] {
        std::cerr << "clinical: " << row.experiment << " / " << row.setting << " / " << row.strategy << ", seed "
                  << run.seed << ": " << row.metric << ' ' << report::fixed(run.value, 3) << " ("
                  << report::fixed(run.seconds, 1) << " s)" << std::endl;
    };
    if (setting.average) {
        const eval::ResultMatrix matrix(outcome.matrix);
        row.metric = "average accuracy";
        run.value = outcome.score();
        if (matrix.experiences() > 1) {
            run.forgetting = eval::Forgetting::of(matrix);
            run.matrix = outcome.matrix;
        }
        study.results.add(row, run);
        say();
        return;
    }
    for (std::size_t k = 0; k < outcome.tests.size(); ++k) {
        const Evaluation& test = outcome.tests[k];
        row.metric = test.primary_name == "entity_f1" ? "entity F1" : test.primary_name;
        run.value = test.primary;
        run.classes.clear();
        if (!setting.heads[k]->tagging)
            run.classes = eval::class_scores(test.predicted, test.gold, setting.heads[k]->labels.size());
        study.results.add(row, run);
        say();
    }
}

}
