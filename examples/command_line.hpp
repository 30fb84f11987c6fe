#pragma once
#include <CLI/App.hpp>
#include <string>

#include "didact/core/error.hpp"

/// Checks that a flag's value is a finite number from `low` to `high`; `expected` says so in words. CLI::Range takes
/// NaN for one within it.
inline CLI::Validator number(double low, double high, const std::string& expected) {
    return CLI::Validator(
        [=](std::string& text) {
            double value = 0;
            const bool read = CLI::detail::lexical_cast(text, value);
            return read && value >= low && value <= high ? ""
                                                         : "'" + text + "' was found, " + expected + " was expected";
        },
        "");
}

/// Throws Error where a flag was given an empty text, which mostly is a variable of the shell that is not set: the
/// program would run as if the flag were not there.
inline void refuse_empty_values(const CLI::App& app) {
    for (const CLI::Option* option : app.get_options())
        for (const std::string& value : option->results())
            didact::require(!value.empty(), option->get_name(), ": its value is empty");
}
