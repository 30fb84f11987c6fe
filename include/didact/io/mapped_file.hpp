#pragma once
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <utility>

#include <sys/mman.h>
#include <sys/stat.h>

#include "didact/core/error.hpp"
#include "didact/io/atomic_file.hpp"

namespace didact::io {

/// The bytes of a file, read by the system page by page when they are touched. Whoever replaces the file by renaming
/// another over it, as AtomicFile does, does not disturb the mapping; whoever shortens it in place makes the process
/// end with SIGBUS.
class MappedFile {
  public:
    /// Throws Error where the file is missing, a folder, or no plain file.
    explicit MappedFile(const std::filesystem::path& path) {
        const FileDescriptor file = open_to_read(path);
        struct stat status;
        require(::fstat(file.number(), &status) == 0, path.string(), ": cannot be read: ", system_message(errno));
        require(S_ISREG(status.st_mode), path.string(), ": is a device or pipe, a file was expected");
        const auto size = std::uint64_t(status.st_size);
        require(size <= std::numeric_limits<std::size_t>::max(), path.string(), ": has ", size,
                " bytes, more than the address space");
        if (size == 0) return; // cannot be mapped, and need not
        void* const data = ::mmap(nullptr, std::size_t(size), PROT_READ, MAP_PRIVATE, file.number(), 0);
        require(data != MAP_FAILED, path.string(), ": cannot be read: ", system_message(errno));
        bytes_ = {static_cast<const std::byte*>(data), std::size_t(size)};
    }
    MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    MappedFile& operator=(MappedFile&& other) noexcept {
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~MappedFile() {
        if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    }

    std::span<const std::byte> bytes() const { return bytes_; }

  private:
    std::span<const std::byte> bytes_;
};

}
