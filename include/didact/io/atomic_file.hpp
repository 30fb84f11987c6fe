#pragma once
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "didact/core/error.hpp"
#include "didact/io/file_descriptor.hpp"

namespace didact::io {

/// Opens a file to read. Throws Error where it is missing, a folder, or not to be opened.
inline FileDescriptor open_to_read(const std::filesystem::path& path) {
    FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        const int error = errno;
        require(error != ENOENT && error != ENOTDIR, path.string(), ": there is no such file");
        fail(path.string(), ": cannot be opened: ", system_message(error));
    }
    struct stat status;
    require(::fstat(file.number(), &status) == 0, path.string(), ": cannot be read: ", system_message(errno));
    require(!S_ISDIR(status.st_mode), path.string(), ": is a folder, a file was expected");
    return file;
}

/// The bytes of a file. Throws Error that names the file where it is missing, a folder, cannot be read, or has more
/// than `limit` bytes.
inline std::string read_file(const std::filesystem::path& path,
                             std::uint64_t limit = std::numeric_limits<std::uint64_t>::max()) {
    const FileDescriptor file = open_to_read(path);
    struct stat status;
    require(::fstat(file.number(), &status) == 0, path.string(), ": cannot be read: ", system_message(errno));
    require(std::uint64_t(status.st_size) <= limit, path.string(), ": has ", status.st_size,
            " bytes, more than the limit of ", limit);
    try {
        // The size is a hint only: files of /proc say 0, and a log may grow while it is read.
        std::string content(std::size_t(status.st_size) + 1, '\0');
        std::size_t size = 0;
        for (;;) {
            if (size == content.size()) content.resize(2 * size);
            const ssize_t count = ::read(file.number(), content.data() + size, content.size() - size);
            if (count < 0 && errno == EINTR) continue;
            require(count >= 0, path.string(), ": cannot be read: ", system_message(errno));
            if (count == 0) break;
            size += std::size_t(count);
            require(size <= limit, path.string(), ": has more than the limit of ", limit, " bytes");
        }
        content.resize(size);
        return content;
    } catch (const std::bad_alloc&) {
    } catch (const std::length_error&) {
    }
    fail(path.string(), ": its ", status.st_size, " bytes do not fit in memory");
}

/// A file that appears under its name complete or not at all. What is written goes to a temporary file in the same
/// folder; `commit` puts it on the disk and renames it, so after a crash at any moment the name holds the old content
/// or the new one. Without `commit`, the destructor removes the temporary file and the old content stays.
class AtomicFile {
  public:
    /// Throws Error where the folder is missing or not to be written, or `path` is a folder or device.
    explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
        require(!path_.filename().empty(), "'", path_.string(), "': a file name was expected");
        struct stat status;
        const bool replaces = ::stat(path_.c_str(), &status) == 0;
        require(!replaces || !S_ISDIR(status.st_mode), path_.string(), ": is a folder, cannot be written as a file");
        require(!replaces || S_ISREG(status.st_mode), path_.string(),
                ": is a device or pipe, cannot be replaced by a file");

        static std::atomic<unsigned> count = 0;
        int error = EEXIST;
        while (!file_ && error == EEXIST) { // a name may be left over from a process that crashed
            temporary_ = folder() / (".didact-" + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".tmp");
            file_ = FileDescriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
            error = errno;
        }
        if (!file_) {
            require(error != ENOENT && error != ENOTDIR, path_.string(), ": cannot be written: there is no folder '",
                    folder().string(), "'");
            fail(path_.string(), ": cannot be written: ", system_message(error));
        }
        if (replaces && ::fchmod(file_.number(), status.st_mode & 07777) != 0) {
            const int refused = errno;
            ::unlink(temporary_.c_str());
            fail(path_.string(), ": cannot be written: ", system_message(refused));
        }
    }
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile() {
        if (!committed_) ::unlink(temporary_.c_str());
    }

    const std::filesystem::path& path() const { return path_; }

    void write(std::string_view text) {
        require(!committed_, path_.string(), ": write after commit");
        while (!text.empty()) {
            const ssize_t count = ::write(file_.number(), text.data(), text.size());
            if (count < 0 && errno == EINTR) continue;
            check(count > 0 ? 0 : count == 0 ? ENOSPC : errno);
            text.remove_prefix(std::size_t(count));
        }
    }

    void write(std::span<const std::byte> bytes) {
        write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }

    /// Puts the content on the disk and gives it its name. Nothing can be written afterwards.
    void commit() {
        require(!committed_, path_.string(), ": commit twice");
        check(::fsync(file_.number()) == 0 ? 0 : errno);
        check(file_.close());
        check(::rename(temporary_.c_str(), path_.c_str()) == 0 ? 0 : errno);
        committed_ = true;
        // The new name itself is safe only once the folder is on the disk too. Some file systems cannot sync a folder
        // (EINVAL), and one that may be written but not read cannot be opened.
        const std::string name = folder().string();
        const FileDescriptor folder_file(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (folder_file && ::fsync(folder_file.number()) != 0 && errno != EINVAL) check(errno);
    }

  private:
    std::filesystem::path folder() const {
        return path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
    }

    void check(int error) const { require(error == 0, path_.string(), ": cannot be written: ", system_message(error)); }

    std::filesystem::path path_, temporary_;
    FileDescriptor file_;
    bool committed_ = false;
};

/// Writes a whole file at once; see AtomicFile.
inline void write_atomically(const std::filesystem::path& path, std::string_view content) {
    AtomicFile file(path);
    file.write(content);
    file.commit();
}

}
