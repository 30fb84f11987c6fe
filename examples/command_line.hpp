#pragma once
#include <CLI/App.hpp>

#include "didact/core/error.hpp"

/// Throws Error where a flag was given an empty text, which mostly is a variable of the shell that is not set: the
/// program would run as if the flag were not there.
inline void refuse_empty_values(const CLI::App& app) {
    for (const CLI::Option* option : app.get_options())
        for (const std::string& value : option->results())
            didact::require(!value.empty(), option->get_name(), ": its value is empty");
}
