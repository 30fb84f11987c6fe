#include <doctest/doctest.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "didact/didact.hpp"
#include "didact/io/hugging_face.hpp"

#include "scratch.hpp"

namespace hugging_face_test {

using namespace didact;
using Json = nlohmann::json;
using namespace std::string_literals;

namespace {

const std::filesystem::path fixtures = DIDACT_SOURCE_DIR "/tests/parity/fixtures";

using Gpt2 = Model<Transformer<arch::Gpt2, Cpu<float>>, heads::CausalLanguageModel, heads::TokenClassification>;
using Bert = Model<Transformer<arch::Bert, Cpu<float>>, heads::MaskedLanguageModel>;

/// A folder with the config.json of `family`, of which some entries are others; null takes an entry out.
template <arch::Arch A>
struct Config {
    explicit Config(const Json& changes) {
        Json json = io::read_json(fixtures / A::model_type / "config.json");
        for (const auto& [key, value] : changes.items()) {
            json.erase(key);
            if (!value.is_null()) json[key] = value;
        }
        io::write_json(folder.path / "config.json", json);
    }
    TransformerConfig read() const { return io::read_config<A>(folder.path).transformer; }
    std::string error() const {
        return error_of([&] { read(); }, folder.path);
    }

    ScratchFolder folder;
};

/// Saves a model with one more tensor, `name`: the values of `original`, the first of them plus `difference`.
template <class M>
void save_with_output(M& model, const std::filesystem::path& folder, const std::string& name,
                      const std::string& original, float difference) {
    io::save_pretrained(model, folder);
    const io::Safetensors saved(folder / "model.safetensors");
    io::SafetensorsWriter writer(folder / "model.safetensors");
    std::vector<std::vector<float>> kept; // until they are written
    const auto add = [&](const std::string& as, const std::string& of, float more) {
        const io::TensorView tensor = saved.tensor(of);
        saved.read(of, kept.emplace_back(tensor.size()));
        kept.back()[0] += more;
        writer.add(as, {tensor.shape.begin(), tensor.shape.end()}, std::span<const float>(kept.back()));
    };
    for (const std::string& each : saved.names()) add(each, each, 0);
    add(name, original, difference);
    writer.commit();
}

}

TEST_SUITE("unit") {

    TEST_CASE("a config.json that asks for another computation is refused, with file and key") {
        const auto gpt2 = [](const Json& changes) { return Config<arch::Gpt2>(changes).error(); };
        CHECK(gpt2({}) == "no error");
        CHECK(gpt2({{"scale_attn_weights", nullptr}, {"add_cross_attention", nullptr}}) == "no error");
        CHECK(gpt2({{"reorder_and_upcast_attn", true}}) == "no error"); // another order of the same sums
        CHECK(gpt2({{"scale_attn_weights", false}}) ==
              "config.json: 'scale_attn_weights' is false, only true is supported");
        CHECK(gpt2({{"scale_attn_by_inverse_layer_idx", true}}) ==
              "config.json: 'scale_attn_by_inverse_layer_idx' is true, only false is supported");
        CHECK(gpt2({{"add_cross_attention", true}}) ==
              "config.json: 'add_cross_attention' is true, only false is supported");

        const auto bert = [](const Json& changes) { return Config<arch::Bert>(changes).error(); };
        CHECK(bert({}) == "no error");
        CHECK(bert({{"is_decoder", nullptr}, {"position_embedding_type", "absolute"}}) == "no error");
        CHECK(bert({{"is_decoder", true}}) == "config.json: 'is_decoder' is true, only false is supported");
        CHECK(bert({{"add_cross_attention", true}}) ==
              "config.json: 'add_cross_attention' is true, only false is supported");
        CHECK(bert({{"position_embedding_type", "relative_key"}}) ==
              "config.json: 'position_embedding_type' is the string \"relative_key\", only \"absolute\" is supported");
    }

    TEST_CASE("what a config.json leaves out is as in Transformers") {
        const TransformerConfig gpt2 = Config<arch::Gpt2>({{"n_head", nullptr},
                                                           {"n_embd", 24},
                                                           {"n_inner", nullptr},
                                                           {"n_positions", nullptr},
                                                           {"layer_norm_epsilon", nullptr},
                                                           {"activation_function", nullptr}})
                                           .read();
        CHECK(gpt2.num_heads == 12);
        CHECK(gpt2.intermediate_size == 96);
        CHECK(gpt2.max_positions == 1024);
        CHECK(gpt2.layer_norm_epsilon == 1e-5);
        CHECK(gpt2.activation == "gelu_new");
        const TransformerConfig bert = Config<arch::Bert>({{"num_attention_heads", nullptr},
                                                           {"hidden_size", 24},
                                                           {"max_position_embeddings", nullptr},
                                                           {"type_vocab_size", nullptr},
                                                           {"layer_norm_eps", nullptr},
                                                           {"hidden_act", nullptr}})
                                           .read();
        CHECK(bert.num_heads == 12);
        CHECK(bert.max_positions == 512);
        CHECK(bert.type_vocab_size == 2);
        CHECK(bert.layer_norm_epsilon == 1e-12);
        CHECK(bert.activation == "gelu");
    }

    TEST_CASE("the numbers of special tokens and the dropout before a classifier come through") {
        const auto again = [](const Json& changes) {
            const ScratchFolder folder;
            Gpt2 model(Config<arch::Gpt2>(changes).read(), 1);
            model.add_head<heads::TokenClassification>({.num_labels = 2});
            io::save_pretrained(model, folder.path);
            return io::read_json(folder.path / "config.json");
        };
        const Json given = again({{"pad_token_id", 4}, {"resid_pdrop", 0.25}});
        CHECK(given["pad_token_id"] == 4);
        CHECK(given["bos_token_id"] == 1);
        CHECK(given["eos_token_id"] == 2);
        CHECK(!given.contains("classifier_dropout")); // Transformers takes 0.1, whatever the others are
        CHECK(Config<arch::Gpt2>(Json{{"resid_pdrop", 0.25}}).read().classifier_dropout == 0.1);
        CHECK(Config<arch::Bert>(Json{{"hidden_dropout_prob", 0.25}}).read().classifier_dropout == 0.25);
        const Json none = again({{"bos_token_id", nullptr}, {"eos_token_id", Json::array({1, 2})}});
        CHECK(!none.contains("pad_token_id"));
        CHECK(none["bos_token_id"].is_null());
        CHECK(none["eos_token_id"].is_null());
        CHECK(again({{"classifier_dropout", 0.5}})["classifier_dropout"] == 0.5);
    }

    TEST_CASE("a head for other labels, or of another pooling, is not loaded without a word") {
        using Classifier = Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>>;
        using Mean = Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<heads::Pooling::mean>>;
        const ScratchFolder folder;
        const TransformerConfig config = Config<arch::Bert>({}).read();
        Classifier model(config, 1);
        model.add_head({.name = "topic", .num_labels = 2, .labels = {"yes", "no"}});
        io::save_pretrained(model, folder.path);
        const auto loaded = [&]<class M>(std::type_identity<M>, const std::vector<std::string>& labels, bool fresh) {
            M other(config, 2);
            other.add_head({.name = "tone", .num_labels = 2, .labels = labels});
            return error_of([&] { io::load_weights(other, folder.path, {.fresh_heads = fresh}); }, folder.path);
        };
        const std::type_identity<Classifier> classifier;
        const std::type_identity<Mean> mean;
        CHECK(loaded(classifier, {"yes", "no"}, false) == "no error");
        CHECK(loaded(classifier, {}, false) == "no error");
        CHECK(
            loaded(classifier, {"no", "yes"}, false) ==
            "config.json: label 0 is 'yes', that of task 'tone' is 'no'; load_weights can leave out the folder's heads "
            "(fresh_heads)");
        CHECK(loaded(classifier, {"no", "yes"}, true) == "no error");
        CHECK(loaded(mean, {}, false).find("the head's pooling is 'first_token_tanh', that of task 'tone' is 'mean'") !=
              std::string::npos);

        Mean pooled(config, 1);
        pooled.add_head({.num_labels = 2, .labels = {"yes", "no"}});
        io::save_pretrained(pooled, folder.path);
        CHECK(io::read_config<arch::Bert>(folder.path).labels == std::vector{"yes"s, "no"s});
        CHECK(loaded(mean, {"yes", "no"}, false) == "no error");
        CHECK(loaded(classifier, {"yes", "no"}, false).find("the head's pooling is 'mean'") != std::string::npos);
        CHECK(loaded(classifier, {"yes", "no"}, true) == "no error");
    }

    TEST_CASE("sizes that no model has are refused before anything is made of them") {
        const auto said = [](const char* key, std::uint64_t value) {
            return Config<arch::Bert>(Json{{key, value}}).error();
        };
        CHECK(said("num_hidden_layers", 1000000000000000) ==
              "config.json: num_layers is 1000000000000000, expected at most 10000");
        CHECK(said("vocab_size", UINT64_MAX) ==
              "config.json: vocab_size is 18446744073709551615, expected at most 2147483647");
        for (const char* key :
             {"hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings", "type_vocab_size"})
            CHECK(said(key, std::uint64_t(1) << 62).find(" is 4611686018427387904, expected at most 2147483647") !=
                  std::string::npos);
    }

    TEST_CASE("a language model whose output is not its token embedding is refused; other heads do without it") {
        const ScratchFolder folder;
        Gpt2 model(Config<arch::Gpt2>({}).read(), 1);
        model.add_head<heads::CausalLanguageModel>({});
        const auto load = [&] { return io::load_weights(model, folder.path); };
        save_with_output(model, folder.path, "lm_head.weight", "transformer.wte.weight", 0);
        CHECK(load().unused.empty());
        save_with_output(model, folder.path, "lm_head.weight", "transformer.wte.weight", 1);
        CHECK(error_of(load).ends_with(": tensor 'lm_head.weight' differs from 'transformer.wte.weight': a language "
                                       "model whose output is not tied to its token embedding is not supported"));
        CHECK(io::load_weights(model, folder.path, {.fresh_heads = true}).unused == std::vector{"lm_head.weight"s});

        Gpt2 classifier(model.trunk().config(), 1);
        classifier.add_head<heads::TokenClassification>({.num_labels = 2});
        CHECK(io::load_weights(classifier, folder.path).unused == std::vector{"lm_head.weight"s});
    }

    TEST_CASE("the output and its bias of a masked language model may stand in a checkpoint twice") {
        const ScratchFolder folder;
        Bert model(Config<arch::Bert>({}).read(), 1);
        model.add_head({});
        for (const auto& [name, original] :
             {std::pair{"cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"},
              std::pair{"cls.predictions.decoder.bias", "cls.predictions.bias"}}) {
            save_with_output(model, folder.path, name, original, 0);
            CHECK(io::load_weights(model, folder.path).unused.empty());
            save_with_output(model, folder.path, name, original, 1);
            CHECK(error_of([&] { io::load_weights(model, folder.path); }).find(name) != std::string::npos);
        }
    }
}

}
