#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/io/dtype.hpp"
#include "didact/io/mapped_file.hpp"
#include "didact/io/safetensors_header.hpp"
#include "didact/io/shape.hpp"

namespace didact::io {

/// A tensor in a file: row-major, little-endian, not aligned.
struct TensorView {
    Dtype dtype;
    std::span<const std::size_t> shape;
    std::span<const std::byte> bytes;

    std::size_t size() const {
        std::size_t product = 1; // was checked when the header was read
        for (const std::size_t extent : shape) product *= extent;
        return product;
    }
};

/// A safetensors file that is open to read (github.com/huggingface/safetensors). The file is mapped, so tensors that
/// are not asked for are never read; what `tensor` returns lives as long as this object.
class Safetensors {
  public:
    /// Throws Error that names the file, and the tensor where there is one, unless all of the header is valid.
    explicit Safetensors(const std::filesystem::path& path) : path_(path.string()), file_(path) {
        const std::span<const std::byte> bytes = file_.bytes();
        require(bytes.size() >= 10, path_, ": has ", bytes.size(), " bytes, a safetensors file has at least 10");
        std::uint64_t length;
        std::memcpy(&length, bytes.data(), sizeof length);
        require(length <= safetensors_header_limit, path_, ": its header says that it has ", length,
                " bytes, more than the limit of ", safetensors_header_limit, "; this is no safetensors file");
        require(length <= bytes.size() - 8, path_, ": its header says that it has ", length, " bytes, the file has ",
                bytes.size() - 8, " after the first 8: it is cut off");
        data_ = bytes.subspan(8 + std::size_t(length));
        header_ = parse_safetensors_header({reinterpret_cast<const char*>(bytes.data()) + 8, std::size_t(length)},
                                           data_.size(), path_);
        for (std::size_t i = 0; i < header_.entries.size(); ++i) {
            names_.push_back(header_.entries[i].name);
            index_.emplace(header_.entries[i].name, i);
        }
    }

    const std::string& path() const { return path_; }

    /// In the order of the data in the file.
    const std::vector<std::string>& names() const { return names_; }
    bool contains(const std::string& name) const { return index_.contains(name); }

    /// What was stored under "__metadata__".
    const std::map<std::string, std::string>& metadata() const { return header_.metadata; }

    /// Throws Error where there is no such tensor.
    TensorView tensor(const std::string& name) const {
        const auto found = index_.find(name);
        require(found != index_.end(), path_, ": there is no tensor '", name, "'");
        const SafetensorsEntry& entry = header_.entries[found->second];
        return {entry.dtype, entry.shape,
                data_.subspan(std::size_t(entry.begin), std::size_t(entry.end - entry.begin))};
    }

    /// Reads all elements of a tensor: F64, F32, F16 and BF16 into float or double, integer types into integers.
    /// Throws Error that names file and tensor where type or number of elements is another, or a value does not fit.
    template <std::ranges::contiguous_range Values>
    void read(const std::string& name, Values&& values) const {
        const TensorView found = tensor(name);
        const std::string what = path_ + ": tensor '" + name + "'";
        require(found.size() == std::ranges::size(values), what, " is ", shape_text(found.shape), ", ", found.size(),
                " elements, expected ", std::ranges::size(values));
        decode_elements(found.dtype, found.bytes, std::span(values), what);
    }

  private:
    std::string path_;
    MappedFile file_;
    std::span<const std::byte> data_;
    SafetensorsHeader header_;
    std::vector<std::string> names_;
    std::unordered_map<std::string, std::size_t> index_;
};

}
