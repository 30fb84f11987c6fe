#pragma once
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>

namespace didact::report {

/// What stands for a number that is not there.
inline constexpr const char* no_number = "–";

/// Numbers as text for people, the same in every locale.
namespace format {

inline std::string number(double value, std::chars_format form, int digits) {
    if (std::isnan(value)) return no_number;
    if (std::isinf(value)) return value > 0 ? "∞" : "-∞";
    char buffer[400]; // 309 digits before the point at most
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, form, digits).ptr;
    std::string text(buffer, end);
    // What rounds to zero has no sign.
    if (text[0] == '-' && text.find_first_of("123456789") == std::string::npos) text.erase(0, 1);
    return text;
}

}

/// 0.5 with 2 decimals is "0.50".
inline std::string fixed(double value, int decimals) {
    return format::number(value, std::chars_format::fixed, decimals < 0 ? 0 : decimals > 40 ? 40 : decimals);
}

/// At most `digits` significant digits, without trailing zeros: 0.25, 1.235e-05, 12000.
inline std::string significant(double value, int digits = 4) {
    const double magnitude = std::abs(value);
    if (magnitude >= 1e4 && magnitude < 1e7) return fixed(value, 0);
    return format::number(value, std::chars_format::general, digits);
}

/// 3e-05 with 1 decimal is "3.0e-05".
inline std::string scientific(double value, int decimals = 1) {
    return format::number(value, std::chars_format::scientific, decimals);
}

/// Three significant digits and k, M, G or T for powers of 1000: 950, 12.3k, 4.56M.
inline std::string with_prefix(double value) {
    static constexpr const char* prefixes[] = {"", "k", "M", "G", "T"};
    std::size_t prefix = 0;
    while (std::abs(value) >= 999.5 && prefix < 4) value /= 1000, ++prefix;
    const double magnitude = std::abs(value);
    const int decimals = magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2;
    if (prefix == 0 && value == std::floor(value)) return fixed(value, 0);
    return fixed(value, decimals) + prefixes[prefix];
}

/// "0.912 ± 0.004"; without the second part where it is NaN.
inline std::string plus_minus(double value, double half_width, int decimals = 3) {
    return fixed(value, decimals) + (std::isnan(half_width) ? std::string() : " ± " + fixed(half_width, decimals));
}

/// 7 is "0:07", 3723 is "1:02:03", 180000 is "2d 02:00:00".
inline std::string clock_time(double seconds) {
    if (!(seconds >= 0) || seconds > 1e12) return no_number;
    const auto whole = std::uint64_t(std::llround(seconds));
    const auto two = [](std::uint64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    const std::uint64_t days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60;
    std::string text = days ? std::to_string(days) + "d " + two(hours) + ":" : hours ? std::to_string(hours) + ":" : "";
    return text + (text.empty() ? std::to_string(minutes) : two(minutes)) + ":" + two(whole % 60);
}

}
