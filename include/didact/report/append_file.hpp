#pragma once
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include "didact/core/error.hpp"

namespace didact::report {

/// A file that grows at its end. Every failure throws Error with the file's name and the system's reason.
class AppendFile {
  public:
    /// Opens `path`, keeps its first `keep` bytes and drops what follows; makes the file where `keep` is 0.
    explicit AppendFile(std::filesystem::path path, std::uint64_t keep = 0) : path_(std::move(path)), offset_(keep) {
        if (keep > 0) drop_after(keep);
        errno = 0;
        file_.reset(std::fopen(path_.string().c_str(), keep > 0 ? "ab" : "wb"));
        check(file_ != nullptr, "cannot be opened for writing");
    }

    const std::filesystem::path& path() const { return path_; }
    /// Bytes written so far, those kept included.
    std::uint64_t offset() const { return offset_; }

    void write(std::string_view bytes) {
        require(file_ != nullptr, path_.string(), ": is closed already");
        errno = 0;
        check(std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size(), "cannot be written");
        offset_ += bytes.size();
    }

    /// Hands everything to the operating system: other programs see it, and it outlives this process.
    void flush() {
        errno = 0;
        if (file_) check(std::fflush(file_.get()) == 0, "cannot be written");
    }

    /// Waits until everything is on the disk: it outlives a power cut. Devices and pipes have nothing to wait for.
    void sync() {
        flush();
#if __has_include(<unistd.h>)
        errno = 0;
        if (file_)
            check(::fsync(::fileno(file_.get())) == 0 || errno == EINVAL || errno == ENOTSUP, "cannot be written");
#endif
    }

    /// Writes what is left and closes. A destructor does so too, but cannot say that it failed.
    void close() {
        flush();
        errno = 0;
        if (file_) check(std::fclose(file_.release()) == 0, "cannot be closed");
    }

  private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };

    void drop_after(std::uint64_t keep) const {
        std::error_code error;
        const std::uint64_t size = std::filesystem::file_size(path_, error);
        require(!error, path_.string(), ": cannot be continued at byte ", keep, ": ", error.message());
        require(size >= keep, path_.string(), ": has ", size, " bytes, it was to be continued at byte ", keep);
        std::filesystem::resize_file(path_, keep, error);
        require(!error, path_.string(), ": cannot be cut to ", keep, " bytes: ", error.message());
    }

    void check(bool fine, std::string_view what) const {
        if (!fine) fail(path_.string(), ": ", what, ": ", std::generic_category().message(errno));
    }

    std::filesystem::path path_;
    std::unique_ptr<std::FILE, Close> file_;
    std::uint64_t offset_;
};

}
