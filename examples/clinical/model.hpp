#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "didact/didact.hpp"
#include "didact/text/wordpiece.hpp"

namespace clinical {

/// A BERT encoder, with or without adapters. Cross-stitch sharing takes one for each task.
template <class Adapter = didact::nn::NoAdapter>
using Encoder = didact::Transformer<didact::arch::Bert, didact::Cpu<float>, Adapter>;

/// Diagnoses are read off the mean of the hidden states, tags off each of them.
using Classifier = didact::heads::SequenceClassification<didact::heads::Pooling::mean>;
using Tagger = didact::heads::TokenClassification;

template <class Trunk>
using StudyModel = didact::Model<Trunk, Classifier, Tagger>;

/// Weights that runs start from, by their names in a checkpoint.
struct Pretrained {
    std::string description;
    didact::TransformerConfig config;
    std::unordered_map<std::string, std::vector<float>> weights;
};

/// The weights of a Hugging Face folder.
Pretrained load_pretrained(const std::string& folder);

/// Sizes of the small model that is pretrained where no folder is given: 2 blocks of 128, 4 attention heads.
Pretrained small_model(std::size_t vocab_size);

/// Masked language modelling of `texts` for `steps` steps of `batch_size` pieces of at most 64 tokens.
Pretrained pretrain(const Pretrained& start, const didact::text::WordPieceTokenizer& tokenizer,
                    const std::vector<std::string>& texts, std::size_t steps, std::size_t batch_size,
                    double learning_rate, std::size_t threads, const std::string& description);

/// Gives a model's trunk the pretrained weights: each column of a cross-stitch network the same ones.
template <class Model>
void copy_weights(const Pretrained& from, Model& model) {
    auto& store = model.parameters();
    for (didact::ParameterId id = 0; id < store.count(); ++id) {
        std::string name = store[id].name;
        if (name.starts_with("column")) name = name.substr(name.find('.') + 1);
        const auto found = from.weights.find(name);
        if (found != from.weights.end())
            std::copy(found->second.begin(), found->second.end(), store.value(id).data);
        else
            didact::require(!store[id].shared || name.starts_with("cross_stitch.") ||
                                name.find(".lora_") != std::string::npos,
                            from.description, ": there are no weights '", name, "'");
    }
}

}
