#include <doctest/doctest.h>

#include "small_models.hpp"

namespace gradients_test {

using namespace didact;

namespace {

using B = Cpu<double>;

TransformerConfig tiny(double dropout) {
    TransformerConfig config = small::config(dropout);
    config.vocab_size = 13;
    config.hidden_size = 8;
    config.intermediate_size = 10;
    config.num_layers = 2;
    config.initializer_range = 0.4;
    return config;
}

/// Three sentences of unequal length and weight; `label` fills in what the head wants.
template <class Label>
Batch batch_for(const Label& label, std::size_t task = 0) {
    const Dataset data = small::sentences("data", 3, 3, 12, 6, 13);
    Batch batch;
    batch.task = task;
    for (std::size_t i = 0; i < data.size(); ++i) {
        Sample sample = data.sample(i);
        sample.labels.clear();
        label(sample, i);
        batch.append(sample, {1, std::uint32_t(i)}, float(1 + i) / 2);
    }
    return batch;
}

Batch vector_batch(std::size_t task = 0) {
    Batch batch = small::batch_of(small::vectors("data", 4, 5, 3, 3), task);
    for (std::size_t i = 0; i < 4; ++i) batch.weights[i] = float(1 + i) / 2;
    return batch;
}

/// Compares the gradient of the mean loss with differences, at some elements of every parameter that trains. In
/// training mode, with a fixed key, so that dropout takes part.
template <class Model>
void check_gradients(Model& model, const Batch& batch) {
    auto& store = model.parameters();
    Random random(23);
    for (double& w : store.values()) w += 0.05 * random.normal(); // biases and norms away from their symmetric start
    store.plan();
    ThreadPool pool(2);
    Arena arena;
    typename Model::Saved saved;
    std::vector<float> sample_losses(batch.size());
    const double units = model.units(batch);
    const auto loss = [&](bool backward) {
        arena.reset();
        Context<B> context{store, pool, arena, true, 77, 0};
        model.forward(context, batch, saved);
        const double sum = model.loss(context, batch, saved, sample_losses);
        if (backward) model.backward(context, batch, saved, 1 / units);
        return sum / units;
    };
    std::ranges::fill(store.gradients(), 1e6);
    store.clear_gradients(); // what is left over takes no part
    loss(true);
    double largest = 0, worst = 0;
    std::string where;
    for (const Parameter& p : store.parameters()) {
        if (!p.trainable) continue;
        for (std::size_t k = 0; k < p.size(); k += std::max<std::size_t>(1, p.size() / 4)) {
            double& w = store.values()[p.offset + k];
            const double keep = w, h = 2e-4;
            const auto at = [&](double offset) {
                w = keep + offset;
                return loss(false);
            };
            const double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
            w = keep;
            const double gradient = store.gradients()[p.trainable_offset + k];
            largest = std::max(largest, std::abs(gradient));
            if (std::abs(gradient - slope) > worst) worst = std::abs(gradient - slope), where = p.name;
        }
    }
    CAPTURE(where);
    CHECK(worst < 1e-7 * std::max(1.0, largest));
    CHECK(largest > 1e-3);
    // Nothing but a mean of what each sample reports.
    for (const float l : sample_losses) CHECK(std::isfinite(l));
}

template <class Trunk, class Head, class Label, class Config>
void check_head(const Config& config, const Label& label, HeadOptions options) {
    Model<Trunk, Head> model(config, 3);
    model.add_head(options);
    check_gradients(model, batch_for(label));
}

const auto one_class = [](Sample& sample, std::size_t i) { sample.labels = {std::int32_t(i % 3)}; };

}

TEST_SUITE("property") {

    TEST_CASE("a classifier over BERT has the slopes of its loss, with every pooling, smoothed and weighted") {
        using Trunk = Transformer<arch::Bert, B>;
        using enum heads::Pooling;
        const HeadOptions plain{.num_labels = 3};
        const HeadOptions weighted{.num_labels = 3, .label_smoothing = 0.2, .class_weights = {0.5f, 2.f, 1.25f}};
        check_head<Trunk, heads::SequenceClassification<first_token_tanh>>(tiny(0.2), one_class, plain);
        check_head<Trunk, heads::SequenceClassification<first_token>>(tiny(0), one_class, weighted);
        check_head<Trunk, heads::SequenceClassification<mean>>(tiny(0.2), one_class, weighted);
        check_head<Trunk, heads::SequenceClassification<last_token>>(tiny(0.2), one_class, weighted);
    }

    TEST_CASE("multi-label, regression and ranking heads have the slopes of their losses") {
        using Trunk = Transformer<arch::Bert, B>;
        const auto values = [](std::size_t count) {
            return [count](Sample& sample, std::size_t i) {
                for (std::size_t j = 0; j < count; ++j) sample.values.push_back(float((i + j) % 2));
            };
        };
        check_head<Trunk, heads::MultiLabelClassification<>>(tiny(0.1), values(4), {.num_labels = 4});
        check_head<Trunk, heads::Regression<heads::Pooling::mean>>(tiny(0), values(2), {.num_labels = 2});
        check_head<Trunk, heads::Ranking<>>(tiny(0),
                                            [](Sample& sample, std::size_t i) {
                                                sample.labels = {7};
                                                sample.values = {float(i)};
                                            },
                                            {.num_labels = 1});
    }

    TEST_CASE("tagging and span heads have the slopes of their losses") {
        using Trunk = Transformer<arch::Bert, B>;
        const auto tags = [](Sample& sample, std::size_t) {
            for (const std::int32_t id : sample.token_ids)
                sample.labels.push_back(id % 4 == 3 ? ignored_label : id % 4);
        };
        check_head<Trunk, heads::TokenClassification>(tiny(0.2), tags, {.num_labels = 3});
        check_head<Trunk, heads::TokenClassification>(
            tiny(0), tags, {.num_labels = 3, .label_smoothing = 0.1, .class_weights = {1.f, 3.f, 0.5f}});
        check_head<Trunk, heads::Span>(
            tiny(0.1),
            [](Sample& sample, std::size_t i) {
                sample.labels = {std::int32_t(i % 2), std::int32_t(sample.token_ids.size() - 1)};
            },
            {.num_labels = 2});
    }

    TEST_CASE("language-model heads have the slopes of their losses, through the tied embedding too") {
        check_head<Transformer<arch::Bert, B>, heads::MaskedLanguageModel>(
            tiny(0.1),
            [](Sample& sample, std::size_t) {
                for (std::size_t t = 0; t < sample.token_ids.size(); ++t)
                    sample.labels.push_back(t % 2 ? std::int32_t(t * 3 % 13) : ignored_label);
            },
            {});
        check_head<Transformer<arch::Gpt2, B>, heads::CausalLanguageModel>(tiny(0.1), [](Sample&, std::size_t) {},
                                                                           {.label_smoothing = 0.1});
    }

    TEST_CASE("GPT-2 under a classifier has the slopes of its loss") {
        check_head<Transformer<arch::Gpt2, B>, heads::SequenceClassification<heads::Pooling::mean>>(
            tiny(0.1), one_class, {.num_labels = 3});
        TransformerConfig relu = tiny(0);
        relu.activation = "gelu_new";
        check_head<Transformer<arch::Gpt2, B>, heads::SequenceClassification<heads::Pooling::last_token>>(
            relu, one_class, {.num_labels = 3});
    }

    TEST_CASE("an MLP has the slopes of its loss") {
        small::MlpModel<B> model(small::mlp_config(), 3);
        model.add_head({.num_labels = 3});
        check_gradients(model, vector_batch());
    }

    TEST_CASE("a cross-stitch network has the slopes of its loss in every column and every mixture") {
        using Trunk = CrossStitch<Transformer<arch::Bert, B>>;
        for (const std::size_t task : {0u, 1u}) {
            Model<Trunk, heads::SequenceClassification<>> model(
                CrossStitchConfig{.transformer = tiny(0.1), .columns = 2, .own = 0.8}, 3);
            model.add_head({.num_labels = 3});
            model.add_head({.num_labels = 3});
            check_gradients(model, batch_for(one_class, task));
        }
    }

    TEST_CASE("LoRA adapters have the slopes of the loss, in both weight layouts, under dropout, frozen base or not") {
        const auto check = [](auto&& model, const freeze::Lora& policy, bool frozen, const Batch& batch) {
            using M = std::remove_cvref_t<decltype(model)>;
            model.add_head({.num_labels = 3});
            typename freeze::Lora::State<M> state(policy, model);
            if (frozen) state.plan(model, {});
            check_gradients(model, batch);
        };
        using Bert = Transformer<arch::Bert, B, adapters::Lora>;
        using Gpt2 = Transformer<arch::Gpt2, B, adapters::Lora>;
        using Classifier = heads::SequenceClassification<heads::Pooling::mean>;
        freeze::Lora all{.rank = 2, .alpha = 3, .dropout = 0.2, .targets = {"query", "key", "value", "dense"}};
        check(Model<Bert, Classifier>(tiny(0.1), 3), all, true, batch_for(one_class));
        check(Model<Bert, heads::SequenceClassification<>>(tiny(0.1), 3), all, true, batch_for(one_class));
        check(Model<Bert, Classifier>(tiny(0), 3), {.rank = 2}, false, batch_for(one_class));
        all.targets = {"c_attn", "c_proj", "c_fc"};
        check(Model<Gpt2, Classifier>(tiny(0.1), 3), all, true, batch_for(one_class));
        check(small::MlpModel<B, adapters::Lora>(small::mlp_config(), 3), {.rank = 2, .targets = {"0", "1"}}, true,
              vector_batch());
    }

    TEST_CASE("a last block that computes what the head reads gives the gradients of one that computes all") {
        const auto check = [](auto&& model, const Batch& batch) {
            using M = std::remove_cvref_t<decltype(model)>;
            for (std::size_t task = 0; task <= batch.task; ++task) model.add_head({.num_labels = 3});
            model.parameters().plan();
            ThreadPool pool(2);
            Arena arena;
            std::vector<float> losses[2] = {std::vector<float>(batch.size()), std::vector<float>(batch.size())};
            AlignedVector<double> gradients[2];
            std::size_t rows[2];
            for (const bool all : {false, true}) {
                arena.reset();
                model.parameters().clear_gradients();
                typename M::Saved saved;
                Context<B> context{model.parameters(), pool, arena, true, 77, 0};
                context.every_token = all;
                model.forward(context, batch, saved);
                rows[all] = saved.hidden.rows;
                model.loss(context, batch, saved, losses[all]);
                model.backward(context, batch, saved, 0.5);
                gradients[all].assign(model.parameters().gradients().begin(), model.parameters().gradients().end());
            }
            CHECK(rows[0] < rows[1]);
            CHECK(rows[1] == batch.tokens());
            CHECK(losses[0] == losses[1]); // sums in double, kept as float
            double largest = 0;
            for (std::size_t i = 0; i < gradients[0].size(); ++i) {
                CHECK(std::abs(gradients[0][i] - gradients[1][i]) < 1e-12);
                largest = std::max(largest, std::abs(gradients[0][i]));
            }
            CHECK(largest > 1e-2);
        };
        using enum heads::Pooling;
        using activation_checkpointing::EveryBlock;
        using Bert = Transformer<arch::Bert, B>;
        using Gpt2 = Transformer<arch::Gpt2, B>;
        check(Model<Bert, heads::SequenceClassification<>>(tiny(0.2), 3), batch_for(one_class, 1));
        check(Model<Bert, heads::SequenceClassification<first_token>>(tiny(0.2), 3), batch_for(one_class));
        check(Model<Gpt2, heads::SequenceClassification<heads::Pooling::last_token>>(tiny(0.2), 3),
              batch_for(one_class));
        check(
            Model<Transformer<arch::Bert, B, nn::NoAdapter, EveryBlock>, heads::SequenceClassification<>>(tiny(0.2), 3),
            batch_for(one_class));
        check(Model<Bert, heads::MaskedLanguageModel>(tiny(0.2), 3), batch_for([](Sample& sample, std::size_t i) {
                  for (std::size_t t = 0; t < sample.token_ids.size(); ++t) // nothing in the second sentence
                      sample.labels.push_back(t % 2 && i != 1 ? std::int32_t(t * 3 % 13) : ignored_label);
              }));
    }

    TEST_CASE("a frozen prefix, or a frozen middle, leaves the other gradients as they were") {
        using M = Model<Transformer<arch::Bert, B>, heads::SequenceClassification<>>;
        const Batch batch = batch_for(one_class);
        M whole(tiny(0), 3);
        whole.add_head({.num_labels = 3});
        Engine engine(whole, 1);
        small::mean_gradient(engine, batch);
        const auto reference = small::mean_gradient(engine, batch);
        for (const int kind : {0, 1, 2, 3}) {
            M model(tiny(0), 3);
            model.add_head({.num_labels = 3});
            auto& store = model.parameters();
            for (ParameterId id = 0; id < store.count(); ++id) {
                const std::size_t stage = store[id].shared ? model.trunk().stage_of(store[id].name) : 9;
                const bool trains = kind == 0 ? stage > 0 : kind == 1 ? stage > 1 : kind == 2 ? stage != 1 : stage == 9;
                store.set_trainable(id, trains);
            }
            store.plan();
            Engine part(model, 1);
            const auto g = small::mean_gradient(part, batch);
            for (ParameterId id = 0; id < store.count(); ++id)
                for (std::size_t i = 0; store.trains(id) && i < store[id].size(); ++i)
                    CHECK(g[store[id].trainable_offset + i] ==
                          doctest::Approx(reference[whole.parameters()[id].trainable_offset + i]).epsilon(1e-12));
        }
    }
}

}
