#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace didact::io {

/// The names that a parameter may have in a checkpoint, most specific first: its own; that of the trunk it was copied
/// from, for a column or a later task's pooler; without the family's prefix, as a model without a head is saved; and
/// each of these with the `gamma` and `beta` of old TensorFlow checkpoints.
inline std::vector<std::string> names_in_checkpoint(const std::string& name, std::string_view base_prefix) {
    std::vector<std::string> names{name};
    if (name.starts_with("column"))
        if (const std::size_t dot = name.find('.'); dot != std::string::npos) names.push_back(name.substr(dot + 1));
    // Every task's pooler starts from the pretrained one; heads.<task>. stands before the names of later tasks.
    if (name.starts_with("heads.") && name.find("pooler.") != std::string::npos)
        names.push_back(name.substr(name.find('.', 6) + 1));
    for (std::size_t i = 0, count = names.size(); i < count; ++i)
        if (names[i].starts_with(base_prefix)) names.push_back(names[i].substr(base_prefix.size()));
    for (std::size_t i = 0, count = names.size(); i < count; ++i) {
        const auto old = [&](std::string_view end, std::string_view old_end) {
            if (names[i].find("LayerNorm") != std::string::npos && names[i].ends_with(end))
                names.push_back(names[i].substr(0, names[i].size() - end.size()) + std::string(old_end));
        };
        old(".weight", ".gamma");
        old(".bias", ".beta");
    }
    return names;
}

/// Tensors of a checkpoint that follow from the structure (position numbers, causal masks): nothing is lost where they
/// are not read.
inline bool is_derived_tensor(std::string_view name) {
    for (const std::string_view end : {"embeddings.position_ids", ".attn.bias", ".attn.masked_bias"})
        if (name.ends_with(end)) return true;
    return false;
}

/// The tensor that a language model's output `name` repeats where the two are tied; empty where it is no such output.
inline std::string tied_to(std::string_view name, const std::string& token_embedding) {
    if (name.ends_with("cls.predictions.decoder.bias")) return "cls.predictions.bias";
    if (name.ends_with("cls.predictions.decoder.weight") || name.ends_with("lm_head.weight"))
        return token_embedding + ".weight";
    return "";
}

/// What follows the family in the name of Transformers' class for a head.
inline std::string suffix_of(std::string_view problem_type) {
    if (problem_type == "token_classification") return "ForTokenClassification";
    if (problem_type == "question_answering") return "ForQuestionAnswering";
    if (problem_type == "masked_language_model") return "ForMaskedLM";
    if (problem_type == "causal_language_model") return "LMHeadModel";
    if (problem_type == "ranking") return "Model";
    return "ForSequenceClassification";
}

}
