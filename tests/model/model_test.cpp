#include <doctest/doctest.h>

#include "small_models.hpp"

namespace model_test {

using namespace didact;

namespace {

template <class Model>
std::vector<float> hidden_states(Model& model, const Batch& batch) {
    Engine engine(model, 2);
    auto context = engine.context();
    const auto hidden = model.trunk().forward(context, batch, engine.saved().trunk, false);
    return {hidden.data, hidden.data + hidden.size()};
}

Batch of_tokens(const std::vector<std::vector<std::int32_t>>& sequences) {
    Batch batch;
    for (std::size_t s = 0; s < sequences.size(); ++s)
        batch.append(Sample{.token_ids = sequences[s], .labels = {0}}, SampleId{5, std::uint32_t(s)});
    return batch;
}

using F = Cpu<float>;
using Bert = Model<Transformer<arch::Bert, F>, heads::SequenceClassification<>>;
using Gpt2 = Model<Transformer<arch::Gpt2, F>, heads::CausalLanguageModel>;

}

TEST_SUITE("property") {

    TEST_CASE("GPT-2 is causal: a token's hidden state has the same bits whatever comes after it") {
        Gpt2 model(small::config(), 4);
        const std::vector<std::int32_t> text{3, 7, 1, 20, 5, 9, 2, 2, 11};
        const std::vector<float> whole = hidden_states(model, of_tokens({text}));
        for (std::size_t t = 1; t < text.size(); ++t) {
            std::vector<std::int32_t> other = text;
            for (std::size_t later = t; later < other.size(); ++later) other[later] = (other[later] + 4) % 23;
            const std::vector<float> changed = hidden_states(model, of_tokens({other}));
            CHECK(std::equal(whole.begin(), whole.begin() + std::ptrdiff_t(12 * t), changed.begin()));
            CHECK(!std::equal(whole.begin() + std::ptrdiff_t(12 * t), whole.begin() + std::ptrdiff_t(12 * t + 12),
                              changed.begin() + std::ptrdiff_t(12 * t)));
            other.resize(t);
            const std::vector<float> prefix = hidden_states(model, of_tokens({other}));
            for (std::size_t i = 0; i < prefix.size(); ++i)
                CHECK(prefix[i] == doctest::Approx(whole[i]).epsilon(1e-5)); // products of other lengths round anew
        }
    }

    TEST_CASE("BERT is not causal: the last token reaches the first state") {
        Bert model(small::config(), 4);
        const std::vector<float> a = hidden_states(model, of_tokens({{3, 7, 1, 20}}));
        const std::vector<float> b = hidden_states(model, of_tokens({{3, 7, 1, 21}}));
        CHECK(!std::equal(a.begin(), a.begin() + 12, b.begin()));
    }

    TEST_CASE("a sequence's hidden states have the same bits alone and in any batch") {
        const std::vector<std::vector<std::int32_t>> texts{{3, 7, 1}, {9}, {2, 2, 4, 8, 1, 0, 22}, {6, 5}};
        const auto check = [&](auto&& model) {
            const std::vector<float> all = hidden_states(model, of_tokens(texts));
            std::size_t at = 0;
            for (const auto& text : texts) {
                const std::vector<float> alone = hidden_states(model, of_tokens({text}));
                CHECK(std::equal(alone.begin(), alone.end(), all.begin() + std::ptrdiff_t(at)));
                at += alone.size();
            }
            CHECK(at == all.size());
        };
        check(Bert(small::config(), 4));
        check(Gpt2(small::config(), 4));
    }

    TEST_CASE("a config without a size that the architecture needs is refused by that size's name") {
        TransformerConfig config = small::config();
        config.type_vocab_size = 0;
        CHECK_THROWS_WITH_AS(Bert(config, 4), "config of a bert model: type_vocab_size is 0", Error);
        CHECK_NOTHROW(Gpt2(config, 4));
        config.num_layers = 0;
        CHECK_THROWS_WITH_AS(Gpt2(config, 4), "config of a gpt2 model: num_layers is 0", Error);
    }

    TEST_CASE("tokens to be read lie in the batch and ascend, and a head that reads all refuses the states of some") {
        Bert model(small::config(), 4);
        Engine engine(model, 1);
        auto context = engine.context();
        const Batch batch = of_tokens({{3, 7, 1}, {9}});
        auto& saved = engine.saved().trunk;
        const auto states = [&](const std::vector<std::int32_t>& read) {
            return model.trunk().forward(context, batch, saved, false, read);
        };
        CHECK(states({0, 3}).rows == 2);
        CHECK(states({}).rows == 4);
        const std::string wanted = " to be read of a batch of 4 tokens: they must lie in the batch, in ascending order";
        CHECK_THROWS_WITH(states({1, 4}), ("token 4" + wanted).c_str());
        CHECK_THROWS_WITH(states({-1}), ("token -1" + wanted).c_str());
        CHECK_THROWS_WITH(states({2, 1}), ("token 1" + wanted).c_str());
        CHECK_THROWS_WITH(states({2, 2}), ("token 2" + wanted).c_str());

        Model<Transformer<arch::Bert, F>, heads::TokenClassification> tagger(small::config(), 4);
        tagger.add_head({.num_labels = 3});
        Engine of_tagger(tagger, 1);
        auto own = of_tagger.context();
        const auto some =
            tagger.trunk().forward(own, batch, of_tagger.saved().trunk, false, std::vector<std::int32_t>{1});
        CHECK_THROWS_WITH(tagger.with_head(0, of_tagger.saved(),
                                           [&](const auto& head, auto& kept) { head.logits(own, some, batch, kept); }),
                          "a head for token_classification got the hidden states of 1 tokens, it reads all 4 of the "
                          "batch");
    }

    TEST_CASE("a head refuses the states that another head read, unless the context asks for every token") {
        Model<Transformer<arch::Bert, F>, heads::MaskedLanguageModel, heads::SequenceClassification<>> model(
            small::config(), 4);
        model.add_head<heads::MaskedLanguageModel>({.name = "words"});
        model.add_head<heads::SequenceClassification<>>({.name = "class", .num_labels = 3});
        Batch batch;
        batch.append(Sample{.token_ids = {3, 7, 1}, .labels = {ignored_label, 2, ignored_label}}, SampleId{5, 0});
        batch.append(Sample{.token_ids = {9, 4}, .labels = {ignored_label, ignored_label}}, SampleId{5, 1});
        Engine engine(model, 1);
        auto context = engine.context();
        auto& saved = engine.saved();
        const auto ask_other_head = [&] {
            model.forward(context, batch, saved);
            model.with_head(1, saved,
                            [&](const auto& head, auto& kept) { head.logits(context, saved.hidden, batch, kept); });
        };
        CHECK_THROWS_WITH(ask_other_head(),
                          "a head that reads 2 tokens of a batch of 5 got the hidden states of 1: another head's; a "
                          "context whose every_token is set has them for all heads");
        context.every_token = true;
        CHECK_NOTHROW(ask_other_head());
    }

    TEST_CASE_TEMPLATE("what a frozen prefix gives for a sample has the same bits whatever comes with it", T, float,
                       double, bf16) {
        using S = Scalar<Cpu<T>>;
        TransformerConfig config = small::config();
        config.hidden_size = 72;
        config.intermediate_size = 300;
        config.max_positions = 64;
        const Dataset data = small::sentences("data", 60, 3, 1, 50);
        const auto states = [&](std::size_t at_once) {
            small::BertModel<Cpu<T>> model(config, 3);
            model.add_head({.num_labels = 3});
            Trainer trainer(model, freeze::Prefix{.layers = 2});
            trainer.policies().plan(model, {});
            Engine<decltype(model)>& engine = trainer.engine();
            std::vector<S> all;
            engine.for_each_batch(data, 0, at_once, [&](const Batch& batch) {
                engine.logits(batch);
                for (std::size_t s = 0; s < batch.size(); ++s) {
                    const std::size_t tokens = std::size_t(batch.cu_seqlens[s + 1] - batch.cu_seqlens[s]);
                    std::vector<S> own(tokens * config.hidden_size);
                    REQUIRE(engine.prefix_cache().load(batch, s, {own.data(), tokens, config.hidden_size}));
                    all.insert(all.end(), own.begin(), own.end());
                }
            });
            return all;
        };
        const std::vector<S> together = states(60);
        for (const std::size_t at_once : {1u, 2u, 7u, 31u}) CHECK(states(at_once) == together);
    }

    TEST_CASE("the cache of a frozen prefix gives the same bits, in training too") {
        const Dataset data = small::sentences("data", 18, 3, 1), other = small::sentences("other", 10, 3, 2);
        for (const std::size_t layers : {1u, 2u, 3u}) {
            AlignedVector<float> values[2];
            std::vector<float> logits[2];
            for (const bool cached : {false, true}) {
                Bert model(small::config(0.1), 3);
                model.add_head({.num_labels = 3});
                Trainer trainer(model, freeze::Prefix{.layers = layers}, optimizer::AdamW{.learning_rate = 1e-2});
                if (!cached) trainer.engine().prefix_cache().capacity = 0;
                trainer.fit(data, other, {.epochs = 3, .batch_size = 5, .restore_best = false});
                CHECK(trainer.engine().prefix_cache().samples() == (cached ? data.size() + other.size() : 0));
                values[cached] = small::values_of(model);
                const View<float> z = trainer.engine().logits(small::batch_of(data));
                logits[cached].assign(z.data, z.data + z.size());
            }
            CHECK(values[0] == values[1]);
            CHECK(logits[0] == logits[1]);
        }
    }
}

TEST_SUITE("unit") {

    TEST_CASE("the cache of a frozen prefix keeps within its capacity and computes the rest each time") {
        const Dataset data = small::sentences("data", 18, 3, 1);
        AlignedVector<float> values[2];
        for (const bool whole : {false, true}) {
            Bert model(small::config(), 3);
            model.add_head({.num_labels = 3});
            Trainer trainer(model, freeze::Prefix{.layers = 2});
            auto& cache = trainer.engine().prefix_cache();
            if (!whole) cache.capacity = 12 * sizeof(float) * 40; // forty tokens
            trainer.fit(data, {.epochs = 2, .batch_size = 5});
            CHECK(cache.bytes() <= cache.capacity);
            CHECK((cache.samples() == data.size()) == whole);
            CHECK(cache.samples() > 0);
            values[whole] = small::values_of(model);
        }
        CHECK(values[0] == values[1]);
    }

    TEST_CASE("samples that come from no data set are never taken from the cache") {
        Bert model(small::config(), 3);
        model.add_head({.num_labels = 3});
        Trainer trainer(model, freeze::Prefix{.layers = 2});
        trainer.policies().plan(model, {});
        const auto logits_of = [&](const std::vector<std::int32_t>& text) {
            Batch batch;
            batch.append(Sample{.token_ids = text, .labels = {0}}, SampleId{});
            const View<float> z = trainer.engine().logits(batch);
            return std::vector<float>(z.data, z.data + z.size());
        };
        const std::vector<float> one = logits_of({3, 7}), two = logits_of({9, 1, 4, 4, 2});
        CHECK(one != two);
        CHECK(logits_of({3, 7}) == one);
        CHECK(trainer.engine().prefix_cache().samples() == 0);
    }

    TEST_CASE("the first head has the names of Transformers, those after it their task's") {
        Model<Transformer<arch::Bert, F>, heads::SequenceClassification<>, heads::TokenClassification> model(
            small::config());
        CHECK(model.add_head({.name = "topic", .labels = {"a", "b"}}) == 0);
        CHECK(model.add_head<heads::TokenClassification>({.name = "names", .num_labels = 5}) == 1);
        CHECK(model.add_head({.num_labels = 3}) == 2);
        CHECK(model.tasks() == 3);
        CHECK(model.task_name(0) == "topic");
        CHECK(model.task_name(2) == "task2");
        auto& store = model.parameters();
        for (const char* name : {"bert.pooler.dense.weight", "classifier.weight", "heads.names.classifier.bias",
                                 "heads.task2.bert.pooler.dense.bias", "heads.task2.classifier.weight"}) {
            CAPTURE(name);
            REQUIRE(store.find(name) != no_parameter);
            CHECK(!store[store.find(name)].shared);
        }
        CHECK(store[store.find("heads.names.classifier.weight")].rows == 5);
        CHECK(store[store.find("bert.embeddings.word_embeddings.weight")].shared);
    }

    TEST_CASE("each sample's own loss is its mean, whatever its weight, and the units are the weights") {
        Bert model(small::config(), 3);
        model.add_head({.num_labels = 3});
        Engine engine(model, 1);
        const Dataset data = small::sentences("data", 5, 3, 1);
        Batch batch = small::batch_of(data);
        const double plain = engine.mean_loss(batch);
        const std::vector<float> losses(engine.losses().begin(), engine.losses().begin() + 5);
        double sum = 0;
        for (const float loss : losses) sum += double(loss);
        CHECK(plain == doctest::Approx(sum / 5).epsilon(1e-6));
        batch.weights = {1, 0, 2, 0.5f, 0};
        CHECK(model.units(batch) == doctest::Approx(3.5));
        CHECK(
            engine.mean_loss(batch) ==
            doctest::Approx((double(losses[0]) + 2 * double(losses[2]) + 0.5 * double(losses[3])) / 3.5).epsilon(1e-6));
        CHECK(std::equal(losses.begin(), losses.end(), engine.losses().begin()));
    }

    TEST_CASE("a parameter's stage says where it stands, also within columns and adapters") {
        Bert bert(small::config());
        CHECK(bert.trunk().stages() == 4);
        CHECK(bert.trunk().stage_of("bert.embeddings.LayerNorm.weight") == 0);
        CHECK(bert.trunk().stage_of("bert.encoder.layer.0.output.dense.bias") == 1);
        CHECK(bert.trunk().stage_of("bert.encoder.layer.2.attention.self.query.lora_A.weight") == 3);
        CHECK(bert.trunk().stage_of("column1.bert.encoder.layer.11.output.dense.bias") == 12);
        Gpt2 gpt2(small::config());
        CHECK(gpt2.trunk().stage_of("transformer.wte.weight") == 0);
        CHECK(gpt2.trunk().stage_of("transformer.h.1.attn.c_attn.weight") == 2);
        CHECK(gpt2.trunk().stage_of("transformer.ln_f.bias") == 4);
        CHECK(gpt2.trunk().first_trainable_stage(gpt2.parameters()) == 0);
        for (ParameterId id = 0; id < gpt2.parameters().count(); ++id)
            gpt2.parameters().set_trainable(id, gpt2.parameters()[id].name == "transformer.ln_f.bias");
        CHECK(gpt2.trunk().first_trainable_stage(gpt2.parameters()) == 4);
        gpt2.parameters().set_trainable(0, false);
        gpt2.parameters().set_trainable(gpt2.parameters().find("transformer.ln_f.bias"), false);
        CHECK(gpt2.trunk().first_trainable_stage(gpt2.parameters()) == 5);
    }
}

}
