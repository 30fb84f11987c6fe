// Does anything grow faster than its arithmetic?
//
//   build/release/benchmarks/scaling --out benchmarks/results
//
// times a training step of a transformer against tokens a step, layers, width and tokens a sequence, each by itself,
// and writes scaling.html. Behind every time stands the number of operations of the mathematics; the exponent of each
// is fitted over the upper half of the points. Ends with 1 where the time's exponent is above that of the arithmetic by
// more than 0.15.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>

#include "didact/backend/cpu.hpp"
#include "didact/io/folder.hpp"
#include "didact/model/arch/bert.hpp"
#include "didact/model/heads/sequence_losses.hpp"
#include "didact/report/html.hpp"
#include "didact/report/svg/line_chart.hpp"
#include "didact/train/trainer.hpp"

namespace {

using namespace didact;

struct Options {
    std::string out = "benchmarks/results";
    std::size_t threads = 0, repetitions = 5;
};

/// One training step: what is varied, and all the rest at its usual size.
struct Point {
    double x = 0;
    std::size_t tokens = 2048, layers = 4, hidden = 256, length = 128;
    double milliseconds = 0;

    /// Multiplications and additions of the blocks, forward and twice as many backward. The last one has what the head
    /// reads, a token of each sequence.
    double operations() const {
        const double h = double(hidden), n = double(tokens), read = n / double(length);
        const auto block = [&](double of_tokens) {
            return 2 * (4 * h * h + 2 * h * 4 * h) * of_tokens + 4 * of_tokens * double(length) * h;
        };
        return 3 * (double(layers - 1) * block(n) + block(read));
    }
};

struct Sweep {
    std::string name, what;
    std::vector<Point> points;
};

std::vector<Sweep> sweeps() {
    const auto vary = [](const char* name, const char* what, std::vector<std::size_t> values, const auto& set) {
        Sweep sweep{name, what, {}};
        for (const std::size_t value : values) {
            Point point;
            point.x = double(value);
            set(point, value);
            sweep.points.push_back(point);
        }
        return sweep;
    };
    return {vary("tokens", "tokens a step", {256, 512, 1024, 2048, 4096, 8192, 16384},
                 [](Point& point, std::size_t value) { point.tokens = value; }),
            vary("layers", "layers", {1, 2, 4, 8, 16}, [](Point& point, std::size_t value) { point.layers = value; }),
            vary("width", "hidden size", {64, 128, 256, 512, 1024},
                 [](Point& point, std::size_t value) { point.hidden = value; }),
            vary("length", "tokens a sequence, 8192 a step", {64, 128, 256, 512, 1024, 2048, 4096, 8192},
                 [](Point& point, std::size_t value) {
                     point.tokens = 8192;
                     point.length = value;
                 })};
}

/// Notes when each step ended.
struct Ends {
    std::vector<double> seconds;
    void step(const report::StepReport& report) { seconds.push_back(report.seconds); }
};

/// The median step in ms, after one that is not counted.
double time_step(const Point& point, const Options& options) {
    TransformerConfig config;
    config.vocab_size = 1000;
    config.hidden_size = point.hidden;
    config.num_layers = point.layers;
    config.num_heads = point.hidden / 64;
    config.intermediate_size = 4 * point.hidden;
    config.max_positions = 8192;
    config.type_vocab_size = 2;
    config.hidden_dropout = config.attention_dropout = config.classifier_dropout = 0;
    Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>> model(config, 1);
    model.add_head({.num_labels = 2});
    Dataset data("random tokens");
    Random random(RandomKey{.purpose = RandomPurpose::data});
    const std::size_t batch_size = point.tokens / point.length;
    for (std::size_t i = 0; i < batch_size; ++i) {
        Sample sample;
        sample.token_ids.resize(point.length);
        for (std::int32_t& id : sample.token_ids) id = std::int32_t(random.below(config.vocab_size));
        sample.labels = {std::int32_t(random.below(2))};
        data.append(sample);
    }
    Trainer trainer(model, schedule::Constant{});
    Ends ends;
    trainer.fit(data, {.steps = options.repetitions + 1, .batch_size = batch_size, .threads = options.threads}, ends);
    std::vector<double> steps;
    for (std::size_t i = 1; i < ends.seconds.size(); ++i)
        steps.push_back((ends.seconds[i] - ends.seconds[i - 1]) * 1e3);
    std::nth_element(steps.begin(), steps.begin() + std::ptrdiff_t(steps.size() / 2), steps.end());
    return steps[steps.size() / 2];
}

/// The slope of log y over log x by least squares, over the upper half of the points.
template <class Value>
double exponent(const Sweep& sweep, const Value& value) {
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (std::size_t i = sweep.points.size() / 2; i < sweep.points.size(); ++i) {
        const double x = std::log(sweep.points[i].x), y = std::log(value(sweep.points[i]));
        n += 1, sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

Options parse(int argc, char** argv) {
    Options o;
    CLI::App app("Times a training step against tokens, layers, width and sequence length.", "scaling");
    app.option_defaults()->always_capture_default();
    app.add_option("--out", o.out, "folder for scaling.html");
    app.add_option("--threads", o.threads, "0: as many as the machine has");
    app.add_option("--repetitions", o.repetitions, "steps of each point, after one that is not counted")
        ->check(CLI::Range(std::size_t(1), std::size_t(1000)));
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        std::exit(app.exit(help));
    } catch (const CLI::ParseError& error) {
        fail(error.what(), " (scaling --help lists the flags)");
    }
    return o;
}

int run(const Options& options) {
    io::make_folder(options.out);
    report::HtmlReport page("How a training step grows",
                            "A BERT of 4 layers, 256 wide, 2048 tokens a step in sequences "
                            "of 128 tokens, of which one thing is varied at a time");
    report::Table summary({"varied", "exponent of the time", "exponent of the arithmetic", "verdict"});
    page.heading("Exponents");
    page.paragraph(
        "Fitted over the upper half of the points. The arithmetic is that of the blocks: products of weights "
        "and attention, forward and backward.");
    std::vector<Sweep> all = sweeps();
    bool grows = false;
    for (Sweep& sweep : all) {
        for (Point& point : sweep.points) {
            point.milliseconds = time_step(point, options);
            std::cerr << "scaling: " << sweep.what << ' ' << point.x << ": " << report::fixed(point.milliseconds, 2)
                      << " ms\n";
        }
        const double time = exponent(sweep, [](const Point& p) { return p.milliseconds; });
        const double arithmetic = exponent(sweep, [](const Point& p) { return p.operations(); });
        const bool faster = time > arithmetic + 0.15;
        grows = grows || faster;
        summary.row({sweep.what, report::Cell(time, 2), report::Cell(arithmetic, 2),
                     faster ? "grows faster than its arithmetic" : "as its arithmetic, or slower"});
    }
    page.table(summary);
    for (const Sweep& sweep : all) {
        page.heading(sweep.what);
        report::Table table({sweep.what, "ms a step", "GFLOP a step", "GFLOP/s"});
        report::Series rate{.name = "GFLOP/s"};
        for (const Point& point : sweep.points) {
            const double gflop = point.operations() * 1e-9;
            table.row({std::size_t(point.x), report::Cell(point.milliseconds, 2), report::Cell(gflop, 1),
                       report::Cell(gflop / point.milliseconds * 1e3, 0)});
            rate.x.push_back(point.x);
            rate.y.push_back(gflop / point.milliseconds * 1e3);
        }
        page.table(table);
        page.figure("What falls to the right would grow faster than its arithmetic.",
                    report::LineChart{.title = "Arithmetic done a second",
                                      .description = "GFLOP/s against " + sweep.what,
                                      .x_label = sweep.what,
                                      .y_label = "GFLOP/s",
                                      .series = {rate},
                                      .log_x = true,
                                      .y_min = 0}
                        .svg());
    }
    page.write(std::filesystem::path(options.out) / "scaling.html");
    std::cout << summary.str() << options.out << "/scaling.html" << std::endl;
    return grows ? 1 : 0;
}

}

int main(int argc, char** argv) {
    try {
        return run(parse(argc, argv));
    } catch (const std::exception& error) {
        std::cerr << "scaling: " << error.what() << '\n';
        return 2;
    }
}
