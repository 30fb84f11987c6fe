#include "options.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>

#include "../command_line.hpp"

namespace clinical {

bool Options::runs(const std::string& experiment) const {
    return std::find(experiments.begin(), experiments.end(), experiment) != experiments.end();
}

Options parse(int argc, const char* const* argv) {
    Options o;
    CLI::App app("Diagnosis from text: strategies of all four kinds against plain fine-tuning on the same budget, over "
                 "several seeds. Ends with one table and OUT/report.html.",
                 "clinical");
    app.get_formatter()->column_width(34);
    app.option_defaults()->always_capture_default();
    app.add_option("--model", o.model,
                   "Hugging Face folder of a BERT-type model; without it a small one is pretrained on generated text");
    app.add_option("--data", o.data,
                   "folder with symptom-to-disease, medical-abstracts and ncbi-disease; without it text is generated");
    app.add_option("--seeds", o.seeds, "runs of each strategy; intervals need 2, better 3 or more")
        ->check(CLI::Range(std::size_t(1), std::size_t(100)));
    app.add_option("--size", o.size,
                   "small: a few minutes on two cores, what it leaves out is printed; full: all data and strategies")
        ->check(CLI::IsMember({"small", "full"}));
    app.add_option("--experiments", o.experiments, "which of them to run, separated by commas")
        ->delimiter(',')
        ->check(CLI::IsMember(experiment_names));
    app.add_option("--threads", o.threads, "0: as many as the machine has; results do not depend on it")
        ->check(CLI::Range(std::size_t(0), std::size_t(1024)));
    app.add_option("--out", o.out, "folder for report.html");
    app.add_option("--json", o.json, "file for all numbers of all runs");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        std::exit(app.exit(help));
    } catch (const CLI::ParseError& error) {
        didact::fail(error.what(), " (clinical --help lists the flags)");
    }
    refuse_empty_values(app);
    o.command = "clinical";
    for (int i = 1; i < argc; ++i) o.command += std::string(" ") + argv[i];
    return o;
}

Budget Budget::of(const std::string& size, bool own_model) {
    Budget b;
    b.rate_factors = {1};
    b.ewc_strengths = {1e3, 1e5, 1e6, 1e7};
    b.curve = {100, 300, 0};
    if (own_model) {
        b.steps = 200;
        b.max_length = 48;
        b.learning_rate = 1e-3;
        b.pretraining_steps = 800;
        b.adaptation_steps = 800;
        b.few_labels = 300; // it knows less beforehand
        b.sentences = 300;
        b.validation_rows = b.test_rows = 0;
        b.patience = 8;
        b.all_strategies = true;
    }
    if (size == "full") {
        b.steps = own_model ? 400 : 160;
        b.max_length = 128;
        b.patience = 8;
        b.rate_factors = {1.0 / 3, 1, 3};
        b.sentences = 1000;
        b.validation_rows = b.test_rows = 0;
        b.pretraining_steps = own_model ? 2000 : 0;
        b.adaptation_steps = 1000;
        b.fisher_samples = 50;
        b.all_strategies = true;
    }
    return b;
}

}
