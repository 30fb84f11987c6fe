#include <doctest/doctest.h>

#include "workplace.hpp"

namespace finetune_refusals_test {

namespace {

/// A workplace with models and files that each have one fault.
struct Faulty : Workplace {
    Faulty() {
        copy_model("no-config", {"config.json"});
        copy_model("no-weights", {"model.safetensors"});
        copy_model("no-vocabulary", {"vocab.txt", "tokenizer.json"});
        copy_model("cut-off", {});
        std::filesystem::resize_file(path / "cut-off/model.safetensors", 3000);
        const auto with_size = [&](const std::string& name, const char* size, int value) {
            copy_model(name, {});
            nlohmann::json config = json("model/config.json");
            config[size] = value;
            file(name + "/config.json", config.dump());
        };
        with_size("small-vocabulary", "vocab_size", 20);
        with_size("one-type", "type_vocab_size", 1);
        with_size("no-types", "type_vocab_size", 0);
        std::filesystem::create_directory(path / "taken");
        std::filesystem::create_directory(path / "taken/model.safetensors");

        file("train.xlsx", "text\tlabel\na\tb\n");
        file("empty.tsv", "");
        file("header.tsv", "text\tlabel\n");
        file("short.tsv", "text\tlabel\nthe film\tgood\nthe house\n");
        file("bytes.tsv", "text\tlabel\nthe \xff film\tgood\n");
        file("twice.tsv", "text\ttext\na\tb\n");
        file("blank.tsv", "text\tlabel\n \tgood\nthe film\tbad\n");
        file("unlabelled.tsv", "text\tlabel\nthe film\tgood\nthe house\t\n");
        file("new.tsv", "text\tlabel\nthe film\tgood\nthe house\tstrange\n");
        file("same.tsv", "text\tlabel\nthe film\tgood\nthe house\tgood\n");
        file("open.csv", "text,label\n\"the film,good\n");
        file("broken.jsonl", "{\"text\": \"a\", \"label\": \"b\"}\n{\"text\": \n");
        file("partial.jsonl", "{\"text\": \"a\", \"label\": \"b\"}\n{\"text\": \"c\"}\n");
        file("wrong.conll", "the O\nfilm\n");
        file("same.conll", "the O\nfilm O\n");
        file("new.conll", "the O\nfilm B-Other\n");
        file("broken.json", "{\"data\": [");
        file("moved.json", R"({"data": [{"paragraphs": [{"context": "the film", "qas": [{"id": "7", "question": "q",
                               "answers": [{"text": "film", "answer_start": 5}]}]}]}]})");
        std::filesystem::create_directories(path / "empty-out/checkpoints");
    }
};

const std::string defaults = "--model model --train train.tsv --test test.tsv --epochs 1 --max-length 16 --threads 1 "
                             "--out out ";
const std::string spans = "--task span --train train.json --test test.json ";

struct Case {
    std::string changes, message;
};

const Faulty& workplace() {
    static const Faulty made;
    return made;
}

/// Each ends with 2 and this one line, and leaves nothing behind.
void check_refused(const std::vector<Case>& cases) {
    const Faulty& here = workplace();
    const auto before = here.listing();
    for (const auto& [changes, message] : cases) {
        CAPTURE(changes);
        const Ended ended = run(FINETUNE, with(defaults, changes), here.path);
        CHECK(ended.code == 2);
        CHECK(ended.err == "finetune: " + message + "\n");
        CHECK(ended.out == "");
        CHECK(here.listing() == before);
    }
}

}

TEST_SUITE("unit") {
    TEST_CASE("finetune refuses a model that is not whole") {
        check_refused({
            {"--model missing", "missing/config.json: there is no such file"},
            {"--model no-config", "no-config/config.json: there is no such file"},
            {"--model no-weights", "no-weights: has neither model.safetensors nor model.safetensors.index.json"},
            {"--model no-vocabulary", "no-vocabulary: has neither tokenizer.json nor vocab.txt"},
            {"--model cut-off", "cut-off/model.safetensors: its header says that it has 4456 bytes, the file has 2992 "
                                "after the first 8: it is cut off"},
            {"--model small-vocabulary",
             "small-vocabulary: the tokenizer has 101 tokens, the model a vocabulary of 20"},
            {"--model no-types", "no-types/config.json: type_vocab_size is 0"},
            {"--model one-type --second-text-column label",
             "one-type: the model has 1 token types, pairs of texts need two"},
            {"--max-length 49", "--max-length 49: the model has 48 positions"},
        });
    }

    TEST_CASE("finetune refuses a table that is not what the task needs, and names file, line or column") {
        check_refused({
            {"--train missing.tsv", "missing.tsv: there is no such file"},
            {"--test missing.tsv", "missing.tsv: there is no such file"},
            {"--valid missing.tsv", "missing.tsv: there is no such file"},
            {"--train model", "model: is a folder, a file was expected"},
            {"--train train.xlsx", "train.xlsx: its name ends in '.xlsx', a table's in .tsv, .csv or .jsonl"},
            {"--train train.conll", "train.conll: its name ends in '.conll', a table's in .tsv, .csv or .jsonl"},
            {"--text-column words", "train.tsv: there is no column 'words'; there are 'text', 'label'"},
            {"--label-column class", "train.tsv: there is no column 'class'; there are 'text', 'label'"},
            {"--second-text-column other", "train.tsv: there is no column 'other'; there are 'text', 'label'"},
            {"--valid-share 0.01", "--valid-share: train.tsv: random_split: 0.01 of 24 samples are 0, which leaves one "
                                   "part empty"},
            {"--valid valid.tsv --valid-share 0.2", "--valid and --valid-share exclude each other"},
            {"--curriculum competence:given", "--curriculum competence:given needs --difficulty-column"},
            {"--difficulty-column label",
             "--difficulty-column goes with --curriculum competence:given or mastery:given"},
            {"--task tag --text-column text", "--text-column is for --task classify; other data has no columns"},
            {"--task tag --class-weights", "--class-weights is for --task classify"},
            {"--freeze l2sp --prefix-cache states",
             "--prefix-cache: with --freeze l2sp no layer is frozen whose output could be kept"},
            {"--prefix-cache states",
             "--prefix-cache: with --freeze none no layer is frozen whose output could be kept"},
            {"--curriculum mastery:given --difficulty-column level",
             "train.tsv: there is no column 'level'; there are 'text', 'label'"},
            {"--curriculum competence:given --difficulty-column label",
             "train.tsv:2: the difficulty is 'bad', a number from 0 to 1 was expected"},
            {"--train empty.tsv", "empty.tsv: is empty"},
            {"--train header.tsv", "header.tsv: has no rows"},
            {"--train short.tsv", "short.tsv:3: has 1 fields, expected 2 as in the first line"},
            {"--train bytes.tsv", "bytes.tsv:2:5: not valid UTF-8: byte 0xFF"},
            {"--train twice.tsv", "twice.tsv:1: column 'text' stands twice"},
            {"--train blank.tsv", "blank.tsv:2: the text is empty"},
            {"--train unlabelled.tsv", "unlabelled.tsv:3: the label is empty"},
            {"--train open.csv", "open.csv:2: a quote is opened and never closed"},
            {"--train broken.jsonl", "broken.jsonl:2:10: not valid JSON: while parsing value - unexpected end of "
                                     "input; expected '[', '{', or a literal"},
            {"--train partial.jsonl", "partial.jsonl:2: 'label' is missing in this line, other lines have it"},
            {"--train same.tsv", "same.tsv: a classification needs two labels or more, there is only 'good'"},
            {"--test new.tsv", "new.tsv:3: label 'strange' is none of the 2 labels of the training data ('bad', "
                               "'good')"},
            {"--valid new.tsv", "new.tsv:3: label 'strange' is none of the 2 labels of the training data ('bad', "
                                "'good')"},
        });
    }

    TEST_CASE("finetune refuses sentences and questions that are none") {
        check_refused({
            {"--task tag", "train.tsv: its name ends in '.tsv', --task tag reads CoNLL files, one word and its tag a "
                           "line"},
            {"--task tag --train wrong.conll --test test.conll",
             "wrong.conll:2: has 1 columns, lines before it have 2"},
            {"--task tag --train same.conll --test test.conll",
             "same.conll: tagging needs two tags or more, there is only 'O'"},
            {"--task tag --train train.conll --test new.conll",
             "new.conll:2: label 'B-Other' is none of the 3 labels of the training data ('B-Thing', 'I-Thing', 'O')"},
            {"--task span --train broken.json --test test.json",
             "broken.json:1:11: not valid JSON: while parsing value - unexpected end of input; expected '[', '{', or a "
             "literal"},
            {"--task span --train moved.json --test test.json",
             "moved.json: question '7': answer 'film' starts at 5, the context has there 'ilm'"},
            {"--task span", "train.tsv:1:2: not valid JSON: while parsing value - invalid literal; last read: 'te'"},
            {spans + "--max-length 8", "train.json: question 'q0': max_length 8 leaves 0 tokens for the context beside "
                                       "a question of 7 tokens; a stride of 64 needs more"},
        });
    }

    TEST_CASE("finetune refuses a flag that is wrong, and says what was expected") {
        const std::string end = " (finetune --help lists the flags)";
        check_refused({
            {"--unknown", "The following argument was not expected: --unknown" + end},
            {"---train", "--train is required" + end},
            {"---test", "--test is required" + end},
            {"---model", "--model is required" + end},
            {"--task poem", "--task: poem not in {classify,tag,span}" + end},
            {"--epochs 0", "--epochs: Value 0 not in range 1 to 1000000" + end},
            {"--batch -1", "--batch: Value -1 not in range 1 to 1000000" + end},
            {"--batch many", "--batch: Value many not in range 1 to 1000000" + end},
            {"--threads 4096", "--threads: Value 4096 not in range 0 to 1024" + end},
            {"--lr nan", "--lr: 'nan' was found, a number above 0 was expected" + end},
            {"--lr 0", "--lr: '0' was found, a number above 0 was expected" + end},
            {"--lr -1", "--lr: '-1' was found, a number above 0 was expected" + end},
            {"--clip nan", "--clip: 'nan' was found, a number from 0 was expected" + end},
            {"--label-smoothing 1", "--label-smoothing: '1' was found, a number from 0 to 0.99 was expected" + end},
            {"--max-length 2", "--max-length: Value 2 not in range 8 to 100000" + end},
            {"--limit -1", "--limit: Value -1 not in range 0 to 1000000000" + end},
            {"--seed -1", "--seed: Value -1 not in range 0 to 9223372036854775807" + end},
            {"--patience x", "--patience: Value x not in range 0 to 1000000000" + end},
            {"--epochs 1 --epochs 2", "--epochs: At Most 1 required but received 2" + end},
            {"--precision fp16", "--precision: fp16 not in {fp32,bf16}" + end},
            {"extra", "The following argument was not expected: extra" + end},
            {"--patience 2", "--patience needs --valid or --valid-share"},
            {"---out --resume", "--checkpoint-every, --resume and --tensorboard need --out"},
            {"--resume", "--resume: out/checkpoints: there is no checkpoint to go on from"},
            {"--resume --out empty-out", "--resume: empty-out/checkpoints: there is no checkpoint to go on from"},
        });
    }

    TEST_CASE("finetune refuses a strategy that does not exist, lacks a number, or does not fit the model") {
        const std::string frozen =
            "none, discriminative, l2sp, lora, embeddings, prefix, all-but-head, gradual-unfreeze";
        check_refused({
            {"--freeze ice", "--freeze ice: it is none of " + frozen},
            {"--freeze prefixes", "--freeze prefixes: it is none of " + frozen},
            {"--freeze prefix:999", "--freeze prefix:999: freeze::Prefix: layers is 999, the model has 2"},
            {"--freeze prefix:abc", "--freeze prefix:abc: prefix: layers is 'abc', a whole number was expected"},
            {"--freeze prefix:-1", "--freeze prefix:-1: prefix: layers is '-1', a whole number was expected"},
            {"--freeze prefix:depth=1", "--freeze prefix:depth=1: prefix: there is no 'depth'; it has layers, dropout"},
            {"--freeze l2sp:nan", "--freeze l2sp:nan: l2sp: alpha is 'nan', a number was expected"},
            {"--freeze prefix:", "--freeze prefix:: prefix: layers is '', a whole number was expected"},
            {"--freeze lora:8,16", "--freeze lora:8,16: '16' has no name, as the first value alone may"},
            {"--freeze lora:8,rank=4", "--freeze lora:8,rank=4: rank is given twice"},
            {"--freeze lora:rank=0", "--freeze lora:rank=0: freeze::Lora: rank is 0"},
            {"--freeze lora:targets=nothing", "--freeze lora:targets=nothing: freeze::Lora: no layer's name ends with "
                                              "'nothing'; one is called 'bert.encoder.layer.1.output.dense'"},
            {"--freeze none:1", "--freeze none:1: none: there is no ''; it has no hyper-parameters"},
            {"--curriculum fun",
             "--curriculum fun: it is none of none, competence:length, competence:rarity, competence:loss, "
             "competence:random, competence:given, competence:reversed-length, mastery:length, mastery:loss, "
             "mastery:given"},
            {"--precision bf16 --freeze l2sp",
             "--freeze l2sp: it is none of none, prefix, all-but-head, lora (with --precision bf16)"},
            {"--precision bf16 --curriculum mastery:loss",
             "--curriculum mastery:loss: it is none of none (with --precision bf16)"},
            {"--curriculum mastery:length",
             "--curriculum mastery:length has 3 stages and needs as many epochs; --epochs is 1"},
            {"--curriculum competence:length,initial=2",
             "--curriculum competence:length,initial=2: curriculum::Competence: initial is 2, it must be in (0, 1]"},
        });
    }

    TEST_CASE("finetune refuses an output that cannot be written before it trains") {
        check_refused({
            {"--out train.tsv/below", "train.tsv/below: this folder cannot be made: Not a directory"},
            {"--freeze prefix:1 --prefix-cache train.tsv", "train.tsv: this folder cannot be made: Not a directory"},
            {"--out train.tsv", "train.tsv: this folder cannot be made: Not a directory"},
            {"--out /proc", "/proc/model.safetensors: cannot be written: there is no folder '/proc'"},
            {"--out taken", "taken/model.safetensors: is a folder, cannot be written as a file"},
            {"--out taken --json missing/metrics.json",
             "taken/model.safetensors: is a folder, cannot be written as a file"},
            {"--out model --json missing/metrics.json",
             "missing/metrics.json: cannot be written: there is no folder 'missing'"},
            {"--out model --json taken", "taken: is a folder, cannot be written as a file"},
        });
    }
}

}
