#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace clinical {

/// The experiments, in the order in which they run.
inline const std::vector<std::string> experiment_names = {"curve",   "freezing",   "curriculum",
                                                          "sharing", "forgetting", "combination"};

/// What the command line asks for.
struct Options {
    std::string model, data, size = "small", out = "clinical-run", json;
    std::vector<std::string> experiments = experiment_names;
    std::size_t seeds = 3, threads = 0;
    std::string command; ///< as it was given, for the report

    bool runs(const std::string& experiment) const;
};

/// Reads the command line. Ends the process after --help; throws didact::Error where a flag is wrong.
Options parse(int argc, const char* const* argv);

/// How much every strategy may spend: the same for all that are compared.
struct Budget {
    std::size_t steps = 36;           ///< optimizer steps at most; with two experiences, of each half as many
    std::size_t batch_size = 16;      ///< samples a step
    std::size_t max_length = 40;      ///< tokens a text; what is longer is cut
    std::size_t patience = 4;         ///< epochs without a better validation score before stopping
    double learning_rate = 3e-4;      ///< of plain fine-tuning; head-only training and LoRA get a multiple of it
    std::vector<double> rate_factors; ///< tried on a seed that is not reported, for each strategy
    std::vector<std::size_t> curve;   ///< numbers of labelled texts in the learning curve; 0: all
    std::size_t few_labels = 100;     ///< labelled texts in the other experiments
    std::size_t sentences = 100;      ///< tagged sentences; 0: all
    std::size_t validation_rows = 48; ///< 0: all, as below
    std::size_t test_rows = 120;
    std::size_t pretraining_steps = 0; ///< masked language modelling of a model of our own, 32 texts a step
    std::size_t adaptation_steps = 40; ///< further masked language modelling on the domain's text, 16 texts a step
    std::size_t fisher_samples = 8;    ///< texts from which OnlineEwc estimates the Fisher information
    std::vector<double> ewc_strengths; ///< of which validation chooses, tried in the place of learning rates
    bool all_strategies = false;       ///< or only those that the small size can afford

    /// `own_model`: a small one that is pretrained here, which learns faster and costs less.
    static Budget of(const std::string& size, bool own_model);
};

}
