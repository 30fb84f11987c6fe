#pragma once
#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "didact/core/aligned_memory.hpp"
#include "didact/core/parameter.hpp"

namespace didact {

/// Counts what may have changed a parameter's values; see ParameterStore::version.
struct ValueVersion {
    std::uint64_t revision = 0, writes = 0, updates = 0;
    friend bool operator==(const ValueVersion&, const ValueVersion&) = default;
};

/// What a backend makes of parameters' values, such as weights laid out for its products: kept until the values change.
/// Several threads may ask at once, as passes of several engines do.
class DerivedValues {
  public:
    /// How many things may be made of one parameter.
    static constexpr std::size_t most_forms = 2;

    /// `form`, below most_forms, of a parameter, or null where it is not kept. The memory of another version's is given
    /// back.
    const std::byte* find(ParameterId id, std::size_t form, const ValueVersion& version) {
        const std::scoped_lock lock(mutex_);
        if (kept_.size() <= id) return nullptr;
        Kept& kept = kept_[id][form];
        if (kept.version != version) kept = {};
        return kept.bytes.get();
    }

    /// `form` of a parameter. Where it is not kept, or not of this version, make(data) writes its `bytes` first.
    template <class Make>
    const std::byte* get(ParameterId id, std::size_t form, const ValueVersion& version, std::size_t bytes,
                         const Make& make) {
        const std::scoped_lock lock(mutex_);
        if (kept_.size() <= id) kept_.resize(std::size_t(id) + 1);
        Kept& kept = kept_[id][form];
        if (!kept.bytes || kept.version != version) {
            kept.version = {};
            if (kept.bytes.get_deleter().bytes != bytes) kept.bytes = aligned_bytes(bytes);
            make(kept.bytes.get());
            kept.version = version;
        }
        return kept.bytes.get();
    }

    void clear() {
        const std::scoped_lock lock(mutex_);
        kept_.clear();
    }

  private:
    struct Kept {
        AlignedBytes bytes;
        ValueVersion version;
    };
    std::mutex mutex_;
    std::vector<std::array<Kept, most_forms>> kept_;
};

}
