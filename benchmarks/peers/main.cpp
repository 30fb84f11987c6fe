// A training step of this library on the work of the peers' scripts:
//
//   build/release/benchmarks/peers transformer --model minilm --mode half --threads 2
//
// prints one JSON line. benchmarks/peers.sh runs both sides in turn and prints their ratios.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>

#include "didact/core/error.hpp"
#include "didact/report/resources.hpp"
#include "measure.hpp"

int main(int argc, char** argv) {
    CLI::App app("Times training steps on the work that the peers' scripts do.", "peers");
    app.option_defaults()->always_capture_default();
    app.require_subcommand(1);
    const auto positive = CLI::Range(std::size_t(1), std::size_t(1000000));

    peers::TransformerRow transformer;
    CLI::App& of_transformer = *app.add_subcommand("transformer", "BERT and GPT-2 with random weights");
    of_transformer.add_option("--model", transformer.model)->check(CLI::IsMember({"minilm", "bert-base", "gpt2"}));
    of_transformer.add_option("--mode", transformer.mode, "what trains; half and head are timed after the first epoch")
        ->check(CLI::IsMember({"full", "half", "head", "lora"}));
    of_transformer.add_option("--lengths", transformer.lengths, "tokens a sequence; lognormal: mean 40")
        ->check(CLI::IsMember({"fixed", "lognormal"}));
    of_transformer.add_option("--precision", transformer.precision, "of the operands of matrix products")
        ->check(CLI::IsMember({"fp32", "bf16"}));
    of_transformer.add_option("--batch", transformer.batch_size, "sequences a step; 0: the model's usual one");
    of_transformer.add_option("--seq", transformer.length, "most tokens a sequence; 0: the model's usual one");
    of_transformer.add_option("--micro-batch-tokens", transformer.micro_batch_tokens, "0: the library's usual number");
    of_transformer.add_flag("--checkpointing", transformer.checkpointing, "of every block; with --mode full");
    of_transformer.add_option("--dropout", transformer.dropout)->check(CLI::Range(0.0, 0.9));
    of_transformer.add_option("--steps", transformer.steps)->check(positive);
    of_transformer.add_option("--warmup", transformer.warm_steps, "steps that are not counted");
    of_transformer.add_option("--threads", transformer.threads)->check(positive);

    peers::PerceptronRow perceptron;
    CLI::App& of_perceptron = *app.add_subcommand("mlp", "784-256-256-10 on five experiences, one thread");
    of_perceptron.add_option("--mode", perceptron.mode)->check(CLI::IsMember({"sgd", "replay", "ewc", "ewc-exact"}));
    of_perceptron.add_option("--batch", perceptron.batch_size)->check(positive);
    of_perceptron.add_option("--per-exp", perceptron.samples, "samples an experience")->check(positive);
    of_perceptron.add_option("--rounds", perceptron.rounds)->check(positive);

    peers::OptimizerRow optimizer;
    CLI::App& of_optimizer = *app.add_subcommand("optimizer", "clipping and AdamW on 110 million parameters");
    of_optimizer.add_option("--threads", optimizer.threads)->check(positive);
    of_optimizer.add_option("--reps", optimizer.repetitions)->check(positive);

    peers::LimitsRow limits;
    CLI::App& of_limits = *app.add_subcommand("limits", "what the machine does at most");
    of_limits.add_option("--threads", limits.threads)->check(positive);
    of_limits.add_option("--precision", limits.precision)->check(CLI::IsMember({"fp32", "bf16"}));

    CLI11_PARSE(app, argc, argv);
    try {
        nlohmann::ordered_json row = of_transformer.parsed()  ? measure_transformer(transformer)
                                     : of_perceptron.parsed() ? measure_perceptron(perceptron)
                                     : of_optimizer.parsed()  ? measure_optimizer(optimizer)
                                                              : measure_limits(limits);
        row["rss_mb"] = double(didact::report::peak_memory_bytes()) / 1e6;
        std::cout << row.dump() << std::endl;
        return std::cout ? 0 : 1;
    } catch (const didact::Error& error) {
        std::cerr << "peers: " << error.what() << '\n';
        return 1;
    }
}
