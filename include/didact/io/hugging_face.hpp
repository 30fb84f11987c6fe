#pragma once
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "didact/io/folder.hpp"
#include "didact/io/json.hpp"
#include "didact/io/safetensors_folder.hpp"
#include "didact/io/safetensors_writer.hpp"
#include "didact/io/tensor_names.hpp"
#include "didact/model/model.hpp"
#include "didact/model/transformer.hpp"

namespace didact::io {

/// What `config.json` of a Hugging Face folder says.
struct ModelConfig {
    TransformerConfig transformer = {};
    std::vector<std::string> labels = {}; ///< id2label of the head, in order; empty where there is none
};

/// The classes' names by their numbers, as id2label of a config.json has them; empty where there is none.
inline std::vector<std::string> labels_in_config(const nlohmann::json& json, const std::string& source) {
    std::vector<std::string> labels;
    const auto names = json.find("id2label");
    if (names == json.end() || names->is_null()) return labels;
    require(names->is_object(), source, ": id2label is not an object");
    for (std::size_t i = 0; i < names->size(); ++i)
        labels.push_back(field<std::string>(*names, std::to_string(i), source + ": id2label"));
    return labels;
}

/// Throws Error where FOLDER/config.json, if it is there, says that the folder's first head has other classes than a
/// model's, or the same ones in another order, or that it reads other tokens: its tensors would fit all the same.
/// A head without a pooling has an empty one; `usual_pooling` is that of Transformers' class.
inline void check_first_head(const std::filesystem::path& folder, const HeadOptions& head, const std::string& pooling,
                             const std::string& usual_pooling) {
    const std::filesystem::path path = folder / "config.json";
    if (!is_there(path)) return;
    const std::string source = path.string(), way_out = "; load_weights can leave out the folder's heads (fresh_heads)";
    const nlohmann::json json = read_json(path);
    const auto labels = head.labels.empty() ? std::vector<std::string>() : labels_in_config(json, source);
    // Transformers' names for classes that have none are no names.
    const bool named = !labels.empty() && labels.front() != "LABEL_0";
    for (std::size_t i = 0; named && i < labels.size(); ++i) {
        const std::string here = i < head.labels.size() ? head.labels[i] : "no label";
        require(labels[i] == here, source, ": label ", i, " is '", excerpt(labels[i]), "', that of task '", head.name,
                "' is '", excerpt(here), "'", way_out);
    }
    if (!json.contains("didact") || pooling.empty()) return;
    const auto recorded = field_or<std::string>(json["didact"], "pooling", usual_pooling, source + ": didact");
    require(recorded == pooling, source, ": the head's pooling is '", excerpt(recorded), "', that of task '", head.name,
            "' is '", pooling, "'", way_out);
}

/// The pooling of Transformers' classifiers of sequences.
template <arch::Arch A>
inline constexpr const char* usual_pooling = A::causal ? "last_token" : "first_token_tanh";

/// The dropout before a classifier where config.json does not say it.
template <arch::Arch A>
double default_classifier_dropout(const TransformerConfig& config) {
    if constexpr (requires { A::classifier_dropout; })
        return A::classifier_dropout;
    else
        return config.hidden_dropout;
}

/// Reads FOLDER/config.json for a family of transformers; what it does not say is as in Transformers. Throws Error
/// where the file is missing or malformed, where its model_type is another family's, where it asks for a computation
/// that is not supported, or where the sizes do not make a transformer.
template <arch::Arch A>
ModelConfig read_config(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / "config.json";
    const std::string source = path.string();
    const nlohmann::json json = read_json(path);
    require(json.is_object(), source, ": an object was expected");
    const std::string type = field_or<std::string>(json, "model_type", "", source);
    require(type == A::model_type, source, ": model_type is '", excerpt(type), "', a ", A::model_type,
            " model was expected");
    A::fixed_entries([&](const char* key, const nlohmann::json& only) {
        if (const auto found = json.find(key); found != json.end() && !found->is_null())
            require(*found == only, source, ": '", key, "' is ", describe_json(*found), ", only ", only,
                    " is supported");
    });

    ModelConfig config{.transformer = A::config_defaults()};
    A::config_entries(config.transformer, [&](const char* key, auto& value) {
        using T = std::remove_reference_t<decltype(value)>;
        const auto found = json.find(key);
        if (found == json.end() || found->is_null()) return;
        if constexpr (requires { *value; }) {
            if (!found->is_array()) value = json_value<typename T::value_type>(*found, key, source); // several ends
        } else {
            value = json_value<T>(*found, key, source);
        }
    });
    TransformerConfig& transformer = config.transformer;
    if (transformer.intermediate_size == 0) transformer.intermediate_size = 4 * transformer.hidden_size;
    transformer.classifier_dropout =
        field_or<double>(json, "classifier_dropout", default_classifier_dropout<A>(transformer), source);
    if constexpr (requires { A::embedding_dropout_key; })
        transformer.embedding_dropout =
            field_or<double>(json, A::embedding_dropout_key, transformer.hidden_dropout, source);
    transformer.check(source, A::token_types);
    config.labels = labels_in_config(json, source);
    return config;
}

/// How a folder's weights are read.
struct LoadOptions {
    bool fresh_heads = false; ///< heads start as they were made, whatever the folder holds; only poolers are read
};

/// What loading left undone, for the user to see.
struct LoadReport {
    std::vector<std::string> missing; ///< parameters of heads that the folder lacks, or that were to be fresh
    std::vector<std::string> unused;  ///< tensors of the folder that the model does not have
};

/// Whether tensor `name` of a checkpoint has the very values of the first of `originals` that is there.
inline bool repeats(const ShardedSafetensors& weights, const std::string& name,
                    const std::vector<std::string>& originals) {
    const auto original =
        std::ranges::find_if(originals, [&](const std::string& other) { return weights.contains(other); });
    if (original == originals.end()) return false;
    const TensorView a = weights.tensor(name), b = weights.tensor(*original);
    return a.dtype == b.dtype && std::ranges::equal(a.shape, b.shape) &&
           std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0;
}

/// Whether a task of the model has a head over the tied token embedding.
template <class Model>
bool has_language_model(const Model& model) {
    bool found = false;
    for (std::size_t task = 0; task < model.tasks(); ++task)
        found |= model.with_head(task, [](const auto& head) {
            return requires { head.vocabulary(); };
        });
    return found;
}

/// Reads a folder's weights (model.safetensors, or shards with an index) into a model. The trunk must be complete;
/// heads that the folder lacks keep their initial values. Columns of a CrossStitch all start from the same trunk.
/// Throws Error where a tensor is missing or has another shape, where the folder's first head is for other labels or
/// another pooling than the model's, or where a language model's output is not tied to its token embedding, as it is
/// here; nothing is changed then.
template <class Model>
LoadReport load_weights(Model& model, const std::filesystem::path& folder, const LoadOptions& options = {}) {
    using A = typename Model::Trunk::Architecture;
    using S = typename Model::S;
    auto& store = model.parameters();
    const auto weights = open_safetensors(folder);
    LoadReport report;
    std::vector<std::string> used;
    std::vector<std::pair<ParameterId, std::string>> plan;
    for (ParameterId id = 0; id < store.count(); ++id) {
        const Parameter& p = store[id];
        if (!p.shared && options.fresh_heads && p.name.find("pooler.") == std::string::npos) {
            report.missing.push_back(p.name);
            continue;
        }
        std::optional<std::string> found;
        for (const std::string& name : names_in_checkpoint(p.name, A::base_prefix))
            if (!found && weights.contains(name)) found = name;
        if (!found) {
            const bool made_here =
                !p.shared || p.name.starts_with("cross_stitch.") || p.name.find(".lora_") != std::string::npos;
            require(made_here, folder.string(), ": there is no tensor '", p.name, "' for a ", A::model_type, " model");
            report.missing.push_back(p.name);
            continue;
        }
        const TensorView tensor = weights.tensor(*found);
        const std::vector<std::size_t> shape = p.vector ? std::vector{p.cols} : std::vector{p.rows, p.cols};
        require(std::ranges::equal(shape, tensor.shape), folder.string(), ": tensor '", *found, "' is ",
                shape_text(tensor.shape), " in the file, ", shape_text(shape), " in the model");
        plan.emplace_back(id, *found);
        used.push_back(*found);
    }
    const bool reads_first_head = std::ranges::any_of(plan, [&](const auto& read) {
        const Parameter& p = store[read.first];
        return p.head == 1 && p.name.find("pooler.") == std::string::npos;
    });
    if (reads_first_head)
        model.with_head(0, [&](const auto& head) {
            std::string pooling;
            if constexpr (requires { head.pooling_name; }) pooling = head.pooling_name;
            check_first_head(folder, head.options(), pooling, usual_pooling<A>);
        });
    std::sort(used.begin(), used.end());
    const bool reads_language_model = !options.fresh_heads && has_language_model(model);
    for (const std::string& name : weights.names()) {
        if (std::binary_search(used.begin(), used.end(), name) || is_derived_tensor(name)) continue;
        if (const std::string original = tied_to(name, A::tensor_name(arch::Role::token_embedding, 0));
            !original.empty()) {
            if (repeats(weights, name, names_in_checkpoint(original, A::base_prefix))) continue;
            require(!reads_language_model, folder.string(), ": tensor '", name, "' differs from '", original,
                    "': a language model whose output is not tied to its token embedding is not supported");
        }
        report.unused.push_back(name);
    }
    AlignedVector<S> values(store.values().begin(), store.values().end());
    for (const auto& [id, name] : plan)
        weights.read(name, std::span<S>(values.data() + store[id].offset, store[id].size()));
    store.swap_values(values);
    return report;
}

/// The `config.json` of a model: sizes, the classes' names, the class of Transformers that opens it.
template <class Model>
nlohmann::json config_json(const Model& model) {
    using A = typename Model::Trunk::Architecture;
    nlohmann::json json;
    const TransformerConfig& config = model.trunk().config();
    A::config_entries(config, [&](const char* key, const auto& value) {
        if constexpr (requires { *value; }) {
            if (value) json[key] = *value;
        } else {
            json[key] = value;
        }
    });
    if constexpr (requires { A::add_entries(config, json); }) A::add_entries(config, json);
    json["model_type"] = A::model_type;
    json["torch_dtype"] = "float32";
    if (config.classifier_dropout != default_classifier_dropout<A>(config))
        json["classifier_dropout"] = config.classifier_dropout;
    std::string class_name = std::string(A::class_prefix) + "Model";
    for (std::size_t task = 0; task < model.tasks(); ++task)
        model.with_head(task, [&](const auto& head) {
            using Head = std::remove_cvref_t<decltype(head)>;
            const HeadOptions& options = head.options();
            json["didact"]["tasks"].push_back(
                {{"name", options.name}, {"problem_type", Head::problem_type}, {"labels", options.labels}});
            if (task > 0) return;
            const std::string head_class = A::class_prefix + suffix_of(Head::problem_type);
            if constexpr (requires { Head::pooling_name; })
                if (Head::pooling_name != std::string(usual_pooling<A>)) json["didact"]["pooling"] = Head::pooling_name;
            if (!json["didact"].contains("pooling")) class_name = head_class;
            // Transformers takes the number of outputs from the names, for regression too.
            if (head_class.ends_with("Classification")) {
                for (std::size_t i = 0; i < options.num_labels; ++i) {
                    const std::string label =
                        i < options.labels.size() ? options.labels[i] : "LABEL_" + std::to_string(i);
                    json["id2label"][std::to_string(i)] = label;
                    json["label2id"][label] = i;
                }
            }
            if (class_name.ends_with("SequenceClassification")) json["problem_type"] = Head::problem_type;
        });
    json["architectures"] = {class_name};
    return json;
}

/// Writes FOLDER/model.safetensors and FOLDER/config.json, which Python's Transformers opens. Adapters are merged into
/// the weights that they adapt. Each file appears whole or not at all.
template <class Model>
void save_pretrained(Model& model, const std::filesystem::path& folder) {
    using S = typename Model::S;
    using B = typename Model::B;
    auto& store = model.parameters();
    make_folder(folder);

    std::unordered_map<ParameterId, std::vector<S>> merged;
    ThreadPool pool(1);
    Arena arena;
    Context<B> context{store, pool, arena, false, 0, 0};
    model.trunk().for_each_linear(store, [&](const std::string&, auto& linear) {
        if constexpr (requires { linear.adapter.attach(store, "", 0, 0, 0, 0, 0); }) {
            if (!linear.adapter.active()) return;
            const View<const S> weight = std::as_const(store).value(linear.weight);
            std::vector<S>& sum = merged[linear.weight];
            sum.assign(weight.data, weight.data + weight.size());
            linear.adapter.merge_into(context, View<S>{sum.data(), weight.rows, weight.cols}, linear.layout);
        }
    });

    SafetensorsWriter writer(folder / "model.safetensors");
    for (ParameterId id = 0; id < store.count(); ++id) {
        const Parameter& p = store[id];
        if (p.name.find(".lora_") != std::string::npos) continue;
        const std::vector<std::size_t> shape = p.vector ? std::vector{p.cols} : std::vector{p.rows, p.cols};
        const auto found = merged.find(id);
        const S* const data = found != merged.end() ? found->second.data() : store.values().data() + p.offset;
        writer.add(p.name, shape, std::span<const S>(data, p.size()), Dtype::F32);
    }
    writer.commit();
    write_json(folder / "config.json", config_json(model));
}

}
