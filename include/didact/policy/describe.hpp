#pragma once
#include <charconv>
#include <cmath>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/policy/policy.hpp"

namespace didact {

/// A policy as text: its name and its hyper-parameters, e.g. "prefix(layers=3, dropout=false)".
template <Policy P>
std::string describe(const P& policy) {
    if constexpr (Described<P>) {
        std::ostringstream text;
        const char* separator = "(";
        P::fields(policy, [&](const char* name, const auto& value) {
            text << std::exchange(separator, ", ") << name << '=';
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::vector<std::string>>) {
                for (std::size_t i = 0; i < value.size(); ++i) text << (i ? "|" : "") << value[i];
            } else {
                text << std::boolalpha << value;
            }
        });
        return P::name() + text.str() + (*separator == '(' ? "" : ")");
    } else {
        return std::string("a user's ") + family_name(P::family) + " policy";
    }
}

/// Sets one hyper-parameter from text. Throws Error that names the policy and its fields where there is no such field
/// or the text is not a value of its type.
template <Policy P>
requires Described<P>
void set_field(P& policy, std::string_view field, std::string_view text) {
    bool found = false;
    std::string fields;
    P::fields(policy, [&](const char* name, auto& value) {
        fields += (fields.empty() ? "" : ", ") + std::string(name);
        if (field != name) return;
        found = true;
        using T = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<T, bool>) {
            require(text == "true" || text == "false", P::name(), ": ", name, " is '", excerpt(text),
                    "', true or false was expected");
            value = text == "true";
        } else if constexpr (std::is_arithmetic_v<T>) {
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            bool right = error == std::errc() && end == text.data() + text.size();
            if constexpr (std::is_floating_point_v<T>) right = right && std::isfinite(value);
            require(right, P::name(), ": ", name, " is '", excerpt(text), "', a ",
                    std::is_floating_point_v<T> ? "" : "whole ", "number was expected");
        } else {
            value.clear();
            for (std::size_t begin = 0; begin <= text.size();) {
                const std::size_t end = std::min(text.find('|', begin), text.size());
                value.emplace_back(text.substr(begin, end - begin));
                begin = end + 1;
            }
        }
    });
    require(found, P::name(), ": there is no '", excerpt(field), "'; it has ",
            fields.empty() ? std::string("no hyper-parameters") : fields);
}

}
