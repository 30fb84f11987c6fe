#include <doctest/doctest.h>

#include "small_models.hpp"

namespace activation_checkpointing_test {

using namespace didact;

namespace {

template <class Architecture, class Adapter, class Checkpointing, class Head>
using Checkpointed = Model<Transformer<Architecture, Cpu<float>, Adapter, Checkpointing>, Head>;

/// The values after a few steps with dropout, and how much memory a step's activations took.
struct Trained {
    AlignedVector<float> values;
    std::size_t bytes;
};

template <class ModelType, class... Policies>
Trained trained(const Policies&... policies) {
    TransformerConfig config = small::config(0.2);
    config.num_layers = 6;
    config.hidden_size = 48; // large enough for activations to outweigh the arena's smallest block
    config.intermediate_size = 192;
    config.max_positions = 128;
    ModelType model(config, 3);
    model.add_head({.num_labels = 3});
    Dataset data = small::sentences("train", 48, 3, 5, 100);
    Trainer trainer(model, optimizer::AdamW{.learning_rate = 1e-3}, policies...);
    trainer.fit(data, {.steps = 4, .batch_size = 24, .threads = 2});
    return {small::values_of(model), trainer.engine().arena().capacity()};
}

template <class Architecture, class Adapter = nn::NoAdapter, class Head = heads::SequenceClassification<>,
          class... Policies>
void check_same(double most_memory, const Policies&... policies) {
    using activation_checkpointing::EveryBlock;
    using KeepAll = activation_checkpointing::None;
    const Trained kept = trained<Checkpointed<Architecture, Adapter, KeepAll, Head>>(policies...);
    const Trained again = trained<Checkpointed<Architecture, Adapter, EveryBlock, Head>>(policies...);
    CHECK(kept.values == again.values);
    CAPTURE(kept.bytes);
    CAPTURE(again.bytes);
    CHECK(double(again.bytes) < most_memory * double(kept.bytes));
}

}

TEST_SUITE("property") {

    TEST_CASE("blocks computed again for backward give the same bits, dropout included, in less memory") {
        check_same<arch::Bert>(0.5);
        check_same<arch::Gpt2, nn::NoAdapter, heads::SequenceClassification<heads::Pooling::last_token>>(0.5);
        check_same<arch::Bert, nn::NoAdapter, heads::SequenceClassification<heads::Pooling::mean>>(
            0.5, freeze::Prefix{.layers = 1});
        check_same<arch::Bert, adapters::Lora>(0.5, freeze::Lora{.rank = 2});
    }
}

}
