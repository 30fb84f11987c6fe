#pragma once
#include <filesystem>
#include <string>
#include <system_error>

#include "didact/core/error.hpp"

namespace didact::io {

/// Makes a folder and those above it, where they are not there yet. Throws Error that names it where that cannot be.
inline void make_folder(const std::filesystem::path& path) {
    std::error_code error, none;
    std::filesystem::create_directories(path, error);
    require(std::filesystem::is_directory(path, none), path.string(),
            ": this folder cannot be made: ", error ? error.message() : std::string("a file is in its place"));
}

/// Whether there is something of that name. Throws Error that names it where the system does not say, as in a folder
/// that this user must not search.
inline bool is_there(const std::filesystem::path& path) {
    std::error_code error;
    const bool there = std::filesystem::exists(path, error);
    require(!error, path.string(), ": cannot be looked up: ", error.message());
    return there;
}

/// Whether there is a folder of that name; see `is_there`.
inline bool is_folder(const std::filesystem::path& path) {
    std::error_code none;
    return is_there(path) && std::filesystem::is_directory(path, none);
}

/// Removes a file. Throws Error that names it where that cannot be.
inline void remove_file(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::remove(path, error);
    require(!error, path.string(), ": cannot be removed: ", error.message());
}

}
