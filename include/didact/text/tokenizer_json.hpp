#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/io/folder.hpp"
#include "didact/io/json.hpp"
#include "didact/text/tokenizer_save.hpp"
#include "didact/text/wordpiece.hpp"

/// Tokenizers in the files that Hugging Face's transformers and tokenizers read and write.
namespace didact::text {

namespace tokenizer_files {

using Json = nlohmann::json;

inline Json read_object(const std::filesystem::path& path) {
    Json json = io::read_json(path);
    require(json.is_object(), path.string(), ": expected a JSON object, found ", json.type_name());
    return json;
}

inline Json read_object_if_there(const std::filesystem::path& path) {
    return io::is_there(path) ? read_object(path) : Json::object();
}

/// The member, or nothing where it is absent or null.
template <class T>
std::optional<T> optional_member(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found == json.end() || found->is_null() ? std::nullopt : std::optional(found->get<T>());
}

/// "type" of a component of tokenizer.json; "none" where the component is null.
inline std::string type_of(const Json& json, const char* component) {
    const auto found = json.find(component);
    if (found == json.end() || found->is_null()) return "none";
    return found->value("type", std::string("without type"));
}

/// A token in tokenizer_config.json or special_tokens_map.json: text, or an object with its content.
inline std::string content_of(const Json& token) {
    return token.is_object() ? token.at("content").get<std::string>() : token.get<std::string>();
}

inline AddedToken added_token(const Json& json, std::int32_t id) {
    AddedToken token;
    token.content = json.at("content").get<std::string>();
    token.id = id;
    token.special = json.value("special", false);
    token.normalized = json.value("normalized", !token.special);
    token.single_word = json.value("single_word", false);
    token.lstrip = json.value("lstrip", false);
    token.rstrip = json.value("rstrip", false);
    return token;
}

/// Special tokens' names and BERT's normalizer options, where the files give them; they go before tokenizer.json, as in
/// transformers.
inline void apply_config(const Json& special_tokens_map, const Json& config, WordPieceOptions& options) {
    const std::pair<const char*, std::string*> names[] = {{"unk_token", &options.unk_token},
                                                          {"cls_token", &options.cls_token},
                                                          {"sep_token", &options.sep_token},
                                                          {"pad_token", &options.pad_token},
                                                          {"mask_token", &options.mask_token}};
    for (const Json* json : {&special_tokens_map, &config})
        for (const auto& [key, name] : names)
            if (const auto token = optional_member<Json>(*json, key)) *name = content_of(*token);
    BertNormalizer& normalizer = options.normalizer;
    normalizer.lowercase = optional_member<bool>(config, "do_lower_case").value_or(normalizer.lowercase);
    normalizer.handle_chinese_chars =
        optional_member<bool>(config, "tokenize_chinese_chars").value_or(normalizer.handle_chinese_chars);
    if (const auto strip = optional_member<bool>(config, "strip_accents")) normalizer.strip_accents = strip;
    if (const auto length = optional_member<double>(config, "model_max_length"))
        options.model_max_length = *length >= 0 && *length < 1e9 ? static_cast<std::size_t>(*length) : 0;
}

/// Tokens by id from `{"token": id}`. Ids may have gaps, but a few entries do not make a list of millions.
inline std::vector<std::string> vocabulary_of(const Json& vocab) {
    require(vocab.is_object(), "model.vocab: expected an object of tokens and ids, found ", vocab.type_name());
    std::vector<std::string> tokens;
    for (const auto& [token, value] : vocab.items()) {
        const auto id = io::json_value<std::int64_t>(value, token, "model.vocab");
        require(id >= 0 && std::uint64_t(id) < 2 * vocab.size() + 65536, "model.vocab: '", excerpt(token), "' has id ",
                id, " among ", vocab.size(), " tokens");
        const auto place = static_cast<std::size_t>(id);
        if (place >= tokens.size()) tokens.resize(place + 1);
        require(tokens[place].empty(), "model.vocab: '", excerpt(tokens[place]), "' and '", excerpt(token),
                "' both have id ", id);
        tokens[place] = token;
    }
    return tokens;
}

inline Template template_of(const Json& parts, const Json& special_tokens) {
    Template result;
    for (const Json& part : parts) {
        if (const auto special = part.find("SpecialToken"); special != part.end()) {
            const auto& token = special_tokens.at(special->at("id").get<std::string>());
            for (const Json& id : token.at("ids"))
                result.parts.push_back({TemplatePart::Kind::added,
                                        io::field<std::int32_t>(*special, "type_id", "post_processor"),
                                        io::json_value<std::int32_t>(id, "ids", "post_processor")});
        } else {
            const Json& sequence = part.at("Sequence");
            const auto name = sequence.at("id").get<std::string>();
            require(name == "A" || name == "B", "post_processor: sequence '", name, "' is neither A nor B");
            result.parts.push_back({name == "A" ? TemplatePart::Kind::first : TemplatePart::Kind::second,
                                    io::field<std::int32_t>(sequence, "type_id", "post_processor")});
        }
    }
    return result;
}

inline void read_post_processor(const Json& json, WordPieceOptions& options) {
    const std::string type = type_of(json, "post_processor");
    if (type == "TemplateProcessing") {
        const Json& processor = json.at("post_processor");
        options.single = template_of(processor.at("single"), processor.at("special_tokens"));
        options.pair = template_of(processor.at("pair"), processor.at("special_tokens"));
    } else if (type == "BertProcessing") {
        const auto id = [&](const char* which) {
            return io::json_value<std::int32_t>(json.at("post_processor").at(which).at(1), which, "post_processor");
        };
        options.single = Template::bert_single(id("cls"), id("sep"));
        options.pair = Template::bert_pair(id("cls"), id("sep"));
    } else {
        require(type == "none", "post_processor ", type,
                " is not supported; TemplateProcessing and BertProcessing are");
        using enum TemplatePart::Kind;
        options.single = Template{{{first, 0}}};
        options.pair = Template{{{first, 0}, {second, 1}}};
    }
}

/// tokenizer.json; its truncation and padding are left out, for they are what the last user had set.
inline WordPieceTokenizer from_tokenizer_json(const Json& json, const Json& special_tokens_map, const Json& config) {
    WordPieceOptions options;
    const Json& model = json.at("model");
    const std::string model_type =
        model.value("type", model.contains("max_input_chars_per_word") ? "WordPiece" : "none");
    require(model_type == "WordPiece", "model ", model_type, " is not supported; WordPiece is");
    options.unk_token = model.at("unk_token").get<std::string>();
    options.continuing_subword_prefix = model.at("continuing_subword_prefix").get<std::string>();
    options.max_input_chars_per_word = io::field<std::size_t>(model, "max_input_chars_per_word", "model");

    const std::string normalizer_type = type_of(json, "normalizer");
    if (normalizer_type == "BertNormalizer") {
        const Json& normalizer = json.at("normalizer");
        options.normalizer = {.clean_text = normalizer.at("clean_text").get<bool>(),
                              .handle_chinese_chars = normalizer.at("handle_chinese_chars").get<bool>(),
                              .strip_accents = optional_member<bool>(normalizer, "strip_accents"),
                              .lowercase = normalizer.at("lowercase").get<bool>()};
    } else {
        require(normalizer_type == "none", "normalizer ", normalizer_type, " is not supported; BertNormalizer is");
        options.normalizer = {
            .clean_text = false, .handle_chinese_chars = false, .strip_accents = false, .lowercase = false};
    }
    const std::string splitter = type_of(json, "pre_tokenizer");
    require(splitter == "BertPreTokenizer", "pre_tokenizer ", splitter, " is not supported; BertPreTokenizer is");
    read_post_processor(json, options);
    if (const std::string decoder = type_of(json, "decoder"); decoder == "WordPiece")
        options.clean_up_tokenization_spaces = json.at("decoder").value("cleanup", true);
    else
        require(decoder == "none", "decoder ", decoder, " is not supported; WordPiece is");

    options.added_tokens.emplace();
    if (const auto tokens = json.find("added_tokens"); tokens != json.end())
        for (const Json& token : *tokens)
            options.added_tokens->push_back(added_token(token, io::field<std::int32_t>(token, "id", "added_tokens")));
    apply_config(special_tokens_map, config, options);
    return WordPieceTokenizer(vocabulary_of(model.at("vocab")), options);
}

/// One token a line; the line's number from 0 is its id. A line may end in CR LF.
inline std::vector<std::string> read_vocabulary(const std::filesystem::path& path) {
    const std::string content = io::read_file(path);
    std::vector<std::string> tokens;
    for (std::size_t begin = 0; begin < content.size();) {
        const std::size_t end = std::min(content.find('\n', begin), content.size());
        std::string_view line = std::string_view(content).substr(begin, end - begin);
        if (line.ends_with('\r')) line.remove_suffix(1);
        tokens.emplace_back(line);
        begin = end + 1;
    }
    require(!tokens.empty(), "the vocabulary is empty");
    return tokens;
}

/// Throws Error where tokenizer_config.json asks for other words than BERT's, which vocab.txt alone does not show, e.g.
/// Japanese ones by MeCab.
inline void refuse_other_words(const Json& config) {
    for (const auto& [key, only] : {std::pair{"word_tokenizer_type", "basic"}, {"subword_tokenizer_type", "wordpiece"}})
        if (const auto found = config.find(key); found != config.end() && !found->is_null())
            require(*found == only, "'", key, "' is ", io::describe_json(*found), " in tokenizer_config.json, only \"",
                    only, "\" is supported");
    require(!config.contains("auto_map"), "'auto_map' of tokenizer_config.json names a program of the model's own, and "
                                          "there is no tokenizer.json to read instead");
}

/// vocab.txt with the added tokens that tokenizer_config.json ("added_tokens_decoder") or added_tokens.json has.
inline WordPieceTokenizer from_vocabulary(const std::filesystem::path& folder, const Json& special_tokens_map,
                                          const Json& config) {
    refuse_other_words(config);
    WordPieceOptions options;
    apply_config(special_tokens_map, config, options);
    std::vector<std::string> vocabulary = read_vocabulary(folder / "vocab.txt");
    std::set<std::string> listed{options.pad_token, options.unk_token, options.cls_token, options.sep_token,
                                 options.mask_token};
    for (const Json* json : {&special_tokens_map, &config})
        for (const char* key : {"additional_special_tokens", "extra_special_tokens"})
            if (const auto tokens = json->find(key); tokens != json->end() && tokens->is_array())
                for (const Json& token : *tokens) listed.insert(content_of(token));
    std::map<std::int32_t, AddedToken> added;
    const auto add_special = [&](const std::string& content) {
        const auto found = std::ranges::find(vocabulary, content);
        const auto id = static_cast<std::int32_t>(found - vocabulary.begin());
        if (found != vocabulary.end() && !content.empty()) added.try_emplace(id, AddedToken{content, id});
    };
    if (const auto tokens = config.find("added_tokens_decoder"); tokens != config.end())
        for (const auto& [id, token] : tokens->items()) {
            require(!id.empty() && id.size() < 9 && id.find_first_not_of("0123456789") == std::string::npos,
                    "added_tokens_decoder: '", excerpt(id), "' is not an id");
            added.try_emplace(std::stoi(id), added_token(token, std::stoi(id)));
        }
    const Json legacy = read_object_if_there(folder / "added_tokens.json");
    for (const auto& [content, value] : legacy.items()) {
        const auto id = io::json_value<std::int32_t>(value, content, "added_tokens.json");
        const bool special = listed.contains(content);
        added.try_emplace(id, AddedToken{.content = content, .id = id, .special = special, .normalized = !special});
    }
    for (const std::string& content : listed) add_special(content);
    options.added_tokens.emplace();
    for (const auto& [id, token] : added) options.added_tokens->push_back(token);
    return WordPieceTokenizer(std::move(vocabulary), options);
}

}

/// The tokenizer of a model's folder: from tokenizer.json, else from vocab.txt; tokenizer_config.json and
/// special_tokens_map.json, where there, name the special tokens and may set do_lower_case, strip_accents and
/// tokenize_chinese_chars. Error, naming the file, where something is missing, malformed or of a kind that is not
/// supported (the component is named).
inline WordPieceTokenizer load_tokenizer(const std::filesystem::path& folder) {
    using namespace tokenizer_files;
    require(io::is_folder(folder), folder.string(), ": there is no such folder");
    const bool has_json = io::is_there(folder / "tokenizer.json");
    const auto file = folder / (has_json ? "tokenizer.json" : "vocab.txt");
    require(io::is_there(file), folder.string(), ": has neither tokenizer.json nor vocab.txt");
    const Json special_tokens_map = read_object_if_there(folder / "special_tokens_map.json");
    const Json config = read_object_if_there(folder / "tokenizer_config.json");
    const std::optional<Json> json = has_json ? std::optional(read_object(file)) : std::nullopt;
    try {
        return json ? from_tokenizer_json(*json, special_tokens_map, config)
                    : from_vocabulary(folder, special_tokens_map, config);
    } catch (const Json::exception& error) {
        fail(file.string(), " (or tokenizer_config.json or special_tokens_map.json beside it): ", error.what());
    } catch (const Error& error) {
        fail(file.string(), ": ", error.what());
    }
}

}
