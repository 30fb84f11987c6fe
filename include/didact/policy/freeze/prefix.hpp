#pragma once
#include "didact/model/model.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/moment.hpp"

namespace didact::freeze {

/// Sets what trains by stage: `trains(stage)` for the trunk's parameters, always for the heads'.
template <class Model, class Trains>
void train_stages(Model& model, const Trains& trains) {
    auto& store = model.parameters();
    for (ParameterId id = 0; id < store.count(); ++id)
        store.set_trainable(id, !store[id].shared || trains(model.trunk().stage_of(store[id].name)));
}

/// Says whether dropout is active within frozen blocks. Every plan begins with no.
template <class Model>
void set_frozen_dropout(Model& model, bool active) {
    if constexpr (requires { model.trunk().frozen_dropout; }) model.trunk().frozen_dropout = active;
}

/// The embeddings and the first `layers` blocks keep the values they came with; the rest trains. Frozen parameters have
/// no gradient, no optimizer state and no weight decay, backward ends above them, and where `dropout` is off their
/// output is computed once a sample (Lee et al. 2019, arXiv 1911.03090, "What would Elsa do?").
struct Prefix {
    static constexpr Family family = Family::freeze;
    std::size_t layers = 0;
    bool dropout = false; ///< active within the frozen blocks, as in Transformers; then nothing is cached

    template <class Model>
    struct State {
        State(const Prefix& policy, Model& model) : layers(policy.layers), dropout(policy.dropout) {
            require(layers <= model.trunk().num_layers(), "freeze::Prefix: layers is ", layers, ", the model has ",
                    model.trunk().num_layers());
            set_frozen_dropout(model, dropout);
        }
        void plan(Model& model, const Moment&) {
            train_stages(model, [&](std::size_t stage) { return stage > layers; });
            set_frozen_dropout(model, dropout);
        }
        void serialize(auto& archive) {
            archive("layers", layers);
            archive("dropout", dropout);
        }
        std::size_t layers;
        bool dropout;
    };
    static std::string name() { return "prefix"; }
    static void fields(auto& policy, const auto& visit) {
        visit("layers", policy.layers);
        visit("dropout", policy.dropout);
    }
    friend bool operator==(const Prefix&, const Prefix&) = default;
};

/// Only the embeddings are frozen.
struct Embeddings {
    static constexpr Family family = Family::freeze;
    bool dropout = false; ///< active after the frozen embeddings

    template <class Model>
    struct State {
        State(const Embeddings& policy, Model& model) : dropout(policy.dropout) { set_frozen_dropout(model, dropout); }
        void plan(Model& model, const Moment&) {
            train_stages(model, [](std::size_t stage) { return stage > 0; });
            set_frozen_dropout(model, dropout);
        }
        void serialize(auto& archive) { archive("dropout", dropout); }
        bool dropout;
    };
    static std::string name() { return "embeddings"; }
    static void fields(auto& policy, const auto& visit) { visit("dropout", policy.dropout); }
    friend bool operator==(const Embeddings&, const Embeddings&) = default;
};

/// The trunk is a fixed feature extractor: only the heads train.
struct AllButHead {
    static constexpr Family family = Family::freeze;
    bool dropout = false; ///< active within the frozen trunk

    template <class Model>
    struct State {
        State(const AllButHead& policy, Model& model) : dropout(policy.dropout) { set_frozen_dropout(model, dropout); }
        void plan(Model& model, const Moment&) {
            train_stages(model, [](std::size_t) { return false; });
            set_frozen_dropout(model, dropout);
        }
        void serialize(auto& archive) { archive("dropout", dropout); }
        bool dropout;
    };
    static std::string name() { return "all-but-head"; }
    static void fields(auto& policy, const auto& visit) { visit("dropout", policy.dropout); }
    friend bool operator==(const AllButHead&, const AllButHead&) = default;
};

}
