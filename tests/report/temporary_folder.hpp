#pragma once
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <unistd.h>

#include "didact/core/error.hpp"

/// A folder of a test's own, removed with all that is in it.
struct TemporaryFolder {
    TemporaryFolder() {
        static std::atomic<unsigned> made{0};
        path = std::filesystem::temp_directory_path() /
               ("didact_report_" + std::to_string(::getpid()) + "_" + std::to_string(made++));
        std::filesystem::create_directories(path);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::filesystem::path operator/(const std::string& name) const { return path / name; }

    std::filesystem::path path;
};

inline std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The message of the Error that `action` throws; empty where it throws none.
template <class Action>
std::string error_of(const Action& action) {
    try {
        action();
    } catch (const didact::Error& error) {
        return error.what();
    }
    return {};
}
