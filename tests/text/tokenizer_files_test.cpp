#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "didact/text/tokenizer_json.hpp"

namespace tokenizer_files_test {

using namespace didact;
using namespace didact::text;

namespace {

using Ids = std::vector<std::int32_t>;

/// A folder that is gone at the end of the test.
struct Folder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("didact_tokenizer_" + std::to_string(std::random_device{}()));

    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }

    void put(const char* name, std::string_view content) const {
        std::ofstream(path / name, std::ios::binary)
            .write(content.data(), static_cast<std::streamsize>(content.size()));
    }
    nlohmann::json json(const char* name) const { return nlohmann::json::parse(std::ifstream(path / name)); }
};

std::string error_of(const std::filesystem::path& folder) {
    try {
        load_tokenizer(folder);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

constexpr std::string_view vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n##s\nThe\n中\nÉ\ne\n";

/// A tokenizer.json with one part replaced.
nlohmann::json tokenizer_json(const char* part = nullptr, nlohmann::json value = {}) {
    nlohmann::json json = nlohmann::json::parse(R"({
        "version": "1.0", "truncation": {"max_length": 3}, "padding": {"strategy": {"Fixed": 128}},
        "added_tokens": [{"id": 1, "content": "[CLS]", "special": true, "normalized": false}],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
                       "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "the": 3, "cat": 4, "##s": 5}}
    })");
    if (part) json[nlohmann::json::json_pointer(part)] = std::move(value);
    return json;
}

}

TEST_SUITE("unit") {
    TEST_CASE("vocab.txt alone is an uncased tokenizer") {
        const Folder folder;
        folder.put("vocab.txt", vocabulary);
        const WordPieceTokenizer tokenizer = load_tokenizer(folder.path);
        CHECK(tokenizer.size() == 12);
        CHECK(tokenizer.encode("The cats [MASK] É").ids == Ids{2, 5, 6, 7, 4, 11, 3});
    }

    TEST_CASE("lines of vocab.txt may end in CR LF, and the last in nothing") {
        const Folder folder;
        folder.put("vocab.txt", "[UNK]\r\n[CLS]\r\n[SEP]\r\nthe");
        CHECK(load_tokenizer(folder.path).encode("the").ids == Ids{1, 3, 2});
    }

    TEST_CASE("tokenizer_config.json sets case, accents, ideographs and special tokens") {
        const Folder folder;
        folder.put("vocab.txt", vocabulary);
        folder.put("tokenizer_config.json",
                   R"({"do_lower_case": false, "tokenize_chinese_chars": false, "model_max_length": 64})");
        CHECK(load_tokenizer(folder.path).encode("The É 中 中中").ids == Ids{2, 8, 10, 9, 1, 3});
        CHECK(load_tokenizer(folder.path).options().model_max_length == 64);
        folder.put("tokenizer_config.json",
                   R"({"do_lower_case": false, "strip_accents": true, "model_max_length": 1e30})");
        CHECK(load_tokenizer(folder.path).encode("The É").ids == Ids{2, 8, 1, 3});
        CHECK(load_tokenizer(folder.path).options().model_max_length == 0);
        folder.put("tokenizer_config.json",
                   R"({"strip_accents": null, "cls_token": {"content": "the"}, "sep_token": "cat"})");
        CHECK(load_tokenizer(folder.path).encode("e").ids == Ids{5, 11, 6});
        folder.put("tokenizer_config.json",
                   R"({"added_tokens_decoder": {"12": {"content": "<new>", "special": true}}})");
        CHECK(load_tokenizer(folder.path).encode("e<new>").ids == Ids{2, 11, 12, 3});
    }

    TEST_CASE("an added token that special_tokens_map.json lists is special") {
        const Folder folder;
        folder.put("vocab.txt", vocabulary);
        folder.put("added_tokens.json", R"({"[E1]": 12, "[other]": 13})");
        folder.put("special_tokens_map.json", R"({"additional_special_tokens": ["[E1]"]})");
        const WordPieceTokenizer tokenizer = load_tokenizer(folder.path);
        CHECK(tokenizer.encode("[E1]").ids == Ids{2, 12, 3});
        CHECK(tokenizer.encode("[e1]").ids != Ids{2, 12, 3}); // not found in what is lower-cased
        CHECK(tokenizer.encode("[OTHER]").ids == Ids{2, 13, 3});
        for (const AddedToken& token : *tokenizer.options().added_tokens)
            CHECK(token.special == (token.content != "[other]"));
    }

    TEST_CASE("tokenizer.json goes before vocab.txt; its truncation and padding are left out") {
        const Folder folder;
        folder.put("vocab.txt", vocabulary);
        folder.put("tokenizer.json", tokenizer_json().dump());
        CHECK(load_tokenizer(folder.path).encode("The cats the cats [CLS]").ids == Ids{1, 3, 4, 5, 3, 4, 5, 1, 2});
    }

    TEST_CASE("tokenizer.json: a template with other types and tokens is used as it is") {
        const Folder folder;
        folder.put("tokenizer.json", tokenizer_json("/post_processor", nlohmann::json::parse(R"({
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 2}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                     {"Sequence": {"id": "A", "type_id": 0}}],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]},
                               "[SEP]": {"id": "[SEP]", "ids": [2], "tokens": ["[SEP]"]}}})"))
                                         .dump());
        const WordPieceTokenizer tokenizer = load_tokenizer(folder.path);
        CHECK(tokenizer.encode("the").ids == Ids{1, 3});
        CHECK(tokenizer.encode("the").type_ids == Ids{2, 0});
        CHECK(tokenizer.encode_pair("the", "cat").ids == Ids{4, 2, 3});
        CHECK(tokenizer.encode_pair("the cat", "cat cat", {.max_length = 3}).ids == Ids{4, 2, 3});
    }

    TEST_CASE("tokenizer.json: a template for one text has no second one, one for pairs has both") {
        const Folder folder;
        const auto error = [&](const char* single, const char* pair) {
            nlohmann::json processor = {{"type", "TemplateProcessing"}, {"special_tokens", nlohmann::json::object()}};
            const auto parts = [](std::string_view names) {
                nlohmann::json result = nlohmann::json::array();
                for (const char name : names)
                    result.push_back({{"Sequence", {{"id", std::string(1, name)}, {"type_id", 0}}}});
                return result;
            };
            processor["single"] = parts(single);
            processor["pair"] = parts(pair);
            folder.put("tokenizer.json", tokenizer_json("/post_processor", processor).dump());
            return error_of(folder.path);
        };
        CHECK(error("A", "BA") == "no error");
        CHECK(contains(error("AB", "AB"), "tokenizer.json: the template of single texts has text A 1 times and text B "
                                          "1 times, expected 1 and 0"));
        CHECK(contains(error("B", "AB"), "the template of single texts has text A 0 times"));
        CHECK(contains(error("", "AB"), "the template of single texts has text A 0 times"));
        CHECK(contains(error("A", "AA"),
                       "the template of pairs has text A 2 times and text B 0 times, expected 1 and 1"));
        CHECK(contains(error("A", "B"), "the template of pairs has text A 0 times"));
    }

    TEST_CASE("a component that is not supported is an error that names it and the file") {
        const Folder folder;
        const auto error = [&](const char* part, nlohmann::json value) {
            folder.put("tokenizer.json", tokenizer_json(part, std::move(value)).dump());
            const std::string message = error_of(folder.path);
            CHECK(contains(message, "tokenizer.json"));
            return message;
        };
        CHECK(contains(error("/model/type", "BPE"), "model BPE is not supported; WordPiece is"));
        CHECK(contains(error("/normalizer", {{"type", "NFKC"}}), "normalizer NFKC is not supported"));
        CHECK(contains(error("/pre_tokenizer", {{"type", "Whitespace"}}), "pre_tokenizer Whitespace is not supported"));
        CHECK(contains(error("/pre_tokenizer", nullptr), "pre_tokenizer none is not supported"));
        CHECK(contains(error("/post_processor", {{"type", "RobertaProcessing"}}), "post_processor RobertaProcessing"));
        CHECK(contains(error("/decoder", {{"type", "ByteLevel"}}), "decoder ByteLevel is not supported"));
    }

    TEST_CASE("a malformed file is an error that names file and part") {
        const Folder folder;
        const auto error = [&](const nlohmann::json& json) {
            folder.put("tokenizer.json", json.dump());
            return error_of(folder.path);
        };
        CHECK(contains(error_of(folder.path), "has neither tokenizer.json nor vocab.txt"));
        CHECK(contains(error_of(folder.path / "nowhere"), "nowhere: there is no such folder"));
        folder.put("tokenizer.json", "{\"model\": ");
        CHECK(contains(error_of(folder.path / "tokenizer.json"), "tokenizer.json: there is no such folder"));
        CHECK(contains(error_of(folder.path), "tokenizer.json:1:"));
        CHECK(contains(error_of(folder.path), ": not valid JSON: "));
        folder.put("tokenizer.json", "{\n  \"model\": {\"vocab\": {\"the\": 1, \"a\": 2, \"the\": 3}}}");
        CHECK(contains(error_of(folder.path), "tokenizer.json:2:"));
        CHECK(contains(error_of(folder.path), "key 'the' stands twice in one object"));
        CHECK(contains(error(nlohmann::json::array()), "tokenizer.json: expected a JSON object, found array"));
        CHECK(contains(error(nlohmann::json::object()), "key 'model' not found"));
        CHECK(contains(error(tokenizer_json("/model/vocab", nlohmann::json::array({1}))),
                       "model.vocab: expected an object"));
        CHECK(contains(error(tokenizer_json("/model/vocab/the", -1)), "model.vocab: 'the' has id -1"));
        CHECK(contains(error(tokenizer_json("/model/vocab/the", 1LL << 40)), "'the' has id 1099511627776"));
        CHECK(contains(error(tokenizer_json("/model/vocab/the", 4)), "both have id 4"));
        CHECK(contains(error(tokenizer_json("/model/vocab/the", 16000000)), "'the' has id 16000000 among 6 tokens"));
        CHECK(contains(error(tokenizer_json("/model/vocab/the", "x")), "model.vocab: 'the' is the string \"x\""));
        CHECK(contains(error(tokenizer_json("/model/vocab/the", 3.9)), "model.vocab: 'the' is 3.9"));
        CHECK(contains(error(tokenizer_json("/model/max_input_chars_per_word", -1)),
                       "model: 'max_input_chars_per_word' is -1"));
        CHECK(contains(error(tokenizer_json("/added_tokens/0/id", 4294967297)), "added_tokens: 'id' is 4294967297"));
        CHECK(contains(error(tokenizer_json("/model/unk_token", "<unk>")), "has no unknown token '<unk>'"));
        CHECK(contains(error(tokenizer_json("/added_tokens/0/id", 4)),
                       "added token '[CLS]' has id 4, which is that of 'cat'"));
        CHECK(contains(error(tokenizer_json("/post_processor/cls/1", 77)), "no token has the id 77"));
        std::filesystem::remove(folder.path / "tokenizer.json");
        folder.put("vocab.txt", "");
        CHECK(contains(error_of(folder.path), "vocab.txt: the vocabulary is empty"));
        folder.put("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\na\n");
        CHECK(contains(error_of(folder.path), "vocab.txt: vocabulary entries 3 and 4 are both 'a'"));
        folder.put("vocab.txt", "[CLS]\n[SEP]\n");
        CHECK(contains(error_of(folder.path), "has no unknown token '[UNK]'"));
        folder.put("vocab.txt", vocabulary);
        folder.put("tokenizer_config.json", R"({"do_lower_case": "yes"})");
        CHECK(contains(error_of(folder.path), "type must be boolean"));
        folder.put("tokenizer_config.json", R"({"added_tokens_decoder": {"-5": {"content": "x"}}})");
        CHECK(contains(error_of(folder.path), "added_tokens_decoder: '-5' is not an id"));
        folder.put("tokenizer_config.json", R"({"word_tokenizer_type": "mecab"})");
        CHECK(contains(error_of(folder.path), "vocab.txt: 'word_tokenizer_type' is the string \"mecab\" in "
                                              "tokenizer_config.json, only \"basic\" is supported"));
        folder.put("tokenizer_config.json", R"({"auto_map": {"AutoTokenizer": ["own.Tokenizer", null]}})");
        CHECK(contains(error_of(folder.path), "'auto_map' of tokenizer_config.json"));
        folder.put("tokenizer_config.json", R"({"word_tokenizer_type": "basic", "subword_tokenizer_type": null})");
        CHECK(error_of(folder.path) == "no error");
    }

    TEST_CASE("ids may have gaps, which no text gets") {
        const Folder folder;
        folder.put("tokenizer.json", tokenizer_json("/model/vocab/late", 9).dump());
        const WordPieceTokenizer tokenizer = load_tokenizer(folder.path);
        CHECK(tokenizer.size() == 10);
        CHECK(tokenizer.encode("late").ids == Ids{1, 9, 2});
        CHECK_THROWS_AS(tokenizer.token_of(7), Error);
    }

    TEST_CASE("a tokenizer that was saved is the same when it is loaded, from either file") {
        WordPieceOptions options;
        options.normalizer = {.strip_accents = true, .lowercase = false};
        options.model_max_length = 128;
        options.added_tokens = {{"[MASK]", 4},
                                {.content = "<é>", .id = 12, .special = false, .normalized = true, .lstrip = true}};
        const Folder folder;
        folder.put("vocab.txt", vocabulary);
        const WordPieceTokenizer tokenizer(tokenizer_files::read_vocabulary(folder.path / "vocab.txt"), options);
        const Folder saved;
        save_tokenizer(saved.path / "new", tokenizer);
        const std::string_view text = "The the cats 中 É  <é>[MASK] [SEP] e";
        const WordPieceTokenizer from_json = load_tokenizer(saved.path / "new");
        CHECK(from_json.options() == tokenizer.options());
        CHECK(from_json.encode(text) == tokenizer.encode(text));
        std::filesystem::remove(saved.path / "new" / "tokenizer.json");
        // Without tokenizer.json the special tokens that the configuration names are added tokens too.
        const WordPieceTokenizer from_lines = load_tokenizer(saved.path / "new");
        CHECK(from_lines.options().normalizer == options.normalizer);
        CHECK(from_lines.encode("The the cats 中 É  <é>[MASK] e") ==
              tokenizer.encode("The the cats 中 É  <é>[MASK] e"));
        for (const auto& entry : std::filesystem::directory_iterator(saved.path / "new"))
            CHECK(entry.path().extension() != ".tmp");
    }

    TEST_CASE("saving says by which class transformers is to read it") {
        const Folder folder;
        const std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"};
        save_tokenizer(folder.path, WordPieceTokenizer(tokens));
        CHECK(folder.json("tokenizer_config.json").at("tokenizer_class") == "BertTokenizer");
        CHECK(folder.json("special_tokens_map.json").at("cls_token") == "[CLS]");
        CHECK_FALSE(folder.json("special_tokens_map.json").contains("mask_token"));
        CHECK(folder.json("tokenizer.json").at("model").at("vocab").at("a") == 4);
        save_tokenizer(folder.path, WordPieceTokenizer(tokens, {.max_input_chars_per_word = 7}));
        CHECK(folder.json("tokenizer_config.json").at("tokenizer_class") == "PreTrainedTokenizerFast");
    }

    TEST_CASE("saving that fails leaves no half a file behind, and a folder is no file to read") {
        const Folder folder;
        const WordPieceTokenizer tokenizer({"[UNK]", "[CLS]", "[SEP]"});
        std::filesystem::create_directories(folder.path / "tokenizer.json" / "taken");
        CHECK_THROWS_AS(save_tokenizer(folder.path, tokenizer), Error);
        for (const auto& entry : std::filesystem::directory_iterator(folder.path))
            CHECK(entry.path().extension() != ".tmp");
        CHECK(contains(error_of(folder.path), "tokenizer.json: is a folder, a file was expected"));
    }

    TEST_CASE("saving where no folder can be is an error that names it") {
        const Folder folder;
        folder.put("file", "");
        CHECK_THROWS_AS(
            save_tokenizer(folder.path / "file" / "inside", WordPieceTokenizer({"[UNK]", "[CLS]", "[SEP]"})), Error);
    }
}

}
