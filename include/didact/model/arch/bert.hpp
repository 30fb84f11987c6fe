#pragma once
#include "didact/model/arch/arch.hpp"

namespace didact::arch {

/// BERT (Devlin et al. 2019, arXiv 1810.04805): an encoder that normalises after each residual sum, with learned
/// positions and token types. Names as in Transformers' BertModel.
struct Bert {
    static constexpr const char* model_type = "bert";
    static constexpr const char* base_prefix = "bert.";
    static constexpr const char* class_prefix = "Bert";
    static constexpr nn::NormPlace norm_place = nn::NormPlace::post;
    static constexpr bool causal = false;
    static constexpr std::size_t projections = 3;
    static constexpr nn::WeightLayout weight_layout = nn::WeightLayout::out_in;
    static constexpr bool token_types = true, embedding_norm = true, final_norm = false;
    static constexpr std::int32_t position_offset = 0;
    static constexpr const char* pooler = "bert.pooler.dense";
    static constexpr const char* classifier = "classifier";

    static Activation activation(const TransformerConfig& config) {
        return activation_from_name(config.activation, model_type);
    }

    static std::string tensor_name(Role role, std::size_t layer) {
        const std::string block = "bert.encoder.layer." + std::to_string(layer) + ".";
        switch (role) {
        case Role::token_embedding:
            return "bert.embeddings.word_embeddings";
        case Role::position_embedding:
            return "bert.embeddings.position_embeddings";
        case Role::type_embedding:
            return "bert.embeddings.token_type_embeddings";
        case Role::embedding_norm:
            return "bert.embeddings.LayerNorm";
        case Role::query:
            return block + "attention.self.query";
        case Role::key:
            return block + "attention.self.key";
        case Role::value:
            return block + "attention.self.value";
        case Role::attention_output:
            return block + "attention.output.dense";
        case Role::attention_norm:
            return block + "attention.output.LayerNorm";
        case Role::feed_forward_expand:
            return block + "intermediate.dense";
        case Role::feed_forward_contract:
            return block + "output.dense";
        case Role::feed_forward_norm:
            return block + "output.LayerNorm";
        default:
            fail("a BERT model has no such tensor");
        }
    }

    /// What Transformers takes where config.json does not say it and no tensor's shape tells it.
    static TransformerConfig config_defaults() {
        return {.num_heads = 12,
                .max_positions = 512,
                .type_vocab_size = 2,
                .layer_norm_epsilon = 1e-12,
                .activation = "gelu"};
    }

    /// Calls entry(key, value) for the entries of config.json of which one value only is supported.
    template <class Entry>
    static void fixed_entries(const Entry& entry) {
        entry("position_embedding_type", "absolute");
        entry("is_decoder", false);
        entry("add_cross_attention", false);
    }

    /// Calls io(key, field) for every entry of config.json; the same list reads and writes.
    template <class Config, class Io>
    static void config_entries(Config& config, const Io& io) {
        io("vocab_size", config.vocab_size);
        io("hidden_size", config.hidden_size);
        io("num_hidden_layers", config.num_layers);
        io("num_attention_heads", config.num_heads);
        io("intermediate_size", config.intermediate_size);
        io("max_position_embeddings", config.max_positions);
        io("type_vocab_size", config.type_vocab_size);
        io("layer_norm_eps", config.layer_norm_epsilon);
        io("initializer_range", config.initializer_range);
        io("hidden_dropout_prob", config.hidden_dropout);
        io("attention_probs_dropout_prob", config.attention_dropout);
        io("hidden_act", config.activation);
        io("pad_token_id", config.pad_token_id);
    }
};

static_assert(Arch<Bert>);

}
