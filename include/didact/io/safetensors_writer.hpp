#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "didact/core/checked_size.hpp"
#include "didact/core/error.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/io/dtype.hpp"
#include "didact/io/safetensors_header.hpp"
#include "didact/io/shape.hpp"
#include "didact/io/utf8.hpp"

namespace didact::io {

/// Writes a safetensors file that appears complete or not at all. The same tensors give the same bytes, whatever the
/// order in which they were added: widest type first, then by name, as the format's own library does.
class SafetensorsWriter {
  public:
    using Metadata = std::map<std::string, std::string>;

    /// Throws Error where the file cannot be written. Readers in Python look for the entry "format".
    explicit SafetensorsWriter(const std::filesystem::path& path, Metadata metadata = {{"format", "pt"}})
        : file_(path), metadata_(std::move(metadata)) {
        for (const auto& [key, value] : metadata_)
            require(invalid_utf8(key) == std::string::npos && invalid_utf8(value) == std::string::npos, path.string(),
                    ": metadata '", printable(key), "' is not valid UTF-8");
    }

    /// Adds a tensor, row-major, stored in the type that its values have: float as F32, std::int64_t as I64 and so on.
    /// The values must stay where they are until `commit`.
    template <std::ranges::contiguous_range Values>
    requires std::ranges::borrowed_range<Values>
    void add(std::string name, std::vector<std::size_t> shape, Values&& values) {
        const std::span view(values);
        add_tensor(std::move(name), std::move(shape), dtype_of<std::ranges::range_value_t<Values>>(), view.size(),
                   [view, this](std::string_view) { file_.write(std::as_bytes(view)); });
    }

    /// Adds a tensor of float or double that is stored as `dtype`: F64, F32, F16 or BF16, rounded to nearest.
    template <std::ranges::contiguous_range Values>
    requires std::ranges::borrowed_range<Values> && std::floating_point<std::ranges::range_value_t<Values>>
    void add(std::string name, std::vector<std::size_t> shape, Values&& values, Dtype dtype) {
        const std::span<const std::ranges::range_value_t<Values>> view(values);
        add_tensor(std::move(name), std::move(shape), dtype, view.size(), [view, dtype, this](std::string_view what) {
            constexpr std::size_t part = 1 << 16;
            std::string bytes;
            for (std::size_t i = 0; i < view.size(); i += part) {
                bytes.clear();
                encode_elements(dtype, view.subspan(i, std::min(part, view.size() - i)), bytes, what);
                file_.write(bytes);
            }
        });
    }

    /// Writes all that was added and gives the file its name.
    void commit() {
        require(!std::exchange(committed_, true), file_.path().string(), ": commit twice");
        std::sort(tensors_.begin(), tensors_.end(), [](const Tensor& a, const Tensor& b) {
            return a.entry.dtype != b.entry.dtype ? a.entry.dtype > b.entry.dtype : a.entry.name < b.entry.name;
        });
        std::string text = "{";
        if (!metadata_.empty()) text += "\"__metadata__\":" + nlohmann::json(metadata_).dump();
        CheckedSize end = 0;
        for (Tensor& tensor : tensors_) {
            tensor.entry.begin = end.value();
            end = end + tensor.entry.end;
            tensor.entry.end = end.value();
            text += text.size() > 1 ? "," : "";
            text += nlohmann::json(tensor.entry.name).dump() + ":{\"dtype\":\"" +
                    std::string(name_of(tensor.entry.dtype)) +
                    "\",\"shape\":" + nlohmann::json(tensor.entry.shape).dump() + ",\"data_offsets\":[" +
                    std::to_string(tensor.entry.begin) + "," + std::to_string(tensor.entry.end) + "]}";
        }
        text += "}";
        text.resize(CheckedSize(text.size()).aligned_up(8).value(), ' ');
        require(text.size() <= safetensors_header_limit, file_.path().string(), ": its header would have ", text.size(),
                " bytes, the format's limit is ", safetensors_header_limit);
        const std::uint64_t length = text.size();
        file_.write(std::as_bytes(std::span(&length, 1)));
        file_.write(text);
        for (const Tensor& tensor : tensors_)
            tensor.write(file_.path().string() + ": tensor '" + tensor.entry.name + "'");
        file_.commit();
    }

  private:
    struct Tensor {
        SafetensorsEntry entry; ///< until `commit`, `end` is its size in bytes
        std::function<void(std::string_view what)> write;
    };

    void add_tensor(std::string name, std::vector<std::size_t> shape, Dtype dtype, std::size_t count,
                    std::function<void(std::string_view)> write) {
        const std::string where = file_.path().string() + ": tensor '" + printable(name, 200) + "'";
        require(!committed_, where, " is added after commit");
        require(name != "__metadata__", where, ": this name is the format's own");
        require(invalid_utf8(name) == std::string::npos, where, ": its name is not valid UTF-8");
        require(names_.insert(name).second, where, " is added twice");
        CheckedSize size = 1;
        for (const std::size_t extent : shape) size = size * extent;
        require(size == count, where, " is ", shape_text(shape), ", ", size.value(), " elements, but ", count,
                " values were given");
        size = size * (bits_of(dtype) / 8);
        tensors_.push_back({{std::move(name), dtype, std::move(shape), 0, size.value()}, std::move(write)});
    }

    AtomicFile file_;
    Metadata metadata_;
    std::vector<Tensor> tensors_;
    std::unordered_set<std::string> names_;
    bool committed_ = false;
};

}
