#pragma once
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "didact/io/atomic_file.hpp"
#include "didact/io/folder.hpp"
#include "didact/io/json.hpp"
#include "didact/text/wordpiece.hpp"

namespace didact::text {

namespace tokenizer_files {

using Json = nlohmann::json;

inline Json to_json(const AddedToken& token) {
    return {{"content", token.content}, {"single_word", token.single_word}, {"lstrip", token.lstrip},
            {"rstrip", token.rstrip},   {"normalized", token.normalized},   {"special", token.special}};
}

inline Json to_json(const Template& around, const WordPieceTokenizer& tokenizer) {
    Json parts = Json::array();
    for (const TemplatePart& part : around.parts) {
        const bool adds = part.kind == TemplatePart::Kind::added;
        Json content;
        content["id"] = adds                                     ? tokenizer.token_of(part.id)
                        : part.kind == TemplatePart::Kind::first ? std::string("A")
                                                                 : std::string("B");
        content["type_id"] = part.type_id;
        parts.push_back({{adds ? "SpecialToken" : "Sequence", std::move(content)}});
    }
    return parts;
}

inline Json post_processor_json(const WordPieceTokenizer& tokenizer) {
    const WordPieceOptions& options = tokenizer.options();
    Json special_tokens = Json::object();
    for (const Template* around : {&*options.single, &*options.pair})
        for (const TemplatePart& part : around->parts)
            if (part.kind == TemplatePart::Kind::added) {
                const std::string& token = tokenizer.token_of(part.id);
                special_tokens[token] = {{"id", token}, {"ids", {part.id}}, {"tokens", {token}}};
            }
    return {{"type", "TemplateProcessing"},
            {"single", to_json(*options.single, tokenizer)},
            {"pair", to_json(*options.pair, tokenizer)},
            {"special_tokens", std::move(special_tokens)}};
}

inline Json tokenizer_json(const WordPieceTokenizer& tokenizer) {
    const WordPieceOptions& options = tokenizer.options();
    Json added = Json::array();
    for (const AddedToken& token : *options.added_tokens) {
        Json entry = {{"id", token.id}};
        entry.update(to_json(token));
        added.push_back(std::move(entry));
    }
    Json vocabulary = Json::object();
    std::int32_t id = 0;
    for (const std::string& token : tokenizer.vocabulary()) {
        if (!token.empty()) vocabulary[token] = id;
        ++id;
    }
    Json normalizer = {{"type", "BertNormalizer"},
                       {"clean_text", options.normalizer.clean_text},
                       {"handle_chinese_chars", options.normalizer.handle_chinese_chars},
                       {"strip_accents", nullptr},
                       {"lowercase", options.normalizer.lowercase}};
    if (options.normalizer.strip_accents) normalizer["strip_accents"] = *options.normalizer.strip_accents;
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", std::move(added)},
            {"normalizer", std::move(normalizer)},
            {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
            {"post_processor", post_processor_json(tokenizer)},
            {"decoder",
             {{"type", "WordPiece"},
              {"prefix", options.continuing_subword_prefix},
              {"cleanup", options.clean_up_tokenization_spaces}}},
            {"model",
             {{"type", "WordPiece"},
              {"unk_token", options.unk_token},
              {"continuing_subword_prefix", options.continuing_subword_prefix},
              {"max_input_chars_per_word", options.max_input_chars_per_word},
              {"vocab", std::move(vocabulary)}}}};
}

/// Whether transformers' BertTokenizer, which sets these parts itself, would do the same.
inline bool is_plain_bert(const WordPieceTokenizer& tokenizer) {
    const WordPieceOptions& options = tokenizer.options();
    return options.normalizer.clean_text && options.continuing_subword_prefix == "##" &&
           options.max_input_chars_per_word == 100 && tokenizer.id_of(options.cls_token) &&
           tokenizer.id_of(options.sep_token) &&
           *options.single == Template::bert_single(tokenizer.cls_id(), tokenizer.sep_id()) &&
           *options.pair == Template::bert_pair(tokenizer.cls_id(), tokenizer.sep_id());
}

}

/// Writes vocab.txt, tokenizer.json, tokenizer_config.json and special_tokens_map.json, so that
/// `transformers.AutoTokenizer.from_pretrained(folder)` and `load_tokenizer(folder)` give the same ids. The folder is
/// made where it is not there; each file appears whole or not at all. Error, naming the file, where it cannot be
/// written.
inline void save_tokenizer(const std::filesystem::path& folder, const WordPieceTokenizer& tokenizer) {
    using namespace tokenizer_files;
    const WordPieceOptions& options = tokenizer.options();
    io::make_folder(folder);

    std::string lines;
    for (const std::string& token : tokenizer.vocabulary()) (lines += token) += '\n';

    Json names = Json::object();
    for (const auto& [key, token] : {std::pair{"unk_token", &options.unk_token},
                                     {"cls_token", &options.cls_token},
                                     {"sep_token", &options.sep_token},
                                     {"pad_token", &options.pad_token},
                                     {"mask_token", &options.mask_token}})
        if (tokenizer.id_of(*token)) names[key] = *token;

    Json config = {{"tokenizer_class", is_plain_bert(tokenizer) ? "BertTokenizer" : "PreTrainedTokenizerFast"},
                   {"do_lower_case", options.normalizer.lowercase},
                   {"strip_accents", nullptr},
                   {"tokenize_chinese_chars", options.normalizer.handle_chinese_chars},
                   {"clean_up_tokenization_spaces", options.clean_up_tokenization_spaces}};
    if (options.normalizer.strip_accents) config["strip_accents"] = *options.normalizer.strip_accents;
    if (options.model_max_length > 0) config["model_max_length"] = options.model_max_length;
    config.update(names);
    Json decoder = Json::object();
    for (const AddedToken& token : *options.added_tokens) decoder[std::to_string(token.id)] = to_json(token);
    config["added_tokens_decoder"] = std::move(decoder);

    io::write_atomically(folder / "vocab.txt", lines);
    io::write_json(folder / "tokenizer.json", tokenizer_json(tokenizer));
    io::write_json(folder / "special_tokens_map.json", names);
    io::write_json(folder / "tokenizer_config.json", config);
}

}
