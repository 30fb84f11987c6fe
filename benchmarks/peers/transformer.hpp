#pragma once
#include <algorithm>
#include <cmath>

#include "didact/backend/cpu.hpp"
#include "didact/core/random.hpp"
#include "didact/model/adapters/lora.hpp"
#include "didact/model/arch/bert.hpp"
#include "didact/model/arch/gpt2.hpp"
#include "didact/model/heads/language_model.hpp"
#include "didact/model/heads/sequence_losses.hpp"
#include "didact/policy/freeze/lora.hpp"
#include "didact/policy/freeze/prefix.hpp"
#include "didact/train/trainer.hpp"
#include "measure.hpp"
#include "work.hpp"

namespace peers {

using namespace didact;

template <class B, class Adapter = nn::NoAdapter, class Checkpointing = activation_checkpointing::None>
using Bert = Model<Transformer<arch::Bert, B, Adapter, Checkpointing>, heads::SequenceClassification<>>;
template <class B>
using Gpt2 = Model<Transformer<arch::Gpt2, B>, heads::CausalLanguageModel>;

inline TransformerConfig config_of(const TransformerRow& row) {
    TransformerConfig config;
    const bool gpt2 = row.model == "gpt2", small = row.model == "minilm";
    config.vocab_size = gpt2 ? 50257 : 30522;
    config.hidden_size = small ? 384 : 768;
    config.num_layers = small ? 6 : 12;
    config.num_heads = 12;
    config.intermediate_size = 4 * config.hidden_size;
    config.max_positions = gpt2 ? 1024 : 512;
    config.type_vocab_size = gpt2 ? 0 : 2;
    config.layer_norm_epsilon = gpt2 ? 1e-5 : 1e-12;
    config.activation = gpt2 ? "gelu_new" : "gelu";
    config.hidden_dropout = config.attention_dropout = row.dropout;
    config.classifier_dropout = row.dropout;
    return config;
}

/// Random tokens. The lengths of "lognormal" are those of the peers' script: mean 40, clipped to [4, row.length].
inline Dataset make_data(const TransformerRow& row, std::size_t vocabulary, std::size_t samples) {
    Dataset data("random tokens");
    Random random(RandomKey{.purpose = RandomPurpose::data});
    Sample sample;
    for (std::size_t i = 0; i < samples; ++i) {
        double length = double(row.length);
        if (row.lengths == "lognormal")
            length = std::clamp(std::round(std::exp(std::log(40.0) - 0.18 + 0.6 * random.normal())), 4.0, length);
        sample.token_ids.resize(std::size_t(length));
        for (std::int32_t& id : sample.token_ids) id = std::int32_t(1000 + random.below(vocabulary - 1001));
        if (row.model == "gpt2")
            sample.labels = sample.token_ids;
        else
            sample.labels = {std::int32_t(random.below(2))};
        data.append(sample);
    }
    return data;
}

template <class ModelType, class... Policies>
void run(const TransformerRow& row, nlohmann::ordered_json& json, const Policies&... policies) {
    const TransformerConfig config = config_of(row);
    ModelType model(config, 1);
    model.add_head(row.model == "gpt2" ? HeadOptions{} : HeadOptions{.num_labels = 2});
    // What a frozen part gives is kept from the first epoch on, so a few batches, again and again, show later epochs.
    const bool cached = row.mode == "half" || row.mode == "head";
    const std::size_t batches = cached ? std::min<std::size_t>(4, row.steps) : row.steps + row.warm_steps;
    const std::size_t before = row.warm_steps + (cached ? batches : 0);
    Trainer trainer(model, optimizer::AdamW{.learning_rate = 1e-4, .weight_decay = 0.01}, schedule::Constant{},
                    policies...);
    StepTimer timer(before);
    TrainingOptions options;
    options.steps = before + row.steps;
    options.batch_size = row.batch_size;
    options.max_gradient_norm = 0;
    options.threads = row.threads;
    if (row.micro_batch_tokens > 0) options.micro_batch_tokens = row.micro_batch_tokens;
    const Dataset data = make_data(row, config.vocab_size, batches * row.batch_size);
    trainer.fit(data, options, timer);
    timer.add_to(json);
    StepSize step;
    for (std::size_t i = 0; i < data.size(); ++i) {
        const double length = double(data.length(i));
        step.sequences += 1 / double(batches);
        step.tokens += length / double(batches);
        step.squares += length * length / double(batches);
    }
    if (const double gflop = transformer_products(row, config, step) * 1e-9; gflop > 0) {
        json["gflop"] = gflop;
        json["gflop_per_s"] = gflop / step.tokens * json["tokens_per_s"].get<double>();
    }
    json["trainable_params"] = model.parameters().trainable_parameters();
    json["params"] = model.parameters().total_parameters();
}

/// Runs a row on backend B and adds to `json` what was measured.
template <class B>
void run_on(const TransformerRow& row, nlohmann::ordered_json& json) {
    const std::size_t half = config_of(row).num_layers / 2;
    if (row.model == "gpt2") {
        require(row.mode == "full" && !row.checkpointing, "gpt2 is measured with --mode full and without "
                                                          "--checkpointing only");
        run<Gpt2<B>>(row, json);
    } else if (row.checkpointing) {
        require(row.mode == "full", "--checkpointing: it is measured with --mode full only");
        run<Bert<B, nn::NoAdapter, activation_checkpointing::EveryBlock>>(row, json);
    } else if (row.mode == "full") {
        run<Bert<B>>(row, json);
    } else if (row.mode == "half") {
        run<Bert<B>>(row, json, freeze::Prefix{.layers = half});
    } else if (row.mode == "head") {
        run<Bert<B>>(row, json, freeze::AllButHead{});
    } else {
        run<Bert<B, adapters::Lora>>(row, json, freeze::Lora{.rank = 8, .alpha = 16, .targets = {"query", "value"}});
    }
}

void run_fp32(const TransformerRow& row, nlohmann::ordered_json& json);
void run_bf16(const TransformerRow& row, nlohmann::ordered_json& json);

}
