#pragma once
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "didact/core/error.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/io/utf8.hpp"

namespace didact::io {

/// Deepest nesting that parse_json accepts.
inline constexpr int json_depth_limit = 256;

/// Largest JSON file that read_json accepts, in bytes.
inline constexpr std::uint64_t json_size_limit = std::uint64_t(1) << 30;

/// An iterator over a text that notes how far it was read, so that an error can say where.
class JsonCursor {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    JsonCursor(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
    reference operator*() const { return *at_; }
    JsonCursor& operator++() {
        ++at_;
        *furthest_ = at_;
        return *this;
    }
    friend bool operator==(const JsonCursor& a, const JsonCursor& b) { return a.at_ == b.at_; }
    friend bool operator!=(const JsonCursor& a, const JsonCursor& b) { return a.at_ != b.at_; }

  private:
    const char* at_;
    const char** furthest_;
};

/// The cause in a message of nlohmann::json, without its number and its count of lines.
inline std::string json_reason(std::string_view message) {
    for (const std::string_view start : {"syntax error ", "] "})
        if (const std::size_t at = message.find(start); at != std::string_view::npos) {
            message.remove_prefix(at + start.size());
            break;
        }
    return printable(message, 160);
}

/// A JSON text (RFC 8259). Throws Error with source, line and column where it is no valid JSON or UTF-8, where an
/// object has a key twice, where it nests deeper than json_depth_limit, or where a number does not fit. `first_line` is
/// the number of the text's first line in its file. With Json = nlohmann::ordered_json keys keep their order.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, std::string_view source, std::size_t first_line = 1) {
    const char* furthest = text.data();
    const auto fail_at = [&](std::size_t read, const auto&... parts) {
        fail(source, ":", TextPosition(text, read > 0 ? read - 1 : 0, first_line), ": ", parts...);
    };
    const auto read = [&] { return std::size_t(furthest - text.data()); };
    require_text(text, source, first_line);
    std::vector<std::unordered_set<std::string>> keys;
    const auto check = [&](int depth, typename Json::parse_event_t event, Json& value) {
        using Event = typename Json::parse_event_t;
        const bool opens = event == Event::object_start || event == Event::array_start;
        if (opens && depth >= json_depth_limit) fail_at(read(), "nested deeper than ", json_depth_limit, " levels");
        if (event == Event::object_start) keys.emplace_back();
        if (event == Event::object_end) keys.pop_back();
        if (event == Event::key && !keys.back().insert(value.template get<std::string>()).second)
            fail_at(read(), "key '", printable(value.template get<std::string>()), "' stands twice in one object");
        return true;
    };
    try {
        return Json::parse(JsonCursor(text.data(), &furthest), JsonCursor(text.data() + text.size(), &furthest), check);
    } catch (const typename Json::parse_error& error) {
        fail_at(error.byte, "not valid JSON: ", json_reason(error.what()));
    } catch (const typename Json::exception& error) {
        fail_at(read(), "not valid JSON: ", json_reason(error.what()));
    }
    return {}; // not reached
}

/// A JSON file; see parse_json.
inline nlohmann::json read_json(const std::filesystem::path& path) {
    return parse_json(read_file(path, json_size_limit), path.string());
}

/// Writes JSON, indented by two, through an AtomicFile. Numbers that are not finite become null, for JSON has none.
template <class Json>
void write_json(const std::filesystem::path& path, const Json& json) {
    std::string text;
    try {
        text = json.dump(2) + "\n";
    } catch (const nlohmann::json::exception& error) {
        fail(path.string(), ": cannot be written as JSON: ", json_reason(error.what()));
    }
    write_atomically(path, text);
}

/// A value as a message shows it, e.g. `the string "abc"`.
inline std::string describe_json(const nlohmann::json& value) {
    if (value.is_null()) return "null";
    if (value.is_object()) return "an object";
    if (value.is_array()) return "an array of " + std::to_string(value.size());
    const std::string shown = printable(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return value.is_string() ? "the string " + shown : shown;
}

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

/// `value` as a T: bool, an integer or floating-point type, std::string, a vector of these, or nlohmann::json itself.
/// Integers are checked for their range, and 3.0 is none. `name` and `source` tell the reader of the error which
/// value it was.
template <class T>
T json_value(const nlohmann::json& value, std::string_view name, std::string_view source) {
    const auto expected = [&](const auto&... what) {
        fail(source, ": '", name, "' is ", describe_json(value), ", expected ", what...);
    };
    if constexpr (std::same_as<T, nlohmann::json>) {
        return value;
    } else if constexpr (std::same_as<T, bool>) {
        if (!value.is_boolean()) expected("true or false");
        return value.get<bool>();
    } else if constexpr (std::same_as<T, std::string>) {
        if (!value.is_string()) expected("a string");
        return value.get<std::string>();
    } else if constexpr (std::floating_point<T>) {
        if (!value.is_number()) expected("a number");
        return value.get<T>();
    } else if constexpr (std::integral<T>) {
        using Limits = std::numeric_limits<T>;
        const bool fits = value.is_number_unsigned()
                              ? std::in_range<T>(value.get<std::uint64_t>())
                              : value.is_number_integer() && std::in_range<T>(value.get<std::int64_t>());
        if (!fits) expected("an integer from ", +Limits::min(), " to ", +Limits::max());
        return value.get<T>();
    } else {
        static_assert(IsVector<T>::value,
                      "didact: json_value reads bool, numbers, std::string, vectors of them and json");
        if (!value.is_array()) expected("an array");
        T list;
        list.reserve(value.size());
        for (std::size_t i = 0; i < value.size(); ++i)
            list.push_back(json_value<typename T::value_type>(
                value[i], std::string(name) + "[" + std::to_string(i) + "]", source));
        return list;
    }
}

/// The field `name` of an object, as it stands there. Throws Error that names source and field where it is missing.
inline const nlohmann::json& member(const nlohmann::json& object, std::string_view name, std::string_view source) {
    require(object.is_object(), source, ": ", describe_json(object), " was found where an object with '", name,
            "' was expected");
    const auto found = object.find(name);
    require(found != object.end(), source, ": '", name, "' is missing");
    return *found;
}

/// The field `name` of an object, which must be an array.
inline const nlohmann::json& array_member(const nlohmann::json& object, std::string_view name,
                                          std::string_view source) {
    const nlohmann::json& value = member(object, name, source);
    require(value.is_array(), source, ": '", name, "' is ", describe_json(value), ", expected an array");
    return value;
}

/// The field `name` of an object as a T. Throws Error that names source and field where it is missing or of another
/// type, e.g. "config.json: 'hidden_size' is the string "768", expected an integer from 0 to 4294967295".
template <class T>
T field(const nlohmann::json& object, std::string_view name, std::string_view source) {
    return json_value<T>(member(object, name, source), name, source);
}

/// The field `name` of an object as a T, `otherwise` where it is missing or null.
template <class T>
T field_or(const nlohmann::json& object, std::string_view name, T otherwise, std::string_view source) {
    require(object.is_object(), source, ": ", describe_json(object), " was found where an object was expected");
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? otherwise : json_value<T>(*found, name, source);
}

}
