#pragma once
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "didact/core/checked_size.hpp"
#include "didact/data/dataset.hpp"

namespace didact {

/// Writes or reads the state of a run as named entries. One function serves both: `archive("fisher", fisher)` writes
/// the value into a checkpoint or reads it from one, so what is saved is what is restored.
class Archive {
  public:
    /// An archive to write.
    Archive() = default;
    /// An archive to read; `source` names the file in errors.
    Archive(std::string bytes, std::string source)
        : bytes_(std::move(bytes)), source_(std::move(source)), reading_(true) {}

    bool reading() const { return reading_; }
    const std::string& bytes() const { return bytes_; }
    const std::string& source() const { return source_; }

    template <class T>
    requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void operator()(std::string_view name, T& value) {
        entry(name, 'v', sizeof(T));
        if constexpr (std::is_same_v<T, bool>) {
            std::uint8_t byte = value;
            raw(name, &byte, 1);
            require(byte <= 1, source_, ": entry '", name, "' is ", int(byte), ", expected 0 or 1");
            value = byte;
        } else {
            raw(name, &value, sizeof(T));
        }
    }

    template <class T, class Allocator>
    requires std::is_trivially_copyable_v<T>
    void operator()(std::string_view name, std::vector<T, Allocator>& list) {
        entry(name, 'l', sizeof(T));
        const std::size_t count = this->count(name, list.size(), sizeof(T));
        if (reading_) list.resize(count);
        raw(name, list.data(), count * sizeof(T));
    }

    template <class T>
    requires std::is_trivially_copyable_v<T>
    void operator()(std::string_view name, std::span<T> fixed) {
        entry(name, 'l', sizeof(T));
        const std::size_t count = this->count(name, fixed.size(), sizeof(T));
        require(count == fixed.size(), source_, ": entry '", name, "' has ", count, " elements, the run has ",
                fixed.size());
        raw(name, fixed.data(), count * sizeof(T));
    }

    void operator()(std::string_view name, std::string& text) {
        entry(name, 's', 1);
        const std::size_t count = this->count(name, text.size(), 1);
        if (reading_) text.resize(count);
        raw(name, text.data(), count);
    }

    void operator()(std::string_view name, Sample& sample) {
        entry(name, 'S', 0);
        (*this)("token_ids", sample.token_ids);
        (*this)("token_type_ids", sample.token_type_ids);
        (*this)("features", sample.features);
        (*this)("labels", sample.labels);
        (*this)("values", sample.values);
        (*this)("difficulty", sample.difficulty);
    }

    /// A list of things that are themselves archived.
    template <class T, class Allocator>
    requires(!std::is_trivially_copyable_v<T>) void operator()(std::string_view name, std::vector<T, Allocator>& list) {
        entry(name, 'L', 0);
        const std::size_t count = this->count(name, list.size(), 1);
        if (reading_) list.resize(count);
        for (T& item : list) (*this)("item", item);
    }

    /// Anything with a member `serialize(Archive&)`.
    template <class T>
    requires requires(T& object, Archive& archive) { object.serialize(archive); }
    void operator()(std::string_view name, T& object) {
        entry(name, 'o', 0);
        object.serialize(*this);
    }

    /// Throws Error where entries are left over.
    void finish() const {
        require(!reading_ || at_ == bytes_.size(), source_, ": ", bytes_.size() - at_, " bytes are left over");
    }

  private:
    /// The head of an entry: length of the name, name, kind, element size.
    void entry(std::string_view name, char kind, std::size_t element) {
        std::string head(1, char(name.size()));
        head += name;
        head += kind;
        head += char(element);
        if (!reading_) {
            bytes_ += head;
            return;
        }
        require(bytes_.size() - at_ >= head.size() && bytes_.compare(at_, head.size(), head) == 0, source_, ": entry '",
                name, "' was expected at byte ", at_, ", found '", excerpt(std::string_view(bytes_).substr(at_, 24)),
                "'");
        at_ += head.size();
    }

    std::size_t count(std::string_view name, std::size_t size, std::size_t element) {
        std::uint64_t count = size;
        raw(name, &count, sizeof count);
        if (reading_ && (CheckedSize(count) * element).value() > bytes_.size() - at_)
            fail(source_, ": entry '", name, "' says ", count, " elements, only ", bytes_.size() - at_,
                 " bytes are left");
        return std::size_t(count);
    }

    void raw(std::string_view name, void* data, std::size_t size) {
        if (!reading_) {
            bytes_.append(static_cast<const char*>(data), size);
            return;
        }
        require(size <= bytes_.size() - at_, source_, ": ends within entry '", name, "'");
        if (size) std::memcpy(data, bytes_.data() + at_, size);
        at_ += size;
    }

    std::string bytes_, source_;
    std::size_t at_ = 0;
    bool reading_ = false;
};

}
