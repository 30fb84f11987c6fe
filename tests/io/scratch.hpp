#pragma once
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "didact/core/error.hpp"

/// A folder of its own for one test, removed afterwards.
struct ScratchFolder {
    ScratchFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "didact-test-XXXXXX").string();
        didact::require(::mkdtemp(name.data()) != nullptr, name, ": cannot be made");
        path = name;
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ~ScratchFolder() { std::filesystem::remove_all(path); }

    /// Puts a file there, by plain streams, and returns its path.
    std::filesystem::path file(std::string_view name, std::string_view content) const {
        std::ofstream(path / name, std::ios::binary) << content;
        return path / name;
    }
    std::size_t entries() const { return std::size_t(std::distance(std::filesystem::directory_iterator(path), {})); }

    std::filesystem::path path;
};

/// The message of the Error that `action` throws with the folder's name taken out, "no error" where it throws none.
template <class Action>
std::string error_of(Action&& action, const std::filesystem::path& folder = "") {
    try {
        action();
    } catch (const didact::Error& error) {
        std::string message = error.what();
        const std::string prefix = folder.string() + "/";
        for (std::size_t at; prefix.size() > 1 && (at = message.find(prefix)) != std::string::npos;)
            message.erase(at, prefix.size());
        return message;
    }
    return "no error";
}
