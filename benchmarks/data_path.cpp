// How fast does text become batches, and does training wait for it?
//
//   build/release/benchmarks/data_path [--sentences N] [--model DIR]
//
// writes a table of N generated sentences, then reads, tokenizes, ranks by difficulty and packs them on one thread, and
// prints MB/s of each. Then trains a model of MiniLM's size for a few steps on what it packed: the idle fraction is the
// part of a step in which packing keeps the arithmetic waiting. --model takes the tokenizer of a Hugging Face folder
// instead of one that is learnt from the first sentences. Ends with 1 where that fraction is above 1 %.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <unistd.h>

#include "didact/data/generated.hpp"
#include "didact/pretrained.hpp"
#include "didact/report/resources.hpp"
#include "didact/report/table.hpp"
#include "didact/text/vocabulary.hpp"

namespace {

using namespace didact;

struct Options {
    std::size_t sentences = 1000000, steps = 20, threads = 0;
    std::string model;
};

Options parse(int argc, char** argv) {
    Options o;
    CLI::App app("Times reading, tokenizing, ranking and packing of generated sentences.", "data_path");
    app.option_defaults()->always_capture_default();
    const auto positive = CLI::Range(std::size_t(1), std::size_t(100000000));
    app.add_option("--sentences", o.sentences, "rows of the table")->check(positive);
    app.add_option("--model", o.model, "Hugging Face folder whose tokenizer is taken");
    app.add_option("--steps", o.steps, "training steps for the idle fraction")->check(positive);
    app.add_option("--threads", o.threads, "of training; 0: as many as the machine has");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        std::exit(app.exit(help));
    } catch (const CLI::ParseError& error) {
        fail(error.what(), " (data_path --help lists the flags)");
    }
    return o;
}

/// A file that is there while it lives.
struct TemporaryTable {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("didact-data-path-" + std::to_string(::getpid()) + ".tsv");
    TemporaryTable() = default;
    TemporaryTable(const TemporaryTable&) = delete;
    TemporaryTable& operator=(const TemporaryTable&) = delete;
    ~TemporaryTable() {
        std::error_code ignored;
        std::filesystem::remove(path, ignored);
    }
};

/// Calls call(sentence, class) for `count` sentences of generated texts.
template <class Call>
void for_each_sentence(std::size_t count, const Call& call) {
    const ClinicalGrammar grammar;
    const std::vector<std::string> labels = ClinicalGrammar::labels();
    for (std::uint64_t i = 0; count > 0; ++i) {
        const GeneratedText text = grammar.sample(1, i);
        for (std::size_t begin = 0; begin < text.text.size() && count > 0; --count) {
            const std::size_t end = std::min(text.text.find(". ", begin), text.text.size() - 1);
            call(std::string_view(text.text).substr(begin, end + 1 - begin), labels[std::size_t(text.label)]);
            begin = end + 2;
        }
    }
}

template <class Call>
double seconds_of(const Call& call) {
    const auto began = std::chrono::steady_clock::now();
    call();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

/// Policies that leave the sampler to itself.
struct NoPolicies {
    struct Nothing {
    } curriculum, sharing;
};

/// Seconds to fill all steps of an epoch.
double pack(const Experience& experience, const TrainingOptions& options, std::size_t steps) {
    Sampler sampler;
    StepBatches batches;
    NoPolicies policies;
    Moment moment{.seed = 1};
    return seconds_of([&] {
        sampler.begin_epoch(experience, moment, [](std::size_t) { return false; });
        for (std::size_t step = 0; step < steps; ++step, ++moment.step) {
            sampler.fill(experience, moment, step, options, policies, batches);
            for (StepGroup& group : batches.groups()) group.cut(options.micro_batch_tokens);
        }
    });
}

/// Notes when each step ended.
struct Ends {
    std::vector<double> seconds;
    void step(const report::StepReport& report) { seconds.push_back(report.seconds); }
};

/// Seconds of a training step of a model of MiniLM's size, the first not counted.
double train(const Dataset& data, std::size_t vocabulary, std::size_t classes, const TrainingOptions& options) {
    TransformerConfig config;
    config.vocab_size = vocabulary;
    config.hidden_size = 384;
    config.num_layers = 6;
    config.num_heads = 12;
    config.intermediate_size = 1536;
    config.max_positions = 512;
    config.type_vocab_size = 2;
    Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>> model(config, 1);
    model.add_head({.num_labels = classes});
    Trainer trainer(model, schedule::Constant{});
    Ends ends;
    trainer.fit(data, options, ends);
    return (ends.seconds.back() - ends.seconds.front()) / double(ends.seconds.size() - 1);
}

int run(const Options& o) {
    TemporaryTable file;
    std::vector<std::string> first;
    double megabytes = 0;
    {
        std::string table = "text\tlabel\n";
        for_each_sentence(o.sentences, [&](std::string_view sentence, const std::string& label) {
            if (first.size() < 20000) first.emplace_back(sentence);
            megabytes += double(sentence.size()) * 1e-6;
            table.append(sentence).append("\t").append(label).append("\n");
        });
        io::write_atomically(file.path, table);
    }
    const double file_megabytes = double(std::filesystem::file_size(file.path)) * 1e-6;
    const text::WordPieceTokenizer tokenizer =
        o.model.empty() ? text::WordPieceTokenizer(text::train_wordpiece(first)) : text::load_tokenizer(o.model);

    report::Table result({"stage", "MB", "seconds", "MB/s"});
    const auto add = [&](const char* stage, double size, double seconds) {
        result.row({stage, report::Cell(size, 1), report::Cell(seconds, 2), report::Cell(size / seconds, 1)});
    };
    Table table;
    add("read", file_megabytes, seconds_of([&] { table = read_table(file.path); }));
    const LabelSet labels = labels_of(table);
    Experience experience{.name = "sentences"};
    experience.tasks.push_back({.task = 0});
    Dataset& data = experience.tasks[0].train;
    add("tokenize", megabytes, seconds_of([&] { data = encode_classification(tokenizer, table, labels); }));
    table = {};
    std::vector<std::uint32_t> order;
    struct {
    } no_engine;
    add("rank by length", megabytes, seconds_of([&] {
            order = difficulty::easy_to_hard(difficulty::Length()(no_engine, experience.tasks[0]), data);
        }));
    add("rank by rarity", megabytes, seconds_of([&] {
            order = difficulty::easy_to_hard(difficulty::Rarity()(no_engine, experience.tasks[0]), data);
        }));
    const TrainingOptions options{.steps = o.steps + 1, .threads = o.threads};
    const std::size_t steps = (data.size() + options.batch_size - 1) / options.batch_size;
    const double packing = pack(experience, options, steps);
    add("pack", megabytes, packing);
    std::cout << result.str() << "\n"
              << data.size() << " sentences, " << data.tokens() << " tokens, peak memory "
              << report::fixed(double(report::peak_memory_bytes()) * 1e-6, 0) << " MB\n";

    const double step = train(data, tokenizer.vocabulary().size(), labels.size(), options);
    const double idle = packing / double(steps) / step;
    std::cout << "a training step of MiniLM's size: " << report::fixed(step * 1e3, 1) << " ms, of which packing "
              << report::fixed(packing / double(steps) * 1e3, 3) << " ms: idle fraction "
              << report::fixed(100 * idle, 3) << " %" << std::endl;
    return idle > 0.01 ? 1 : 0;
}

}

int main(int argc, char** argv) {
    try {
        return run(parse(argc, argv));
    } catch (const std::exception& error) {
        std::cerr << "data_path: " << error.what() << '\n';
        return 2;
    }
}
