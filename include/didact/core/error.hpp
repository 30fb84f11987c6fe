#pragma once
#include <cmath>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace didact {

/// The one exception type at the library's edge. The message names the file or object, the part of it, what was found
/// and what was expected.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Throws Error with the parts written one after another, e.g. `fail(path, ":", line, ": expected 2 columns, found ",
/// n)`.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
    std::ostringstream message;
    (message << ... << parts);
    throw Error(message.str());
}

/// Throws Error with the parts as its message unless `condition` holds. The parts are formatted only on failure.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
    if (!condition) [[unlikely]]
        fail(parts...);
}

/// Throws Error where a number that `owner` calls `name` is negative, infinite or none.
inline void require_not_negative(std::string_view owner, std::string_view name, double value) {
    require(value >= 0 && std::isfinite(value), owner, ": ", name, " is ", value,
            ", it must be finite and not negative");
}

/// `text` shortened for a message, with bytes that a terminal would not show replaced by '?'.
inline std::string excerpt(std::string_view text, std::size_t limit = 60) {
    std::string shown(text.substr(0, limit));
    for (char& c : shown)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    if (text.size() > limit) shown += "...";
    return shown;
}

}
