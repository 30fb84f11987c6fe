#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "didact/didact.hpp"

/// Models and data small enough that a test may train them and take differences over them.
namespace didact::small {

template <class B, class Adapter = nn::NoAdapter>
using MlpModel = Model<Mlp<B, Adapter>, heads::SequenceClassification<heads::Pooling::first_token>>;
template <class B, class Adapter = nn::NoAdapter>
using BertModel = Model<Transformer<arch::Bert, B, Adapter>, heads::SequenceClassification<>>;

inline TransformerConfig config(double dropout = 0) {
    return {.vocab_size = 23,
            .hidden_size = 12,
            .num_layers = 3,
            .num_heads = 2,
            .intermediate_size = 20,
            .max_positions = 16,
            .type_vocab_size = 2,
            .initializer_range = 0.2,
            .hidden_dropout = dropout,
            .attention_dropout = dropout,
            .classifier_dropout = dropout};
}

inline MlpConfig mlp_config(std::size_t features = 5) {
    return {.input_size = features, .hidden_sizes = {8, 7}, .initializer_range = 0.3};
}

/// Feature vectors, standard normal; the class is the largest of `classes` linear scores that `rule` draws.
inline Dataset vectors(std::string name, std::size_t samples, std::size_t features, std::size_t classes,
                       std::uint64_t seed, std::uint64_t rule = 7) {
    Random random(seed), scores(rule);
    std::vector<double> w(features * classes);
    for (double& x : w) x = scores.normal();
    Dataset data(std::move(name));
    for (std::size_t i = 0; i < samples; ++i) {
        Sample sample;
        for (std::size_t f = 0; f < features; ++f) sample.features.push_back(float(random.normal()));
        std::vector<double> score(classes, 0.0);
        for (std::size_t c = 0; c < classes; ++c)
            for (std::size_t f = 0; f < features; ++f) score[c] += w[c * features + f] * double(sample.features[f]);
        sample.labels = {std::int32_t(std::max_element(score.begin(), score.end()) - score.begin())};
        data.append(sample);
    }
    return data;
}

/// Sentences of 2 to `longest` tokens below `vocabulary`; the class is the second token's number modulo `classes`.
inline Dataset sentences(std::string name, std::size_t samples, std::size_t classes, std::uint64_t seed,
                         std::size_t longest = 9, std::size_t vocabulary = 23) {
    Random random(seed);
    Dataset data(std::move(name));
    for (std::size_t i = 0; i < samples; ++i) {
        Sample sample;
        const std::size_t length = 2 + random.below(longest - 1);
        for (std::size_t t = 0; t < length; ++t) {
            sample.token_ids.push_back(std::int32_t(random.below(vocabulary)));
            sample.token_type_ids.push_back(t * 2 >= length);
        }
        sample.labels = {std::int32_t(std::size_t(sample.token_ids[1]) % classes)};
        data.append(sample);
    }
    return data;
}

inline Batch batch_of(const Dataset& data, std::size_t task = 0) {
    Batch batch;
    batch.task = task;
    for (std::size_t i = 0; i < data.size(); ++i) batch.append(data, i);
    return batch;
}

/// The values of all parameters as they are now.
template <class Model>
auto values_of(const Model& model) {
    return model.parameters().snapshot();
}

/// True where a parameter's values are the same bytes in two snapshots.
template <class Values>
bool same_bytes(const Parameter& p, const Values& a, const Values& b) {
    return std::equal(a.begin() + std::ptrdiff_t(p.offset), a.begin() + std::ptrdiff_t(p.offset + p.size()),
                      b.begin() + std::ptrdiff_t(p.offset));
}

/// The gradient of the mean loss of a batch, laid out as the trainable parameters, and leaves the store's at zero.
template <class Model>
auto mean_gradient(Engine<Model>& engine, const Batch& batch) {
    auto& store = engine.parameters();
    if (!store.planned()) store.plan();
    std::fill(store.gradients().begin(), store.gradients().end(), typename Model::S(0));
    engine.add_gradient(batch, 1 / engine.model().units(batch), false, 0);
    AlignedVector<typename Model::S> result(store.gradients().begin(), store.gradients().end());
    std::fill(store.gradients().begin(), store.gradients().end(), typename Model::S(0));
    return result;
}

/// One plain step of gradient descent: no clipping, no momentum, no decay, no warm-up.
inline TrainingOptions one_step(std::size_t batch_size) {
    return {.steps = 1, .batch_size = batch_size, .max_gradient_norm = 0, .threads = 2};
}

}
