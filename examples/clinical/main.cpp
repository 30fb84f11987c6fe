#include <sstream>

#include "didact/io/atomic_file.hpp"
#include "didact/io/folder.hpp"
#include "didact/text/tokenizer_json.hpp"
#include "didact/text/vocabulary.hpp"
#include "study.hpp"

namespace clinical {

void say(const auto&... parts) {
    std::cerr << "clinical: ";
    (std::cerr << ... << parts) << std::endl;
}

/// The tokenizer of the model's folder, or one trained on the texts that the model will see.
didact::text::WordPieceTokenizer make_tokenizer(const Options& options, const Corpus& corpus) {
    if (!options.model.empty()) return didact::text::load_tokenizer(options.model);
    std::vector<std::string> texts = corpus.general;
    texts.insert(texts.end(), corpus.unlabelled.begin(), corpus.unlabelled.end());
    return didact::text::WordPieceTokenizer(didact::text::train_wordpiece(texts, {.vocab_size = 2000}));
}

std::string describe(const Budget& b, bool own_model) {
    std::ostringstream text;
    text << b.steps << " steps of " << b.batch_size << " texts of at most " << b.max_length
         << " tokens (half of the steps on each of two sets, twice as many in the sharing experiment), AdamW, linear "
            "schedule with 10 % warm-up, learning rate "
         << didact::report::scientific(b.learning_rate)
         << " (ten times that where only the head trains, five times for LoRA)";
    if (b.rate_factors.size() > 1)
        text << ", the best of " << b.rate_factors.size() << " rates around it by validation on a seed of its own";
    text << " (for EWC the best of " << b.ewc_strengths.size() << " strengths)";
    text << "; stops after " << b.patience << " epochs without a better validation score and keeps the best weights. ";
    if (own_model) text << "The model was pretrained for " << b.pretraining_steps << " steps of 32 generated texts. ";
    text << "Domain-adaptive pretraining, once for all seeds: " << b.adaptation_steps << " steps of 16 texts.";
    return text.str();
}

void run_study(const Options& options, bool& training) {
    const didact::report::Stopwatch stopwatch;
    const bool own_model = options.model.empty();
    const Budget budget = Budget::of(options.size, own_model);
    const Corpus corpus = read_corpus(options.data);
    const auto tokenizer = make_tokenizer(options, corpus);

    Study study{options, budget, encode(corpus, tokenizer, budget), {}, {}, {}};
    if (!own_model) {
        study.base = load_pretrained(options.model);
        didact::require(budget.max_length <= study.base.config.max_positions, options.model, ": the model has ",
                        study.base.config.max_positions, " positions, the study takes texts of ", budget.max_length);
        didact::require(tokenizer.size() <= study.base.config.vocab_size, options.model, ": the tokenizer has ",
                        tokenizer.size(), " tokens, the model a vocabulary of ", study.base.config.vocab_size);
    }
    // What cannot be written is refused now, not at the end.
    didact::io::make_folder(options.out);
    didact::io::AtomicFile(std::filesystem::path(options.out) / "report.html");
    if (!options.json.empty()) didact::io::AtomicFile(std::filesystem::path(options.json));

    training = true;
    if (options.data.empty()) say("no --data: text is generated");
    for (const std::string& note : study.data.notes) say("cut: ", note);
    if (!budget.all_strategies) {
        study.data.notes.push_back("--size small: domain-adaptive pretraining beyond the first point of the curve, "
                                   "Discriminative, GradualUnfreeze, L2Sp, four curricula, PCGrad by itself, "
                                   "UncertaintyWeighting, CrossStitch, LwF, A-GEM and the second later set are left to "
                                   "--size full");
        say(study.data.notes.back());
    }
    if (own_model) {
        say("no --model: a small one is pretrained on generated text");
        study.base =
            pretrain(small_model(tokenizer.vocabulary().size()), tokenizer, corpus.general, budget.pretraining_steps,
                     32, 2e-3, options.threads, "a small BERT (2 blocks of 128) pretrained here on generated text");
    }
    if (options.runs("curve")) {
        say("masked language modelling on the domain's text");
        study.adapted =
            pretrain(study.base, tokenizer, corpus.unlabelled, budget.adaptation_steps, 16, own_model ? 2e-3 : 1e-4,
                     options.threads, "the same after domain-adaptive pretraining");
    }
    if (options.runs("curve")) run_curve(study);
    if (options.runs("freezing")) run_freezing(study);
    if (options.runs("curriculum")) run_curriculum(study);
    if (options.runs("sharing")) run_sharing(study);
    if (options.runs("forgetting")) run_forgetting(study);
    if (options.runs("combination")) run_combination(study);

    StudyDescription description{.command = options.command,
                                 .data = corpus.description,
                                 .model = study.base.description,
                                 .budget = describe(budget, own_model),
                                 .notes = study.data.notes,
                                 .classes = corpus.diagnoses.names(),
                                 .seeds = options.seeds,
                                 .seconds = stopwatch.seconds(),
                                 .cpu_seconds = didact::report::process_cpu_seconds()};
    write_report(options.out, description, study.results);
    if (!options.json.empty()) write_numbers(options.json, description, study.results);
    std::cout << terminal_table(study.results) << "\n"
              << options.seeds << " seeds, " << didact::report::clock_time(description.seconds) << " ("
              << didact::report::fixed(description.cpu_seconds, 0) << " CPU seconds); " << options.out << "/report.html"
              << std::endl;
    didact::require(bool(std::cout), "standard output cannot be written");
}

}

/// Diagnosis from text, with strategies of all four kinds against plain fine-tuning: clinical --help.
/// Ends with 0, with 2 where a flag or a file is wrong, with 1 where training failed.
int main(int argc, char** argv) {
    bool training = false;
    try {
        clinical::run_study(clinical::parse(argc, argv), training);
        return 0;
    } catch (const std::exception& error) {
        // One line, whatever is quoted in it.
        std::cerr << "clinical: " << didact::excerpt(error.what(), std::string::npos) << '\n';
        return training ? 1 : 2;
    }
}
