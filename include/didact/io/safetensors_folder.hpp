#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <ranges>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/io/folder.hpp"
#include "didact/io/json.hpp"
#include "didact/io/safetensors.hpp"
#include "didact/io/utf8.hpp"

namespace didact::io {

/// The tensors of a checkpoint, in one safetensors file or in several with an index, read as if they were in one.
class ShardedSafetensors {
  public:
    /// One file.
    explicit ShardedSafetensors(Safetensors file) : path_(file.path()), names_(file.names()) {
        for (const std::string& name : names_) shard_of_.emplace(name, 0);
        shards_.push_back(std::move(file));
    }

    /// The files that a model.safetensors.index.json names. Throws Error where one is missing, lies elsewhere, or has
    /// not the tensors that the index says.
    explicit ShardedSafetensors(const std::filesystem::path& index_path) : path_(index_path.string()) {
        const auto weight_map = field<nlohmann::json>(read_json(index_path), "weight_map", path_);
        require(weight_map.is_object(), path_, ": 'weight_map' is ", describe_json(weight_map), ", expected an object");
        std::map<std::string, std::size_t> number_of;
        for (const auto& [name, value] : weight_map.items()) {
            const auto file = json_value<std::string>(value, name, path_);
            require(!file.empty() && std::filesystem::path(file).filename() == file && file != "." && file != "..",
                    path_, ": tensor '", printable(name, 200), "' is in '", printable(file, 200),
                    "', expected a file of the same folder");
            const auto [shard, is_new] = number_of.emplace(file, shards_.size());
            if (is_new) shards_.emplace_back(index_path.parent_path() / file);
            require(shards_[shard->second].contains(name), shards_[shard->second].path(), ": there is no tensor '",
                    printable(name, 200), "', the index says that there is");
            names_.push_back(name);
            shard_of_.emplace(name, shard->second);
        }
    }

    /// The file, or the index of the files.
    const std::string& path() const { return path_; }
    std::size_t shards() const { return shards_.size(); }

    const std::vector<std::string>& names() const { return names_; }
    bool contains(const std::string& name) const { return shard_of_.contains(name); }

    /// The metadata of all files; of a key that stands in several, the first.
    std::map<std::string, std::string> metadata() const {
        std::map<std::string, std::string> all;
        for (const Safetensors& shard : shards_) all.insert(shard.metadata().begin(), shard.metadata().end());
        return all;
    }

    /// As Safetensors::tensor.
    TensorView tensor(const std::string& name) const { return shard_of(name).tensor(name); }

    /// As Safetensors::read.
    template <std::ranges::contiguous_range Values>
    void read(const std::string& name, Values&& values) const {
        shard_of(name).read(name, std::span(values));
    }

  private:
    const Safetensors& shard_of(const std::string& name) const {
        const auto found = shard_of_.find(name);
        require(found != shard_of_.end(), path_, ": there is no tensor '", name, "'");
        return shards_[found->second];
    }

    std::string path_;
    std::vector<Safetensors> shards_;
    std::vector<std::string> names_;
    std::unordered_map<std::string, std::size_t> shard_of_;
};

/// Opens the weights of a model: a folder with model.safetensors or with model.safetensors.index.json and the files it
/// names, or such a file itself.
inline ShardedSafetensors open_safetensors(const std::filesystem::path& path) {
    if (!is_folder(path))
        return path.extension() == ".json" ? ShardedSafetensors(path) : ShardedSafetensors(Safetensors(path));
    if (is_there(path / "model.safetensors")) return ShardedSafetensors(Safetensors(path / "model.safetensors"));
    if (is_there(path / "model.safetensors.index.json"))
        return ShardedSafetensors(path / "model.safetensors.index.json");
    require(!is_there(path / "pytorch_model.bin"), path.string(),
            ": has pytorch_model.bin only, a pickle that only Python reads; save the model there again with "
            "safe_serialization=True");
    fail(path.string(), ": has neither model.safetensors nor model.safetensors.index.json");
}

}
