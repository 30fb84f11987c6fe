#pragma once
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace didact::io {

/// What the system says about an error number, e.g. "No space left on device".
inline std::string system_message(int error_number) { return std::generic_category().message(error_number); }

/// An open file, closed with its owner.
class FileDescriptor {
  public:
    FileDescriptor() = default;
    explicit FileDescriptor(int number) : number_(number) {}
    FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~FileDescriptor() {
        if (number_ >= 0) ::close(number_);
    }

    int number() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }

    /// Closes now and returns 0 or the error number: some file systems report a failed write only here.
    int close() { return ::close(std::exchange(number_, -1)) == 0 ? 0 : errno; }

  private:
    int number_ = -1;
};

}
