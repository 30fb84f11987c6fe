#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "didact/core/checked_size.hpp"
#include "didact/core/error.hpp"
#include "didact/io/dtype.hpp"
#include "didact/io/json.hpp"
#include "didact/io/shape.hpp"
#include "didact/io/utf8.hpp"

namespace didact::io {

/// Largest header of a safetensors file, in bytes; the format sets it.
inline constexpr std::uint64_t safetensors_header_limit = 100'000'000;

/// What the header of a safetensors file says of one tensor. Its data are the bytes [begin, end) after the header.
struct SafetensorsEntry {
    std::string name;
    Dtype dtype = Dtype::F32;
    std::vector<std::size_t> shape;
    std::uint64_t begin = 0, end = 0;
};

/// Reads the JSON header of a safetensors file event by event, so that a hostile one costs no more memory than its
/// own length: any other structure than the format's ends it at once.
class SafetensorsHeaderReader {
  public:
    explicit SafetensorsHeaderReader(std::string_view source) : source_(source) {}

    std::vector<SafetensorsEntry> entries; ///< in the order of the header
    std::map<std::string, std::string> metadata;

    // What follows is called by nlohmann::json::sax_parse.
    bool null() {
        if (place_ != Place::file || !in_metadata_) return unexpected("null");
        return true; // "__metadata__": null says that there is none
    }
    bool boolean(bool) { return unexpected("a truth value"); }
    bool number_integer(std::int64_t value) { return unexpected(std::to_string(value)); }
    bool number_float(double, const std::string& text) { return unexpected(text); }
    template <class Binary>
    bool binary(Binary&) {
        return unexpected("binary data");
    }

    bool number_unsigned(std::uint64_t value) {
        if (place_ == Place::shape) {
            require(entries.back().shape.size() < 64, where(), "shape has more than 64 extents");
            entries.back().shape.push_back(std::size_t(value));
        } else if (place_ == Place::data_offsets) {
            require(offsets_ < 2, where(), "data_offsets has more than two numbers");
            (offsets_++ == 0 ? entries.back().begin : entries.back().end) = value;
        } else {
            return unexpected(std::to_string(value));
        }
        return true;
    }

    bool string(std::string& text) {
        if (place_ == Place::metadata) {
            metadata[key_] = text;
        } else if (place_ == Place::tensor && key_ == "dtype") {
            const std::optional<Dtype> dtype = dtype_named(text);
            require(dtype.has_value(), where(), "dtype '", printable(text), "' is not known");
            entries.back().dtype = *dtype;
        } else {
            return unexpected("the string '" + printable(text) + "'");
        }
        return true;
    }

    bool start_object(std::size_t) {
        if (place_ == Place::before) {
            place_ = Place::file;
        } else if (place_ == Place::file) {
            place_ = in_metadata_ ? Place::metadata : Place::tensor;
            if (!in_metadata_) entries.emplace_back().name = key_;
            seen_.clear();
        } else {
            return unexpected("an object");
        }
        return true;
    }

    bool key(std::string& name) {
        key_ = name;
        auto& seen = place_ == Place::file ? names_ : seen_;
        if (place_ == Place::tensor)
            require(name == "dtype" || name == "shape" || name == "data_offsets", where(), "unknown field '",
                    printable(name), "'");
        require(seen.insert(name).second, where(), "'", printable(name), "' stands twice in the header");
        if (place_ == Place::file) in_metadata_ = name == "__metadata__";
        return true;
    }

    bool end_object() {
        if (place_ == Place::tensor)
            for (const char* const needed : {"dtype", "shape", "data_offsets"})
                require(seen_.contains(needed), where(), needed, " is missing");
        place_ = place_ == Place::file ? Place::after : Place::file;
        return true;
    }

    bool start_array(std::size_t) {
        if (place_ != Place::tensor || key_ == "dtype") return unexpected("an array");
        place_ = key_ == "shape" ? Place::shape : Place::data_offsets;
        offsets_ = 0;
        return true;
    }

    bool end_array() {
        if (place_ == Place::data_offsets)
            require(offsets_ == 2, where(), "data_offsets has ", offsets_, " numbers, expected two");
        place_ = Place::tensor;
        return true;
    }

    template <class Exception>
    bool parse_error(std::size_t byte, const std::string&, const Exception& error) {
        fail(source_, ": the header is not valid JSON at its byte ", byte, ": ", json_reason(error.what()));
    }

  private:
    enum class Place { before, file, metadata, tensor, shape, data_offsets, after };

    /// The start of a message: which file, which tensor.
    std::string where() const {
        const bool in_tensor = place_ == Place::tensor || place_ == Place::shape || place_ == Place::data_offsets;
        return source_ + (in_tensor ? ": tensor '" + printable(entries.back().name, 200) + "': " : ": ");
    }

    [[noreturn]] bool unexpected(const std::string& found) const {
        switch (place_) {
        case Place::tensor:
            fail(where(), key_, " is ", found);
        case Place::shape:
            fail(where(), "shape holds ", found, ", expected numbers from 0");
        case Place::data_offsets:
            fail(where(), "data_offsets holds ", found, ", expected numbers from 0");
        case Place::metadata:
            fail(where(), "__metadata__ '", printable(key_), "' is ", found, ", expected a string");
        case Place::file:
            fail(where(), "'", printable(key_), "' is ", found, " in the header, expected an object");
        default:
            fail(where(), "the header is ", found, ", expected an object");
        }
    }

    std::string source_, key_;
    std::unordered_set<std::string> names_, seen_;
    Place place_ = Place::before;
    bool in_metadata_ = false;
    unsigned offsets_ = 0;
};

/// The tensors of a safetensors file in the order of their data, and its metadata.
struct SafetensorsHeader {
    std::vector<SafetensorsEntry> entries;
    std::map<std::string, std::string> metadata;
};

/// Checks a header against the format (github.com/huggingface/safetensors, "Format"): the tensors' data follow each
/// other without gap or overlap, fill exactly `data_size` bytes, and each tensor's are as many as its type and shape
/// need. Throws Error that names `source` and the tensor.
inline SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_size,
                                                  std::string_view source) {
    require(!json.empty() && json.front() == '{', source, ": the header does not begin with '{'");
    require(json.find('\0') == std::string_view::npos, source, ": the header holds a zero byte");
    SafetensorsHeaderReader reader(source);
    nlohmann::json::sax_parse(json.begin(), json.end(), &reader);

    SafetensorsHeader header{std::move(reader.entries), std::move(reader.metadata)};
    std::sort(header.entries.begin(), header.entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t expected = 0;
    for (const SafetensorsEntry& entry : header.entries) {
        const auto bad = [&](const auto&... parts) {
            fail(source, ": tensor '", printable(entry.name, 200), "': ", parts...);
        };
        if (entry.end < entry.begin) bad("ends at ", entry.end, ", before its begin at ", entry.begin);
        if (entry.begin != expected)
            bad("begins at ", entry.begin, ", the data before it end at ", expected,
                entry.begin < expected ? ": they overlap" : ": bytes between belong to nothing");
        if (entry.end > data_size)
            bad("ends at ", entry.end, ", the file holds ", data_size, " bytes of data: it is cut off");
        CheckedSize bits = 1;
        try {
            for (const std::size_t extent : entry.shape) bits = bits * extent;
            bits = bits * bits_of(entry.dtype);
        } catch (const Error& error) {
            bad("shape: ", error.what());
        }
        if (bits.value() % 8 != 0) bad("its ", bits.value(), " bits end within a byte");
        if (bits.value() / 8 != entry.end - entry.begin)
            bad("has ", entry.end - entry.begin, " bytes, ", name_of(entry.dtype), " of its shape needs ",
                bits.value() / 8);
        expected = entry.end;
    }
    require(expected == data_size, source, ": the tensors end at ", expected, ", the file holds ", data_size,
            " bytes of data");
    return header;
}

}
