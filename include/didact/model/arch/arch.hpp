#pragma once
#include <concepts>

#include "didact/model/config.hpp"
#include "didact/nn/block.hpp"

namespace didact::arch {

/// The roles that a linear layer, norm or embedding plays in a transformer, to be named by a family.
enum class Role {
    token_embedding,
    position_embedding,
    type_embedding,
    embedding_norm,
    query,
    key,
    value,
    query_key_value,
    attention_output,
    attention_norm,
    feed_forward_expand,
    feed_forward_contract,
    feed_forward_norm,
    final_norm
};

/// Takes any entry of config.json.
struct AnyEntry {
    void operator()(const char*, const auto&) const {}
};

/// A family of transformers is one traits type: what the structure is, and what tensors are called in a checkpoint.
/// A new family is one new file beside bert.hpp and gpt2.hpp.
template <class A>
concept Arch = requires(const TransformerConfig& config, Role role, std::size_t layer) {
    { A::model_type } -> std::convertible_to<const char*>;   // "model_type" in config.json
    { A::base_prefix } -> std::convertible_to<const char*>;  // before tensor names in a model with a head
    { A::class_prefix } -> std::convertible_to<const char*>; // of the class names in Transformers
    { A::norm_place } -> std::convertible_to<nn::NormPlace>;
    { A::causal } -> std::convertible_to<bool>;
    { A::projections } -> std::convertible_to<std::size_t>; // 3: query, key, value apart; 1: joined
    { A::weight_layout } -> std::convertible_to<nn::WeightLayout>;
    { A::token_types } -> std::convertible_to<bool>;
    { A::embedding_norm } -> std::convertible_to<bool>;          // a norm after the embeddings
    { A::final_norm } -> std::convertible_to<bool>;              // a norm after the last block
    { A::position_offset } -> std::convertible_to<std::int32_t>; // of the first token
    { A::tensor_name(role, layer) } -> std::convertible_to<std::string>;
    { A::activation(config) } -> std::convertible_to<Activation>;
    { A::config_defaults() } -> std::convertible_to<TransformerConfig>; // of a config.json that leaves entries out
    A::fixed_entries(AnyEntry());                                       // entries of config.json with one legal value
};

/// The activation that config.json calls `name`.
inline Activation activation_from_name(const std::string& name, const char* model_type) {
    if (name == "gelu") return Activation::gelu;
    if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
    if (name == "relu") return Activation::relu;
    fail("config of a ", model_type, " model: activation '", excerpt(name),
         "' is not one of gelu, gelu_new, gelu_pytorch_tanh, relu");
}

}
