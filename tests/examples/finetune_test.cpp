#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "workplace.hpp"

namespace finetune_test {

namespace {

using Json = nlohmann::json;

const std::string defaults = "--model model --train train.tsv --test test.tsv --epochs 2 --batch 8 --lr 1e-3 "
                             "--max-length 24 --seed 1 --threads 1 --json - ";

const Workplace& workplace() {
    static const Workplace made;
    return made;
}

/// What a run that goes well writes to standard output.
Json metrics_of(const std::string& changes) {
    CAPTURE(changes);
    const Ended ended = run(FINETUNE, with(defaults, changes), workplace().path);
    CHECK(ended.err == "");
    REQUIRE(ended.code == 0);
    CHECK(std::count(ended.out.begin(), ended.out.end(), '\n') == 1);
    return Json::parse(ended.out);
}

/// Without what differs from run to run.
Json untimed(Json metrics) {
    for (const char* key : {"train_seconds", "tokens_per_second", "peak_memory_mb"}) CHECK(metrics.erase(key) == 1);
    return metrics;
}

void check_share(const Json& metrics, const char* key) {
    CAPTURE(key);
    REQUIRE(metrics.contains(key));
    REQUIRE(metrics[key].is_number());
    CHECK((metrics[key] >= 0 && metrics[key] <= 1));
}

/// The lines of a run's metrics.jsonl, without times.
std::vector<Json> lines_of(const std::string& folder) {
    std::istringstream lines(didact::io::read_file(workplace().path / folder / "metrics.jsonl"));
    std::vector<Json> result;
    for (std::string line; std::getline(lines, line);) {
        result.push_back(Json::parse(line));
        CHECK(result.back().erase("seconds") == 1);
    }
    return result;
}

std::string weights(const std::string& folder) {
    return didact::io::read_file(workplace().path / folder / "model.safetensors");
}

}

TEST_SUITE("unit") {
    TEST_CASE("finetune --json has the metrics of the task, and what the run cost") {
        const Json metrics = metrics_of("--quiet");
        check_share(metrics, "accuracy");
        check_share(metrics, "macro_f1");
        for (const char* key : {"loss", "train_seconds", "tokens_per_second", "peak_memory_mb"}) {
            REQUIRE(metrics[key].is_number());
            CHECK(metrics[key] > 0);
        }
        CHECK(metrics["seed"] == 1);
        CHECK(metrics["train_rows"] == 24);
        CHECK(metrics["test_rows"] == 12);
        CHECK(metrics["steps"] == 6);
        CHECK(metrics["trainable_parameters"] == metrics["total_parameters"]);

        const Json tags = metrics_of("--quiet --task tag --train train.conll --valid valid.conll --test test.conll");
        check_share(tags, "entity_f1");
        check_share(tags, "accuracy");
        CHECK(tags["validation"].size() == 2);
        const Json spans = metrics_of("--quiet --task span --train train.json --valid valid.json --test test.json");
        CHECK(spans["exact_match"] <= spans["f1"]);
        CHECK(spans["f1"].is_number());
    }

    TEST_CASE("finetune learns: many epochs tell the labels apart") {
        CHECK(metrics_of("--quiet --epochs 40 --lr 5e-3")["accuracy"] == 1);
        CHECK(metrics_of(
                  "--quiet --epochs 40 --lr 5e-3 --task tag --train train.conll --test test.conll")["entity_f1"] == 1);
    }

    TEST_CASE("finetune gives the same for the same rows as .tsv, .csv and .jsonl, one thread and two, and not for "
              "another seed") {
        const Json tsv = untimed(metrics_of("--quiet --out out-tsv"));
        CHECK(untimed(metrics_of("--quiet --train train.csv --test test.jsonl --out out-csv")) == tsv);
        CHECK(untimed(metrics_of("--quiet --train train.jsonl --test test.csv --out out-jsonl --threads 2")) == tsv);
        CHECK(weights("out-csv") == weights("out-tsv"));
        CHECK(weights("out-jsonl") == weights("out-tsv"));
        metrics_of("--quiet --out out-seed --seed 2");
        CHECK(weights("out-seed") != weights("out-tsv"));
    }

    TEST_CASE("every strategy that finetune --help names trains") {
        const Ended help = run(FINETUNE, "--help", workplace().path);
        const std::size_t all = metrics_of("--quiet")["total_parameters"];
        for (const std::string freeze : {"none", "embeddings", "prefix:1", "all-but-head", "gradual-unfreeze",
                                         "discriminative:0.8", "l2sp", "lora:rank=2,alpha=4"}) {
            CAPTURE(freeze);
            CHECK(help.out.find(freeze.substr(0, freeze.find(':'))) != std::string::npos);
            const std::size_t trained = metrics_of("--quiet --freeze " + freeze)["trainable_parameters"];
            const bool everything = freeze == "none" || freeze == "l2sp" || freeze[0] == 'd';
            CHECK((everything ? trained == all : trained < all));
            CHECK(trained > 0);
        }
        for (const std::string curriculum :
             {"none", "competence:length", "competence:rarity", "competence:loss", "competence:random",
              "competence:reversed-length", "mastery:length", "mastery:loss"}) {
            CAPTURE(curriculum);
            CHECK(help.out.find(curriculum) != std::string::npos);
            CHECK(metrics_of("--quiet --epochs 3 --freeze prefix:1 --curriculum " + curriculum)["steps"] == 9);
        }
        metrics_of("--quiet --curriculum competence:length,initial=0.5,power=1");
    }

    TEST_CASE("finetune --precision bf16 trains with the strategies that it names, and says so") {
        for (const std::string freeze : {"none", "prefix:1", "all-but-head", "lora:rank=2,alpha=4"}) {
            CAPTURE(freeze);
            const Json bf16 = metrics_of("--quiet --precision bf16 --freeze " + freeze);
            const Json fp32 = metrics_of("--quiet --freeze " + freeze);
            CHECK(bf16["precision"] == "bf16");
            CHECK(fp32["precision"] == "fp32");
            CHECK(bf16["trainable_parameters"] == fp32["trainable_parameters"]);
            CHECK(double(bf16["loss"]) == doctest::Approx(double(fp32["loss"])).epsilon(0.05));
        }
        CHECK(metrics_of("--quiet --precision bf16 --epochs 40 --lr 5e-3")["accuracy"] == 1);
    }

    TEST_CASE("finetune --prefix-cache keeps the outputs of frozen layers for the next run") {
        const Json without = untimed(metrics_of("--quiet --freeze prefix:1"));
        for (int run = 0; run < 2; ++run) {
            CHECK(untimed(metrics_of("--quiet --freeze prefix:1 --prefix-cache states")) == without);
            const auto folder = std::filesystem::directory_iterator(workplace().path / "states");
            CHECK(std::distance(folder, {}) == 1);
        }
    }

    TEST_CASE("finetune --limit trains on so many rows, and on all where there are no more") {
        CHECK(metrics_of("--quiet --limit 5")["train_rows"] == 5);
        CHECK(metrics_of("--quiet --limit 500")["train_rows"] == 24);
        CHECK(metrics_of("--quiet --limit 6 --task tag --train train.conll --test test.conll")["train_rows"] == 6);
    }

    TEST_CASE("finetune takes pairs of texts, class weights, accumulation and early stopping") {
        CHECK(metrics_of("--quiet --second-text-column label")["accuracy"].is_number());
        CHECK(metrics_of("--quiet --class-weights --accumulation 2 --label-smoothing 0.1 --clip 0")["steps"] == 4);
        const Json stopped = metrics_of("--quiet --valid valid.tsv --patience 1 --lr 1e-9 --epochs 9");
        CHECK(stopped["validation"].size() == 2);
    }

    TEST_CASE("finetune --valid-share holds out training rows for validation") {
        const Json metrics = metrics_of("--quiet --valid-share 0.25");
        CHECK(metrics["train_rows"] == 18);
        CHECK(metrics["validation"].size() == 2);
        const Json limited = metrics_of("--quiet --valid-share 0.5 --limit 10 --patience 1 --lr 1e-9 --epochs 9");
        CHECK(limited["train_rows"] == 5);
        CHECK(limited["validation"].size() == 2);
        for (const char* task :
             {"--task tag --train train.conll --test test.conll", "--task span --train train.json --test test.json"}) {
            const Json other = metrics_of(std::string("--quiet --valid-share 0.25 ") + task);
            CHECK(other["train_rows"] == 18);
            CHECK(other["validation"].size() == 2);
        }
    }

    TEST_CASE("finetune --difficulty-column gives a curriculum the rows' own levels") {
        std::string graded = "text\tlabel\tlevel\n", reversed = graded;
        for (std::size_t i = 0; i < 24; ++i)
            for (auto* table : {&graded, &reversed})
                *table += Workplace::text(i) + "\t" + Workplace::label(i) + "\t" +
                          std::to_string(table == &graded ? double(i) / 24 : 1 - double(i) / 24) + "\n";
        workplace().file("graded.tsv", graded), workplace().file("reversed.tsv", reversed);
        const std::string flags =
            "--quiet --curriculum competence:given,initial=0.2 --difficulty-column level --train ";
        const Json easy = metrics_of(flags + "graded.tsv");
        CHECK(easy["curriculum"].get<std::string>().starts_with("competence:given(initial=0.2"));
        CHECK(easy["loss"] != metrics_of(flags + "reversed.tsv")["loss"]);
    }

    TEST_CASE("finetune writes a line of metrics.jsonl for every step and every epoch") {
        metrics_of("--quiet --valid valid.tsv --out lines");
        std::istringstream lines(didact::io::read_file(workplace().path / "lines/metrics.jsonl"));
        std::size_t steps = 0, epochs = 0;
        for (std::string line; std::getline(lines, line);) {
            const Json json = Json::parse(line);
            steps += json["event"] == "step";
            epochs += json["event"] == "epoch" && json["metrics"].contains("accuracy");
        }
        CHECK(steps == 6);
        CHECK(epochs == 2);
    }

    TEST_CASE("what finetune saves opens again as its model") {
        const Json first = metrics_of("--quiet --out saved --tensorboard");
        CHECK(std::filesystem::exists(workplace().path / "saved/tensorboard"));
        const Json run = workplace().json("saved/run.json");
        CHECK(run["result"] == first);
        CHECK(run["fresh_tensors"] == // the model that this starts from has no pooler
              Json{"bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"});
        CHECK(run["clip"] == 1.0);
        CHECK(workplace().json("saved/config.json")["id2label"]["1"] == "good");
        const Json again = metrics_of("--quiet --model saved --epochs 1 --lr 1e-12");
        CHECK(again["accuracy"] == first["accuracy"]);
        CHECK(double(again["loss"]) == doctest::Approx(double(first["loss"])).epsilon(1e-4));
        metrics_of("--quiet --out adapted --freeze lora:2");
        CHECK(metrics_of("--quiet --model adapted")["accuracy"].is_number());
    }

    TEST_CASE("finetune --json FILE replaces the file, and without it the metrics go to standard output") {
        workplace().file("metrics.json", "before");
        const Ended ended = run(FINETUNE, with(defaults, "--quiet --json metrics.json"), workplace().path);
        CHECK(ended.code == 0);
        CHECK(ended.out == "");
        CHECK(workplace().json("metrics.json")["accuracy"].is_number());
        const Ended plain = run(FINETUNE, with(defaults, "--quiet ---json"), workplace().path);
        CHECK(Json::parse(plain.out)["loss"] == workplace().json("metrics.json")["loss"]);
        metrics_of("--quiet --json - --out new-out");
        const Ended inside =
            run(FINETUNE, with(defaults, "--quiet --out fresh --json fresh/metrics.json"), workplace().path);
        CHECK(inside.code == 0);
        CHECK(workplace().json("fresh/metrics.json")["seed"] == 1);
    }

    TEST_CASE("finetune shows progress and what was cut on standard error, unless it is told to be quiet") {
        const Ended exact = run(FINETUNE, with(defaults, "--max-length 8"), workplace().path); // of the longest text
        CHECK(exact.code == 0);
        CHECK(exact.err.find("were cut") == std::string::npos);
        const Ended loud = run(FINETUNE, with(defaults, "--max-length 8 --second-text-column label"), workplace().path);
        CHECK(loud.code == 0);
        CHECK(loud.err.find("more than 8 tokens and were cut there") != std::string::npos);
        CHECK(loud.err.find("6 steps") != std::string::npos);
        metrics_of("--quiet --max-length 8");
    }

    TEST_CASE("a training that fails ends with 1, one line, and no file that looks like its result") {
        const Ended ended = run(FINETUNE, with(defaults, "--quiet --lr 1e30 --clip 0 --out failed --json failed.json"),
                                workplace().path);
        CHECK(ended.code == 1);
        CHECK(ended.err.starts_with("finetune: step "));
        CHECK(std::count(ended.err.begin(), ended.err.end(), '\n') == 1);
        CHECK(!std::filesystem::exists(workplace().path / "failed.json"));
        for (const auto& entry : std::filesystem::directory_iterator(workplace().path / "failed"))
            CHECK(entry.path().filename() == "metrics.jsonl");
    }

    TEST_CASE("finetune --help ends with 0 and names every flag") {
        const Ended help = run(FINETUNE, "--help", workplace().path);
        CHECK(help.code == 0);
        CHECK(help.err == "");
        for (const char* flag : {"--model",
                                 "--task",
                                 "--train",
                                 "--valid",
                                 "--valid-share",
                                 "--difficulty-column",
                                 "--test",
                                 "--text-column",
                                 "--second-text-column",
                                 "--label-column",
                                 "--limit",
                                 "--max-length",
                                 "--stride",
                                 "--freeze",
                                 "--curriculum",
                                 "--epochs",
                                 "--batch",
                                 "--accumulation",
                                 "--lr",
                                 "--weight-decay",
                                 "--warmup",
                                 "--clip",
                                 "--label-smoothing",
                                 "--class-weights",
                                 "--patience",
                                 "--seed",
                                 "--threads",
                                 "--out",
                                 "--json",
                                 "--tensorboard",
                                 "--checkpoint-every",
                                 "--resume",
                                 "--quiet"})
            CHECK_MESSAGE(help.out.find(std::string("  ") + flag) != std::string::npos, flag);
    }
}

TEST_SUITE("crash") {
    TEST_CASE("a run that was interrupted ends with 130, and --resume ends with what an unbroken run gives") {
        const std::string changes = "--quiet --epochs 60 --valid valid.tsv --curriculum competence:length --freeze "
                                    "gradual-unfreeze --checkpoint-every ";
        const Json whole = metrics_of(changes + "100000 --out whole");
        const std::filesystem::path checkpoints = workplace().path / "broken/checkpoints";
        Ended ended;
        for (int tries = 0; tries < 5 && ended.code == 0; ++tries) { // it may be over before it is interrupted
            std::filesystem::remove_all(checkpoints);
            Program program(FINETUNE, words(with(defaults, changes + "1 --out broken")), workplace().path);
            while (!program.ended() &&
                   (!std::filesystem::exists(checkpoints) || std::filesystem::is_empty(checkpoints)))
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            program.interrupt();
            ended = program.wait();
        }
        CHECK(ended.code == 130);
        CHECK(ended.out == "");
        CHECK(ended.err.starts_with("finetune: interrupted at step "));
        CHECK(ended.err.ends_with("; --resume goes on from here\n"));
        CHECK(!std::filesystem::exists(workplace().path / "broken/model.safetensors"));
        const Json resumed = metrics_of(changes + "100000 --out broken --resume");
        CHECK(untimed(resumed) == untimed(whole));
        CHECK(weights("broken") == weights("whole"));
        CHECK(lines_of("broken") == lines_of("whole"));
    }
}

}
