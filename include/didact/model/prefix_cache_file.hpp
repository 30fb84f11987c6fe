#pragma once
#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <unordered_map>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "didact/core/error.hpp"
#include "didact/core/random.hpp"
#include "didact/core/view.hpp"
#include "didact/io/crc32c.hpp"
#include "didact/io/file_descriptor.hpp"

namespace didact {

/// What a frozen prefix gave for each sequence, in a file that later runs find and add to. Runs may use it at the same
/// time: a sequence is appended whole and under a lock. One that a crash cut off is dropped before another is appended,
/// and one whose checksum is wrong counts as not there. S is the type of the states, `hidden` of them a token.
template <class S>
class PrefixCacheFile {
  public:
    /// Opens the file, or makes it. Throws Error that names it where that cannot be, or where it is something else.
    PrefixCacheFile(std::string path, std::size_t hidden) : path_(std::move(path)), hidden_(hidden) {
        file_ = io::FileDescriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
        require(bool(file_), path_, ": cannot be opened: ", io::system_message(errno));
        const Lock lock(file_.number());
        const std::uint64_t size = file_size();
        Head head;
        if (size == 0) {
            require(write_at(0, &head_of_file_, sizeof head), path_,
                    ": cannot be written: ", io::system_message(errno));
            return;
        }
        require(read_at(0, &head, sizeof head) && head == head_of_file_, path_,
                ": this is not a file of hidden states of ", hidden, " numbers of ", sizeof(S), " bytes");
        require(read_on(size), path_, ": cannot be mended: ", io::system_message(errno));
    }

    /// Writes the states of a sequence to `out` (tokens, hidden); false where they are not there.
    bool load(std::uint64_t sequence, View<S> out) {
        const auto found = places_.find(sequence);
        if (found == places_.end() || found->second.record.tokens != out.rows || out.cols != hidden_) return false;
        Place& place = found->second;
        if (read_at(place.offset, out.data, out.size() * sizeof(S)) &&
            (place.verified || checksum(out) == place.record.checksum)) {
            place.verified = true;
            return true;
        }
        places_.erase(found);
        return false;
    }

    /// Appends the states (tokens, hidden) of a sequence. Where they cannot be written the file stays as it was, takes
    /// nothing more, and `failure` says why: the run can do without.
    void store(std::uint64_t sequence, View<const S> states) {
        if (!failure_.empty() || places_.contains(sequence)) return;
        const Lock lock(file_.number());
        const std::uint64_t size = file_size();
        if (!read_on(size)) {
            failure_ = path_ + ": cannot be mended: " + io::system_message(errno);
            return;
        }
        if (places_.contains(sequence)) return;
        const std::uint64_t offset = end_;
        const Record record(sequence, states.rows, checksum(states));
        if (!write_at(offset, &record, sizeof record) ||
            !write_at(offset + sizeof record, states.data, states.size() * sizeof(S))) {
            failure_ = path_ + ": cannot be written: " + io::system_message(errno);
            if (::ftruncate(file_.number(), off_t(offset)) != 0) failure_ += "; its end is not whole";
            return;
        }
        places_[sequence] = {offset + sizeof record, record, true};
        end_ = offset + sizeof record + states.size() * sizeof(S);
    }

    std::size_t samples() const { return places_.size(); }
    const std::string& failure() const { return failure_; }

  private:
    struct Head {
        std::array<char, 24> magic{"didact prefix cache 1\n"};
        std::uint64_t hidden = 0, scalar_bytes = sizeof(S);
        friend bool operator==(const Head&, const Head&) = default;
    };
    struct Record {
        std::uint64_t sequence = 0, tokens = 0;
        std::uint32_t checksum = 0, check = 0; ///< of the states; of this
        Record() = default;
        Record(std::uint64_t sequence, std::uint64_t tokens, std::uint32_t checksum)
            : sequence(sequence), tokens(tokens), checksum(checksum), check(expected()) {}
        std::uint32_t expected() const {
            return std::uint32_t(mix_bits(sequence ^ mix_bits(tokens ^ mix_bits(checksum))));
        }
        bool whole() const { return tokens > 0 && tokens < (std::uint64_t(1) << 32) && check == expected(); }
    };
    struct Place {
        std::uint64_t offset = 0;
        Record record;
        bool verified = false;
    };
    /// Keeps other processes from appending.
    class Lock {
      public:
        explicit Lock(int file) : file_(file) {
            while (::flock(file_, LOCK_EX) != 0 && errno == EINTR) {
            }
        }
        ~Lock() { ::flock(file_, LOCK_UN); }
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;

      private:
        int file_;
    };

    /// Learns what stands in the file, of that size, beyond the last sequence known, and cuts off what is not whole.
    /// Needs the lock. False where that cannot be.
    bool read_on(std::uint64_t size) {
        if (size < end_) return errno = EIO, false;
        for (Record record; end_ + sizeof record <= size;) {
            if (!read_at(end_, &record, sizeof record)) return false;
            const std::uint64_t end = end_ + sizeof record + record.tokens * hidden_ * sizeof(S);
            if (!record.whole() || end > size) break;
            places_[record.sequence] = {end_ + sizeof record, record}; // what is damaged stands there again
            end_ = end;
        }
        return end_ == size || ::ftruncate(file_.number(), off_t(end_)) == 0;
    }

    static std::uint32_t checksum(View<const S> states) {
        return io::crc32c({reinterpret_cast<const char*>(states.data), states.size() * sizeof(S)});
    }
    std::uint64_t file_size() const {
        struct stat status;
        require(::fstat(file_.number(), &status) == 0, path_, ": cannot be read: ", io::system_message(errno));
        return std::uint64_t(status.st_size);
    }
    bool read_at(std::uint64_t offset, void* to, std::size_t size) const {
        for (std::size_t done = 0; done < size;) {
            const ssize_t count =
                ::pread(file_.number(), static_cast<char*>(to) + done, size - done, off_t(offset + done));
            if (count == 0 || (count < 0 && errno != EINTR)) return false;
            done += count > 0 ? std::size_t(count) : 0;
        }
        return true;
    }
    bool write_at(std::uint64_t offset, const void* from, std::size_t size) const {
        for (std::size_t done = 0; done < size;) {
            const ssize_t count =
                ::pwrite(file_.number(), static_cast<const char*>(from) + done, size - done, off_t(offset + done));
            if (count < 0 && errno != EINTR) return false;
            done += count > 0 ? std::size_t(count) : 0;
        }
        return true;
    }

    std::string path_;
    std::size_t hidden_;
    io::FileDescriptor file_;
    Head head_of_file_{.hidden = hidden_};
    std::uint64_t end_ = sizeof(Head); ///< of the last sequence known
    std::unordered_map<std::uint64_t, Place> places_;
    std::string failure_;
};

}
