#pragma once
#include "didact/model/arch/arch.hpp"

namespace didact::arch {

/// GPT-2 (Radford et al. 2019): a causal decoder that normalises before each sub-layer and once at the end, with
/// learned positions, joined query-key-value weights stored (in, out), and an output tied to the token embedding.
struct Gpt2 {
    static constexpr const char* model_type = "gpt2";
    static constexpr const char* base_prefix = "transformer.";
    static constexpr const char* class_prefix = "GPT2";
    static constexpr nn::NormPlace norm_place = nn::NormPlace::pre;
    static constexpr bool causal = true;
    static constexpr std::size_t projections = 1;
    static constexpr nn::WeightLayout weight_layout = nn::WeightLayout::in_out;
    static constexpr bool token_types = false, embedding_norm = false, final_norm = true;
    static constexpr std::int32_t position_offset = 0;

    static Activation activation(const TransformerConfig& config) {
        return activation_from_name(config.activation, model_type);
    }

    static std::string tensor_name(Role role, std::size_t layer) {
        const std::string block = "transformer.h." + std::to_string(layer) + ".";
        switch (role) {
        case Role::token_embedding:
            return "transformer.wte";
        case Role::position_embedding:
            return "transformer.wpe";
        case Role::query_key_value:
            return block + "attn.c_attn";
        case Role::attention_output:
            return block + "attn.c_proj";
        case Role::attention_norm:
            return block + "ln_1";
        case Role::feed_forward_expand:
            return block + "mlp.c_fc";
        case Role::feed_forward_contract:
            return block + "mlp.c_proj";
        case Role::feed_forward_norm:
            return block + "ln_2";
        case Role::final_norm:
            return "transformer.ln_f";
        default:
            fail("a GPT-2 model has no such tensor");
        }
    }

    static constexpr const char* embedding_dropout_key = "embd_pdrop";
    static constexpr double classifier_dropout = 0.1; ///< where config.json does not say it, whatever resid_pdrop is

    /// What Transformers takes where config.json does not say it and no tensor's shape tells it.
    static TransformerConfig config_defaults() {
        return {.num_heads = 12, .max_positions = 1024, .layer_norm_epsilon = 1e-5, .activation = "gelu_new"};
    }

    /// Calls entry(key, value) for the entries of config.json of which one value only is supported.
    template <class Entry>
    static void fixed_entries(const Entry& entry) {
        entry("scale_attn_weights", true);
        entry("scale_attn_by_inverse_layer_idx", false);
        entry("add_cross_attention", false);
    }

    /// Calls io(key, field) for every entry of config.json; the same list reads and writes.
    template <class Config, class Io>
    static void config_entries(Config& config, const Io& io) {
        io("vocab_size", config.vocab_size);
        io("n_embd", config.hidden_size);
        io("n_layer", config.num_layers);
        io("n_head", config.num_heads);
        io("n_inner", config.intermediate_size);
        io("n_positions", config.max_positions);
        io("layer_norm_epsilon", config.layer_norm_epsilon);
        io("initializer_range", config.initializer_range);
        io("resid_pdrop", config.hidden_dropout);
        io("attn_pdrop", config.attention_dropout);
        io("activation_function", config.activation);
        io("pad_token_id", config.pad_token_id);
        io("bos_token_id", config.bos_token_id);
        io("eos_token_id", config.eos_token_id);
    }

    /// Entries of config.json for which Transformers' defaults would be wrong.
    template <class Json>
    static void add_entries(const TransformerConfig& config, Json& json) {
        json[embedding_dropout_key] = config.dropout_of_embeddings();
        // By default 50256 begins and ends a text, as in GPT-2's own vocabulary.
        if (config.vocab_size > 50256) return;
        for (const char* key : {"bos_token_id", "eos_token_id"})
            if (!json.contains(key)) json[key] = nullptr;
    }
};

static_assert(Arch<Gpt2>);

}
