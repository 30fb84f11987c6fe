#include <doctest/doctest.h>

#include "../model/small_models.hpp"

namespace freeze_test {

using namespace didact;

namespace {

const TrainingOptions two_epochs{.epochs = 2, .batch_size = 8, .threads = 2};

/// Calls `step` with each report.
template <class Step>
struct OnStep {
    Step step_;
    void step(const report::StepReport& report) { step_(report); }
};
template <class Step>
OnStep(Step) -> OnStep<Step>;

/// Trains a BERT under `policy` and checks that what `trains` denies keeps its bytes and has neither gradient nor
/// moments, and that what it grants has both and moves.
template <class Adapter, class Policy, class Trains>
void check_frozen(const Policy& policy, const Trains& trains) {
    small::BertModel<Cpu<float>, Adapter> model(small::config(0.1), 3);
    model.add_head({.num_labels = 3});
    Trainer trainer(model, policy, optimizer::AdamW{.learning_rate = 1e-2, .weight_decay = 0.1});
    const auto before = small::values_of(model);
    trainer.fit(small::sentences("train", 24, 3, 1), two_epochs);
    const auto after = small::values_of(model);
    auto& store = model.parameters();
    std::size_t trainable = 0, frozen = 0;
    for (ParameterId id = 0; id < store.count(); ++id) {
        const Parameter& p = store[id];
        CAPTURE(p.name);
        const bool moves = trains(p, model.trunk());
        (moves ? trainable : frozen) += p.size();
        CHECK(store.trains(id) == moves);
        // In the last block, which is asked by one token a sequence, the keys' bias moves no probability.
        const bool idle =
            std::is_same_v<Adapter, nn::NoAdapter> && p.name == "bert.encoder.layer.2.attention.self.key.bias";
        CHECK(small::same_bytes(p, before, after) == (!moves || idle));
        CHECK(store.gradient(id).empty() == !moves);
    }
    CHECK(trainable > 0);
    CHECK(frozen > 0);
    CHECK(store.trainable_parameters() == trainable);

    const std::size_t slices = store.layout().slices.size() * store.padding;
    CHECK(store.gradients().size() >= trainable);
    CHECK(store.gradients().size() < trainable + slices);
    Archive written;
    trainer.policies().optimizer.serialize(written);
    Archive read(written.bytes(), "moments");
    struct Age {
        std::size_t end = 0;
        std::uint64_t steps = 0;
        void serialize(Archive& archive) { archive("end", end), archive("steps", steps); }
    };
    std::vector<Age> ages;
    AlignedVector<float> m, v;
    read("ages", ages), read("m", m), read("v", v);
    CHECK(ages.size() == 1);
    CHECK(ages.at(0).steps == 6);
    CHECK(m.size() == store.gradients().size());
    CHECK(v.size() == store.gradients().size());
}

template <class Model>
std::vector<bool> trainable_stages(Model& model) {
    std::vector<bool> result(model.trunk().stages() + 1, true);
    for (const Parameter& p : model.parameters().parameters())
        if (p.shared && !p.trainable) result[model.trunk().stage_of(p.name)] = false;
    return result;
}

template <class Trunk, class Head>
struct LoraSetting {
    using M = Model<Trunk, Head>;
    M model;
    explicit LoraSetting(TransformerConfig config, std::size_t labels) : model(config, 5) {
        model.add_head({.num_labels = labels});
    }
};

/// Logits of two samples, or where there are none the loss of each.
template <class Model>
std::vector<double> outputs(Engine<Model>& engine, const Batch& batch) {
    engine.mean_loss(batch);
    std::vector<double> result;
    engine.model().with_head(0, engine.saved(), [&](const auto&, auto& kept) {
        if constexpr (requires { kept.logits; })
            for (std::size_t i = 0; i < kept.logits.size(); ++i) result.push_back(kept.logits.data[i]);
        else
            for (const auto loss : kept.vocabulary.losses) result.push_back(loss);
    });
    return result;
}

}

TEST_SUITE("property") {

    TEST_CASE("freeze::Prefix: the bytes of frozen slices never change, and they have no gradient and no moments") {
        check_frozen<nn::NoAdapter>(freeze::Prefix{.layers = 2}, [](const Parameter& p, const auto& trunk) {
            return !p.shared || trunk.stage_of(p.name) > 2;
        });
        check_frozen<nn::NoAdapter>(
            freeze::Prefix{.layers = 1, .dropout = true},
            [](const Parameter& p, const auto& trunk) { return !p.shared || trunk.stage_of(p.name) > 1; });
    }

    TEST_CASE("dropout within frozen blocks is the policy's of the trainer at work, not of one before it") {
        small::BertModel<Cpu<float>> model(small::config(0.3), 3);
        model.add_head({.num_labels = 3});
        const Dataset data = small::sentences("train", 8, 3, 4);
        const TrainingOptions options{.epochs = 1, .batch_size = 4, .threads = 1};
        Trainer dropping(model, freeze::Prefix{.layers = 1, .dropout = true});
        dropping.fit(data, options);
        CHECK(model.trunk().frozen_dropout);
        Trainer thawing(model, freeze::GradualUnfreeze{});
        thawing.fit(data, options);
        CHECK_FALSE(model.trunk().frozen_dropout);
        dropping.fit(data, options);
        CHECK(model.trunk().frozen_dropout);
        Trainer plain(model);
        plain.fit(data, options);
        CHECK_FALSE(model.trunk().frozen_dropout);
    }

    TEST_CASE("freeze::Embeddings freezes the embeddings and nothing else") {
        check_frozen<nn::NoAdapter>(freeze::Embeddings{}, [](const Parameter& p, const auto&) {
            return p.name.find("embeddings") == std::string::npos;
        });
    }

    TEST_CASE("freeze::AllButHead trains the pooler and the classifier only") {
        check_frozen<nn::NoAdapter>(freeze::AllButHead{}, [](const Parameter& p, const auto&) {
            return p.name.starts_with("classifier") || p.name.starts_with("bert.pooler");
        });
    }

    TEST_CASE("freeze::Lora trains the adapters of its targets and the head") {
        const auto trains = [](const Parameter& p, const auto&) {
            return !p.shared || p.name.find(".lora_") != std::string::npos;
        };
        check_frozen<adapters::Lora>(freeze::Lora{.rank = 3}, trains);
        check_frozen<adapters::Lora>(freeze::Lora{.rank = 2, .dropout = 0.2, .targets = {"output.dense"}}, trains);
    }

    TEST_CASE("freeze::Lora refuses a target that no layer has, and other adapters than those that are there") {
        using Trunk = Transformer<arch::Bert, Cpu<float>, adapters::Lora>;
        LoraSetting<Trunk, heads::SequenceClassification<>> setting(small::config(), 3);
        const auto refused = [&](const freeze::Lora& policy) {
            try {
                Trainer trainer(setting.model, policy);
            } catch (const Error& error) {
                return std::string(error.what());
            }
            return std::string("taken");
        };
        CHECK(refused({.targets = {"query", "valeu"}}) ==
              "freeze::Lora: no layer's name ends with 'valeu'; one is called "
              "'bert.encoder.layer.2.output.dense'");
        CHECK(setting.model.parameters().find("bert.encoder.layer.0.attention.self.query.lora_A.weight") ==
              no_parameter);
        CHECK(refused({.targets = {"query"}}) == "taken");
        CHECK(refused({.rank = 4}) ==
              "freeze::Lora: 'bert.encoder.layer.0.attention.self.query' has an adapter already, of rank 8, alpha 16 "
              "and dropout 0; a second policy trains it on with the same");
        CHECK(refused({.targets = {"query"}}) == "taken");
    }

    TEST_CASE("freeze::Prefix of no layer still freezes the embeddings, of all layers leaves the head") {
        small::BertModel<Cpu<float>> model(small::config(), 3);
        model.add_head({.num_labels = 3});
        for (const std::size_t layers : {0u, 3u}) {
            freeze::Prefix::State<decltype(model)> state({.layers = layers}, model);
            state.plan(model, {});
            for (const Parameter& p : model.parameters().parameters())
                CHECK(p.trainable == (!p.shared || model.trunk().stage_of(p.name) > layers));
        }
    }

    TEST_CASE(
        "gradual unfreezing thaws one stage an epoch from the top, the embeddings last, in every experience anew") {
        small::BertModel<Cpu<float>> model(small::config(), 3);
        model.add_head({.num_labels = 3});
        Trainer trainer(model, freeze::GradualUnfreeze{});
        const Dataset data = small::sentences("train", 16, 3, 1);
        const Stream stream{{.name = "first", .tasks = {{.train = data}}},
                            {.name = "second", .tasks = {{.train = data}}}};
        std::vector<std::vector<bool>> seen;
        trainer.fit(stream, {.epochs = 6, .batch_size = 8, .threads = 1},
                    OnStep{[&](const report::StepReport&) { seen.push_back(trainable_stages(model)); }});
        REQUIRE(seen.size() == 2 * 6 * 2);
        for (std::size_t step = 0; step < seen.size(); ++step) {
            const std::size_t epoch = step / 2 % 6, thawed = std::min<std::size_t>(epoch, 4);
            CAPTURE(step);
            for (std::size_t stage = 0; stage < 4; ++stage) CHECK(seen[step][stage] == (stage + thawed >= 4));
        }
    }

    TEST_CASE("gradual unfreezing by several layers an epoch skips stages") {
        small::BertModel<Cpu<float>> model(small::config(), 3);
        model.add_head({.num_labels = 3});
        freeze::GradualUnfreeze::State<decltype(model)> state({.layers_per_epoch = 3}, model);
        state.plan(model, {.epoch = 1});
        CHECK(trainable_stages(model) == std::vector<bool>{false, true, true, true, true});
        CHECK(state.epoch_done(model, {.epoch = 1}, {}));
        CHECK(state.epoch_done(model, {.epoch = 2}, {}));
        CHECK(!state.epoch_done(model, {.epoch = 3}, {})); // everything thawed in epoch 2
    }

    TEST_CASE("a cached frozen prefix is forgotten when the layers below it have trained") {
        const Dataset data = small::sentences("train", 16, 3, 1);
        const Stream stream{{.name = "first", .tasks = {{.train = data}}},
                            {.name = "second", .tasks = {{.train = data}}}};
        AlignedVector<float> values[2];
        for (const bool cached : {false, true}) {
            small::BertModel<Cpu<float>> model(small::config(), 3);
            model.add_head({.num_labels = 3});
            // Everything thaws at once, so that no other stage empties the cache in between.
            Trainer trainer(model, freeze::GradualUnfreeze{.layers_per_epoch = 9},
                            optimizer::AdamW{.learning_rate = 1e-2});
            if (!cached) trainer.engine().prefix_cache().capacity = 0;
            std::size_t most = 0;
            trainer.fit(stream, {.epochs = 2, .batch_size = 8}, OnStep{[&](const report::StepReport&) {
                            most = std::max(most, trainer.engine().prefix_cache().samples());
                        }});
            CHECK(most == (cached ? data.size() : 0));
            values[cached] = small::values_of(model);
        }
        CHECK(values[0] == values[1]);
    }

    TEST_CASE("a cached frozen prefix is forgotten when its weights are others, however they became so") {
        using M = small::BertModel<Cpu<float>>;
        const Dataset data = small::sentences("train", 16, 3, 1);
        const TrainingOptions options{.steps = 2, .batch_size = 8};
        M model(small::config(), 3);
        model.add_head({.num_labels = 3});
        Trainer trainer(model, freeze::Prefix{.layers = 2}, optimizer::AdamW{.learning_rate = 1e-2});
        trainer.fit(data, options);
        const auto as_without_cache = [&] {
            const Batch batch = small::batch_of(data);
            Engine fresh(model, 1);
            fresh.prefix_cache().capacity = 0;
            return std::pair(trainer.engine().mean_loss(batch), fresh.mean_loss(batch));
        };
        REQUIRE(trainer.engine().prefix_cache().samples() == data.size());

        auto values = small::values_of(model);
        for (float& value : values) value *= 1.5f;
        model.parameters().swap_values(values);
        auto [written, expected] = as_without_cache();
        CHECK(written == expected);

        Trainer(model, optimizer::AdamW{.learning_rate = 0.1}).fit(data, options);
        std::tie(written, expected) = as_without_cache();
        CHECK(written == expected);

        // A teacher's values come and go.
        const auto own = small::values_of(model);
        auto teacher = own;
        for (float& value : teacher) value *= 0.5f;
        CHECK_THROWS_AS(trainer.engine().with_values(teacher, [] { fail("in the middle"); }), Error);
        CHECK(small::values_of(model) == own);
        trainer.engine().with_values(teacher, [] {});
        CHECK(trainer.engine().prefix_cache().samples() == data.size());
        std::tie(written, expected) = as_without_cache();
        CHECK(written == expected);
    }

    TEST_CASE("samples without tokens are errors, above a frozen prefix too") {
        small::BertModel<Cpu<float>> model(small::config(), 3);
        model.add_head({.num_labels = 3});
        Dataset empty("empty");
        empty.append({.labels = {0}});
        Trainer trainer(model, freeze::Prefix{.layers = 2});
        CHECK_THROWS_WITH_AS(trainer.fit(empty, {.steps = 1, .batch_size = 1}), doctest::Contains("has 0 tokens"),
                             Error);
        empty.append({.token_ids = {1, 2}, .token_type_ids = {0, 0}, .labels = {0}});
        CHECK_THROWS_WITH_AS(trainer.fit(empty, {.steps = 1, .batch_size = 2}), doctest::Contains("has 0 tokens"),
                             Error);
        CHECK_THROWS_WITH_AS(trainer.fit(small::vectors("features", 4, 5, 3, 1), {.steps = 1, .batch_size = 4}),
                             doctest::Contains("a transformer reads tokens, not features"), Error);
    }

    TEST_CASE("an engine that was asked for before a run has the run's threads in it") {
        small::MlpModel<Cpu<float>> model(small::mlp_config(), 3);
        model.add_head({.num_labels = 3});
        Trainer trainer(model);
        auto& engine = trainer.engine();
        trainer.fit(small::vectors("train", 8, 5, 3, 1), {.steps = 1, .batch_size = 8, .threads = 3});
        CHECK(&engine == &trainer.engine());
        CHECK(engine.pool().threads() == 3);
        CHECK_THROWS_WITH_AS(evaluate(engine, small::vectors("test", 8, 5, 3, 1), 0, 0),
                             "test: a batch of 0 samples would never end", Error);
    }

    TEST_CASE("discriminative rates: stage l of L learns at the head's rate times f^(L - l)") {
        using B = Cpu<double>;
        small::BertModel<B> model(small::config(), 3);
        model.add_head({.num_labels = 3});
        const Dataset data = small::sentences("train", 8, 3, 1);
        Trainer trainer(model, freeze::Discriminative{.decay = 1 / 2.6}, optimizer::Sgd{.learning_rate = 0.05},
                        schedule::Constant{});
        const auto before = small::values_of(model);
        const auto gradient = small::mean_gradient(trainer.engine(), small::batch_of(data));
        trainer.fit(data, small::one_step(8));
        const auto& store = std::as_const(model.parameters());
        // Stages: 0 embeddings, 1 to 3 blocks; the head is one above the last block.
        for (const Parameter& p : store.parameters()) {
            CAPTURE(p.name);
            const int below = p.shared ? 4 - int(model.trunk().stage_of(p.name)) : 0;
            CHECK(p.learning_rate_multiple == doctest::Approx(std::pow(2.6, -below)).epsilon(1e-6));
            for (std::size_t i = 0; i < p.size(); ++i)
                REQUIRE(store.values()[p.offset + i] ==
                        doctest::Approx(before[p.offset + i] -
                                        0.05 * double(p.learning_rate_multiple) * gradient[p.trainable_offset + i])
                            .epsilon(1e-10));
        }
        CHECK(store[store.find("bert.embeddings.LayerNorm.bias")].learning_rate_multiple ==
              doctest::Approx(1 / (2.6 * 2.6 * 2.6 * 2.6)));
        CHECK(store[store.find("classifier.weight")].learning_rate_multiple == 1.0f);
    }

    TEST_CASE("L2-SP adds the slope of alpha/2 (w - w0)^2 over the trunk and of beta/2 w^2 over the head") {
        using B = Cpu<double>;
        small::MlpModel<B> model(small::mlp_config(), 3);
        model.add_head({.num_labels = 3});
        const Dataset data = small::vectors("train", 12, 5, 3, 1);
        Trainer trainer(model, freeze::L2Sp{.alpha = 0.3, .beta = 0.07}, optimizer::Sgd{.learning_rate = 0.1},
                        schedule::Constant{});
        const auto start = small::values_of(model);
        trainer.fit(data, {.steps = 3, .batch_size = 12, .max_gradient_norm = 0, .threads = 1});
        const auto before = small::values_of(model);

        auto& store = model.parameters();
        const auto& state = trainer.policies().freeze;
        const auto penalty = [&](const Parameter& p, std::size_t i, double w) {
            const double away = p.shared ? w - start[p.offset + i] : w;
            return (p.shared ? 0.3 : 0.07) / 2 * away * away;
        };
        for (const Parameter& p : store.parameters())
            for (std::size_t i = 0; i < p.size(); ++i) {
                const double w = before[p.offset + i], h = 1e-3;
                const double slope = (penalty(p, i, w + h) - penalty(p, i, w - h)) / (2 * h);
                CHECK(state.penalty(p.trainable_offset + i, w) == doctest::Approx(slope).epsilon(1e-9));
            }

        // The anchor stays where the run began, and the update has the penalty's slope added to the loss's.
        const auto gradient = small::mean_gradient(trainer.engine(), small::batch_of(data));
        std::vector<double> expected(before.begin(), before.end());
        for (const Parameter& p : store.parameters())
            for (std::size_t i = 0; i < p.size(); ++i)
                expected[p.offset + i] -= 0.1 * (gradient[p.trainable_offset + i] +
                                                 state.penalty(p.trainable_offset + i, before[p.offset + i]));
        trainer.fit(data, small::one_step(12));
        for (const Parameter& p : store.parameters())
            for (std::size_t i = 0; i < p.size(); ++i)
                CHECK(store.values()[p.offset + i] == doctest::Approx(expected[p.offset + i]).epsilon(1e-10));
    }

    TEST_CASE("LoRA starts at the pretrained function, bit for bit") {
        using Trunk = Transformer<arch::Bert, Cpu<float>, adapters::Lora>;
        LoraSetting<Trunk, heads::SequenceClassification<>> setting(small::config(), 3);
        const Batch batch = small::batch_of(small::sentences("data", 6, 3, 2));
        Engine engine(setting.model, 2);
        const std::vector<double> before = outputs(engine, batch);
        const std::size_t parameters = setting.model.parameters().total_parameters();
        Trainer trainer(setting.model, freeze::Lora{.rank = 4, .targets = {"query", "key", "dense"}});
        // query, key and three dense layers a block, each with rank · (in + out) numbers: 12 + 12, or 12 + 20.
        CHECK(setting.model.parameters().total_parameters() - parameters == 3 * 4 * (3 * 24 + 2 * 32));
        CHECK(outputs(trainer.engine(), batch) == before);
    }

    TEST_CASE("every dropout layer of a block draws masks of its own, with an adapter on each linear layer too") {
        using Trunk = Transformer<arch::Bert, Cpu<float>, adapters::Lora>;
        LoraSetting<Trunk, heads::SequenceClassification<>> setting(small::config(0.1), 3);
        Trainer trainer(setting.model,
                        freeze::Lora{.rank = 2, .dropout = 0.1, .targets = {"query", "key", "value", "dense"}});
        const Batch batch = small::batch_of(small::sentences("data", 6, 3, 2));
        auto context = trainer.engine().context(true, 5);
        auto& saved = trainer.engine().saved();
        setting.model.trunk().forward(context, batch, saved.trunk);
        const std::size_t layers = context.dropout_site - Trunk::dropout_sites * setting.model.trunk().num_layers();
        CHECK(layers == 9); // the probabilities', two before the sums, and six adapters'
        CHECK(layers <= Trunk::dropout_sites);
    }

    TEST_CASE("LoRA merged into the weights computes what it computes beside them, in both weight layouts") {
        const auto check = [](auto setting, const freeze::Lora& policy, const Dataset& data) {
            auto& model = setting.model;
            Trainer trainer(model, policy, optimizer::AdamW{.learning_rate = 3e-2});
            const Batch batch = small::batch_of(data);
            const std::vector<double> pretrained = outputs(trainer.engine(), batch);
            trainer.fit(data, {.epochs = 4, .batch_size = 4, .threads = 2});
            const std::vector<double> beside = outputs(trainer.engine(), batch);
            auto& store = model.parameters();
            auto context = trainer.engine().context();
            std::size_t merged = 0;
            model.trunk().for_each_linear(store, [&](const std::string&, auto& linear) {
                if (!linear.adapter.active()) return;
                ++merged;
                linear.adapter.merge_into(context, store.value(linear.weight), linear.layout);
                fill(context, 0.0, store.value(linear.adapter.b));
            });
            CHECK(merged > 0);
            trainer.engine().prefix_cache().clear();
            const std::vector<double> within = outputs(trainer.engine(), batch);
            double difference = 0, moved = 0;
            for (std::size_t i = 0; i < beside.size(); ++i) {
                difference = std::max(difference, std::abs(beside[i] - within[i]));
                moved = std::max(moved, std::abs(beside[i] - pretrained[i]));
            }
            CHECK(difference < 1e-12);
            CHECK(moved > 1e-2);
        };
        const Dataset data = small::sentences("data", 12, 3, 2);
        check(LoraSetting<Transformer<arch::Bert, Cpu<double>, adapters::Lora>, heads::SequenceClassification<>>(
                  small::config(), 3),
              {.rank = 3, .alpha = 5}, data);
        check(LoraSetting<Transformer<arch::Gpt2, Cpu<double>, adapters::Lora>, heads::CausalLanguageModel>(
                  small::config(), 0),
              {.rank = 2, .targets = {"c_attn", "c_proj", "c_fc"}}, data);
    }
}

}
