/// A character-level GPT-2 trained from scratch on a text, which it then continues:
///
///     language_model --text input.txt --steps 600
///
/// Without --text it learns sentences that a small grammar makes.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <limits>

#include "command_line.hpp"
#include "didact/didact.hpp"
#include "didact/eval/language_model.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/io/folder.hpp"
#include "didact/io/hugging_face.hpp"
using namespace didact;

namespace {

using Gpt2 = Model<Transformer<arch::Gpt2, Cpu<float>>, heads::CausalLanguageModel>;

struct Options {
    std::string text, out, record, prompt;
    std::size_t steps = 300, batch = 24, layers = 3, hidden = 96, heads = 6, context = 64;
    std::size_t validation_windows = 300, evaluate_every = 50, characters = 300, threads = 0;
    double learning_rate = 3e-3, weight_decay = 0.01, warmup = 0.1, temperature = 0.8;
    std::uint64_t seed = 1;
};

Options parse(int argc, char** argv) {
    Options o;
    CLI::App app("Trains a character-level GPT-2 from scratch.", "language_model");
    app.option_defaults()->always_capture_default();
    const auto positive = CLI::Range(std::size_t(1), std::size_t(1000000));
    constexpr double least = std::numeric_limits<double>::min(), most = std::numeric_limits<double>::max();
    app.add_option("--text", o.text, "file with the text; none: sentences that a grammar makes");
    app.add_option("--steps", o.steps, "optimizer steps")->check(positive);
    app.add_option("--batch", o.batch, "windows a step")->check(positive);
    app.add_option("--layers", o.layers, "blocks of the model")->check(positive);
    app.add_option("--hidden", o.hidden, "hidden size, a multiple of --heads")->check(positive);
    app.add_option("--heads", o.heads, "attention heads")->check(positive);
    app.add_option("--context", o.context, "characters a window")->check(CLI::Range(std::size_t(2), std::size_t(4096)));
    app.add_option("--lr", o.learning_rate, "peak learning rate of AdamW")
        ->check(number(least, most, "a number above 0"));
    app.add_option("--weight-decay", o.weight_decay, "of AdamW; biases and norms have none")
        ->check(number(0, most, "a number from 0"));
    app.add_option("--warmup", o.warmup, "share of the steps in which the rate rises; it falls as a cosine after them")
        ->check(number(0, 1, "a number from 0 to 1"));
    app.add_option("--validation-windows", o.validation_windows, "of the text's last tenth")->check(positive);
    app.add_option("--evaluate-every", o.evaluate_every, "steps between two validations")->check(positive);
    app.add_option("--prompt", o.prompt, "what the model continues at the end; none: the text's first character");
    app.add_option("--characters", o.characters, "how far it continues");
    app.add_option("--temperature", o.temperature, "of sampling")
        ->check(number(1e-3, 1e3, "a number from 0.001 to 1000"));
    app.add_option("--seed", o.seed, "of everything that is drawn");
    app.add_option("--threads", o.threads, "0: as many as the machine has; results do not depend on it")
        ->check(CLI::Range(std::size_t(0), std::size_t(1024)));
    app.add_option("--out", o.out, "folder for the trained model, which Python's Transformers opens");
    app.add_option("--record", o.record, "folder for the untrained model, its data in their order, and the losses");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        std::exit(app.exit(help));
    } catch (const CLI::ParseError& error) {
        fail(error.what(), " (language_model --help lists the flags)");
    }
    refuse_empty_values(app);
    return o;
}

std::string sentences(std::size_t count) {
    std::string text;
    Random random(7);
    const auto add = [&](std::initializer_list<const char*> words) {
        text += words.begin()[random.below(words.size())];
    };
    const auto add_noun = [&] {
        add({"the ", "a ", "every ", "no "});
        add({"", "old ", "small ", "quiet ", "green "});
        add({"sailor", "harbour", "lantern", "river", "letter", "orchard", "clock", "heron"});
    };
    for (std::size_t i = 0; i < count; ++i) {
        add_noun();
        add({" finds ", " follows ", " forgets ", " paints ", " waits for "});
        add_noun();
        add({"", " in the morning", " after the rain", " without a word"});
        add({".\n", ".\n", "?\n", "; "});
    }
    return text;
}

/// Every byte that occurs in the text is a token.
struct Characters {
    std::vector<unsigned char> of_token;
    std::array<std::int32_t, 256> token_of;

    explicit Characters(const std::string& text) {
        token_of.fill(-1);
        for (const char c : text) token_of[static_cast<unsigned char>(c)] = 0;
        for (std::size_t byte = 0; byte < 256; ++byte)
            if (token_of[byte] == 0) {
                token_of[byte] = std::int32_t(of_token.size());
                of_token.push_back(static_cast<unsigned char>(byte));
            }
    }
    std::vector<std::int32_t> encode(const std::string& text) const {
        std::vector<std::int32_t> tokens;
        for (const char c : text) {
            tokens.push_back(token_of[static_cast<unsigned char>(c)]);
            require(tokens.back() >= 0, "the prompt '", excerpt(text), "' has a character that the text does not have");
        }
        return tokens;
    }
};

/// Windows of `context` tokens; the last token of one is the first of the next, so that each is predicted once.
Dataset windows(const std::string& name, std::span<const std::int32_t> tokens, std::size_t context, std::size_t most) {
    Dataset data(name);
    for (std::size_t i = 0; i + context <= tokens.size() && data.size() < most; i += context - 1)
        data.append({.token_ids = {tokens.begin() + std::ptrdiff_t(i), tokens.begin() + std::ptrdiff_t(i + context)}});
    require(data.size() > 0, "the text is too short: its ", name, " part has ", tokens.size(),
            " characters, a window has ", context);
    return data;
}

/// Not a curriculum of its own: notes which windows each step saw.
struct NoteOrder {
    static constexpr Family family = Family::curriculum;

    template <class Model>
    struct State {
        std::vector<std::int64_t> windows = {}, ends = {}; ///< all steps' windows; where each step's end among them
        State(const NoteOrder&, const Model&) {}
        void observe(const Batch& batch, std::span<const float>, const Moment& moment) {
            for (const SampleId& id : batch.samples) windows.push_back(id.index);
            ends.resize(moment.step_of_run + 1); // once for each part of a step's samples
            ends.back() = std::int64_t(windows.size());
        }
        void serialize(Archive& archive) { archive("windows", windows), archive("ends", ends); }
    };
};

/// Validates every so many steps, prints, and keeps what it printed.
struct Log {
    Engine<Gpt2>& engine;
    const Dataset& validation;
    std::size_t every;
    nlohmann::json rows = nlohmann::json::array();

    void step(const report::StepReport& report) {
        if (report.step % every != 0 && report.step != report.total_steps) return;
        const double loss = evaluate(engine, validation, 0).loss;
        std::printf("%6zu %10.4f %12.4f %12.3f %9.1f\n", report.step, report.loss, loss, eval::bits_per_byte(loss, 1),
                    report.seconds);
        std::fflush(stdout);
        rows.push_back(
            {{"step", report.step}, {"loss", report.loss}, {"validation", loss}, {"seconds", report.seconds}});
    }
};

/// Draws `count` tokens after `tokens`, each from softmax(logits / temperature).
std::vector<std::int32_t> continued(Engine<Gpt2>& engine, std::vector<std::int32_t> tokens, const Options& o) {
    Random random({.seed = o.seed});
    const Gpt2& model = engine.model();
    for (std::size_t i = 0; i < o.characters; ++i) {
        // The last token of a training window predicts nothing, so its position was not trained.
        const std::size_t length = std::min(o.context - 1, tokens.size());
        Batch batch;
        batch.append(Sample{.token_ids = {tokens.end() - std::ptrdiff_t(length), tokens.end()}}, {});
        engine.arena().reset();
        auto context = engine.context();
        const auto hidden = model.trunk().forward(context, batch, engine.saved().trunk, false);
        const auto logits = context.scratch(1, model.trunk().config().vocab_size);
        model.with_head(
            0, [&](const auto& head) { head.vocabulary().logits(context, hidden.middle_rows(length - 1, 1), logits); });
        const float top = *std::max_element(logits.data, logits.data + logits.cols);
        std::vector<double> sums(logits.cols);
        double sum = 0;
        for (std::size_t j = 0; j < sums.size(); ++j)
            sums[j] = sum += std::exp(double(logits(0, j) - top) / o.temperature);
        const auto drawn = std::upper_bound(sums.begin(), sums.end() - 1, random.uniform() * sum);
        tokens.push_back(std::int32_t(drawn - sums.begin()));
    }
    return tokens;
}

void write_windows(io::SafetensorsWriter& writer, const std::string& name, const Dataset& data,
                   std::vector<std::int32_t>& storage) {
    for (std::size_t i = 0; i < data.size(); ++i)
        storage.insert(storage.end(), data.token_ids(i).begin(), data.token_ids(i).end());
    writer.add(name, {data.size(), data.length(0)}, std::span<const std::int32_t>(storage));
}

void run(const Options& o) {
    const std::string text = o.text.empty() ? sentences(4000) : io::read_file(o.text, std::uint64_t(1) << 30);
    const Characters characters(text);
    const std::vector<std::int32_t> tokens = characters.encode(text);
    const std::vector<std::int32_t> prompt = characters.encode(o.prompt.empty() ? text.substr(0, 1) : o.prompt);
    const std::size_t split = tokens.size() / 10 * 9;
    const Dataset train = windows("training", std::span(tokens).first(split), o.context, tokens.size());
    const Dataset validation = windows("validation", std::span(tokens).subspan(split), o.context, o.validation_windows);

    Gpt2 model(TransformerConfig{.vocab_size = characters.of_token.size(),
                                 .hidden_size = o.hidden,
                                 .num_layers = o.layers,
                                 .num_heads = o.heads,
                                 .intermediate_size = 4 * o.hidden,
                                 .max_positions = o.context,
                                 .layer_norm_epsilon = 1e-5,
                                 .hidden_dropout = 0,
                                 .attention_dropout = 0,
                                 .classifier_dropout = 0,
                                 .activation = "gelu_new"},
               o.seed);
    model.add_head({});
    // What cannot be written is refused now, not at the end.
    for (const std::string& folder : {o.out, o.record})
        if (!folder.empty()) {
            io::make_folder(folder);
            io::AtomicFile(std::filesystem::path(folder) / "model.safetensors");
        }
    std::printf("%zu characters of %zu kinds, %zu windows to train on; %zu parameters\n", text.size(),
                characters.of_token.size(), train.size(), model.parameters().total_parameters());
    if (!o.record.empty()) io::save_pretrained(model, o.record);

    const optimizer::AdamW adamw{.learning_rate = o.learning_rate, .weight_decay = o.weight_decay};
    const schedule::Cosine cosine{.warmup = o.warmup};
    Trainer trainer(model, adamw, cosine, NoteOrder{});
    // `fit` makes a new engine where the number of threads changes, so the log has one of its own.
    Engine<Gpt2> engine(model, o.threads);
    Log log{engine, validation, o.evaluate_every};
    std::printf("%6s %10s %12s %12s %9s\n", "step", "loss", "validation", "bits/char", "seconds");
    trainer.fit(train, {.steps = o.steps, .batch_size = o.batch, .seed = o.seed, .threads = o.threads}, log);

    if (!o.out.empty()) {
        io::save_pretrained(model, o.out);
        io::write_json(std::filesystem::path(o.out) / "characters.json", nlohmann::json(characters.of_token));
    }
    if (!o.record.empty()) {
        const std::filesystem::path folder = o.record;
        const auto& order = trainer.policies().curriculum;
        io::SafetensorsWriter writer(folder / "data.safetensors");
        std::vector<std::int32_t> train_tokens, validation_tokens;
        write_windows(writer, "train", train, train_tokens);
        write_windows(writer, "validation", validation, validation_tokens);
        writer.add("order", {order.windows.size()}, std::span<const std::int64_t>(order.windows));
        writer.add("ends", {order.ends.size()}, std::span<const std::int64_t>(order.ends));
        writer.commit();
        io::write_json(folder / "run.json", nlohmann::json{{"learning_rate", o.learning_rate},
                                                           {"weight_decay", o.weight_decay},
                                                           {"warmup", o.warmup},
                                                           {"max_gradient_norm", TrainingOptions().max_gradient_norm},
                                                           {"rows", log.rows}});
    }
    if (o.characters > 0) {
        std::printf("\n");
        for (const std::int32_t token : continued(engine, prompt, o))
            std::putchar(characters.of_token[std::size_t(token)]);
        std::printf("\n");
    }
    require(std::fflush(stdout) == 0 && std::ferror(stdout) == 0, "standard output cannot be written");
}

}

int main(int argc, char** argv) {
    try {
        run(parse(argc, argv));
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
