#include "options.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <limits>

#include "../command_line.hpp"
#include "strategies.hpp"

namespace finetune {

Options parse(int argc, const char* const* argv) {
    Options o;
    CLI::App app("Fine-tunes a BERT-type model from a Hugging Face folder on a labelled file, with strategies.",
                 "finetune");
    app.get_formatter()->column_width(34);
    app.option_defaults()->always_capture_default();

    const auto count = CLI::Range(std::size_t(0), std::size_t(1000000000));
    const std::string data = "Data";
    app.add_option("--model", o.model,
                   "Hugging Face folder: config.json, model.safetensors, vocab.txt or tokenizer.json")
        ->required()
        ->group(data);
    app.add_option("--task", o.task,
                   "classify: one label a row; tag: one label a token (CoNLL); span: answers to questions (SQuAD JSON)")
        ->check(CLI::IsMember({"classify", "tag", "span"}))
        ->group(data);
    app.add_option("--train", o.train, "training data: .tsv, .csv or .jsonl with named columns; .conll; .json (SQuAD)")
        ->required()
        ->group(data);
    app.add_option("--valid", o.valid, "validation data; the weights of the best epoch are kept, and --patience works")
        ->group(data);
    app.add_option("--valid-share", o.valid_share, "instead of --valid: this share of the training rows, by --seed")
        ->check(number(0, 0.99, "a number from 0 to 0.99"))
        ->group(data);
    app.add_option("--test", o.test, "test data, for the metrics that are reported")->required()->group(data);
    app.add_option("--text-column", o.text_column, "column with the text")->group(data);
    app.add_option("--second-text-column", o.second_text_column, "column with a second text, for pairs")->group(data);
    app.add_option("--label-column", o.label_column, "column with the label")->group(data);
    app.add_option("--difficulty-column", o.difficulty_column,
                   "column with a number from 0 to 1, for competence:given and mastery:given")
        ->group(data);
    app.add_option("--limit", o.limit, "use this many training rows, drawn by --seed; 0 takes all")
        ->check(count)
        ->group(data);
    app.add_option("--max-length", o.max_length, "tokens a sequence; longer texts are cut")
        ->check(CLI::Range(std::size_t(8), std::size_t(100000)))
        ->group(data);
    app.add_option("--stride", o.stride, "tokens that windows of a long context share (span)")
        ->check(count)
        ->group(data);

    const std::string strategy = "Strategy";
    app.add_option("--freeze", o.freeze,
                   "what trains: " + freeze_names() + ". Numbers follow: prefix:3, lora:8 or lora:rank=8,alpha=16")
        ->group(strategy);
    app.add_option("--curriculum", o.curriculum,
                   "which samples when: " + curriculum_names() + ". Numbers follow: competence:length,initial=0.2")
        ->group(strategy);

    const std::string training = "Training";
    constexpr double least = std::numeric_limits<double>::min(), most = std::numeric_limits<double>::max();
    const auto positive = CLI::Range(std::size_t(1), std::size_t(1000000));
    app.add_option("--epochs", o.epochs, "passes over the training data")->check(positive)->group(training);
    app.add_option("--batch", o.batch, "rows a batch")->check(positive)->group(training);
    app.add_option("--accumulation", o.accumulation, "batches a step; the loss is the mean over all of them")
        ->check(positive)
        ->group(training);
    app.add_option("--lr", o.learning_rate, "peak learning rate of AdamW")
        ->check(number(least, most, "a number above 0"))
        ->group(training);
    app.add_option("--weight-decay", o.weight_decay, "of AdamW; biases and norms have none")
        ->check(number(0, most, "a number from 0"))
        ->group(training);
    app.add_option("--warmup", o.warmup, "share of the steps in which the rate rises; it falls linearly afterwards")
        ->check(number(0, 1, "a number from 0 to 1"))
        ->group(training);
    app.add_option("--clip", o.clip, "global norm to which gradients are clipped; 0: never")
        ->check(number(0, most, "a number from 0"))
        ->group(training);
    app.add_option("--label-smoothing", o.label_smoothing, "share of the target spread over all classes")
        ->check(number(0, 0.99, "a number from 0 to 0.99"))
        ->group(training);
    app.add_flag("--class-weights", o.class_weights, "weigh classes by the inverse of their frequency");
    app.get_option("--class-weights")->group(training);
    app.add_option("--patience", o.patience, "epochs without a better validation metric before stopping; 0: never")
        ->check(count)
        ->group(training);
    app.add_option("--seed", o.seed, "of everything that is drawn")
        ->check(CLI::Range(std::uint64_t(0), ~std::uint64_t(0) >> 1))
        ->group(training);
    app.add_option("--precision", o.precision,
                   "of the operands of matrix products; bf16 is quicker on processors with AMX, and on AMD's with "
                   "AVX512-BF16. It goes with --freeze " +
                       names(Bf16Table{}) + " and --curriculum " + names(Bf16CurriculumTable{}))
        ->check(CLI::IsMember({"fp32", "bf16"}))
        ->group(training);
    app.add_option("--prefix-cache", o.prefix_cache,
                   "folder for the outputs of frozen layers, which later runs on the same texts find there; without it "
                   "they are kept in memory")
        ->group(training);
    app.add_option("--threads", o.threads, "0: as many as the machine has; results do not depend on it")
        ->check(CLI::Range(std::size_t(0), std::size_t(1024)))
        ->group(training);

    const std::string output = "Output";
    app.add_option(
           "--out", o.out,
           "folder for the trained model, which Python's Transformers opens, run.json and metrics.jsonl; without "
           "--resume what an earlier run left there is written over, its checkpoints removed")
        ->group(output);
    app.add_option("--json", o.json, "file for the metrics as one JSON object; - for standard output")->group(output);
    app.add_flag("--tensorboard", o.tensorboard, "write TensorBoard event files to OUT/tensorboard")->group(output);
    app.add_option("--checkpoint-every", o.checkpoint_every, "write a checkpoint to OUT every so many steps; 0: none")
        ->check(count)
        ->group(output);
    app.add_flag("--resume", o.resume, "go on from the newest checkpoint in OUT")->group(output);
    app.add_flag("--quiet", o.quiet, "no progress on standard error")->group(output);

    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        std::exit(app.exit(help));
    } catch (const CLI::ParseError& error) {
        didact::fail(error.what(), " (finetune --help lists the flags)");
    }
    refuse_empty_values(app);
    for (const char* flag : {"--text-column", "--second-text-column", "--label-column", "--difficulty-column"})
        didact::require(app.count(flag) == 0 || o.task == "classify", flag,
                        " is for --task classify; other data has no columns");
    didact::require(!o.class_weights || o.task == "classify", "--class-weights is for --task classify");
    didact::require(o.valid.empty() || o.valid_share == 0, "--valid and --valid-share exclude each other");
    didact::require(o.patience == 0 || !o.valid.empty() || o.valid_share > 0,
                    "--patience needs --valid or --valid-share");
    for (const char* given : {"competence:given", "mastery:given"})
        didact::require(!o.curriculum.starts_with(given) || !o.difficulty_column.empty(), "--curriculum ", given,
                        " needs --difficulty-column");
    didact::require(o.difficulty_column.empty() || o.curriculum.find(":given") != std::string::npos,
                    "--difficulty-column goes with --curriculum competence:given or mastery:given");
    didact::require(o.prefix_cache.empty() || o.freeze.starts_with("prefix") || o.freeze.starts_with("all-but-head") ||
                        o.freeze.starts_with("gradual"),
                    "--prefix-cache: with --freeze ", didact::excerpt(o.freeze),
                    " no layer is frozen whose output could be kept");
    didact::require((o.checkpoint_every == 0 && !o.resume && !o.tensorboard) || !o.out.empty(),
                    "--checkpoint-every, --resume and --tensorboard need --out");
    return o;
}

}
