#pragma once
#include <filesystem>
#include <string>
#include <system_error>

#include "didact/core/error.hpp"

namespace didact::io {

/// Makes a folder and those above it, where they are not there yet. Throws Error that names it where that cannot be.
inline void make_folder(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    require(std::filesystem::is_directory(path), path.string(),
            ": this folder cannot be made: ", error ? error.message() : std::string("a file is in its place"));
}

}
