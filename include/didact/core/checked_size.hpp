#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "didact/core/error.hpp"

namespace didact {

/// Arithmetic on sizes read from files: every operation throws Error on overflow instead of wrapping.
/// All byte and element counts that come from outside go through this type before anything is allocated.
class CheckedSize {
  public:
    constexpr CheckedSize(std::uint64_t value = 0) : value_(value) {}

    constexpr std::uint64_t value() const { return value_; }

    friend CheckedSize operator+(CheckedSize a, CheckedSize b) {
        std::uint64_t result;
        require(!__builtin_add_overflow(a.value_, b.value_, &result), "size overflow: ", a.value_, " + ", b.value_);
        return result;
    }
    friend CheckedSize operator-(CheckedSize a, CheckedSize b) {
        require(a.value_ >= b.value_, "size underflow: ", a.value_, " - ", b.value_);
        return a.value_ - b.value_;
    }
    friend CheckedSize operator*(CheckedSize a, CheckedSize b) {
        std::uint64_t result;
        require(!__builtin_mul_overflow(a.value_, b.value_, &result), "size overflow: ", a.value_, " * ", b.value_);
        return result;
    }
    friend constexpr auto operator<=>(CheckedSize, CheckedSize) = default;

    /// The smallest multiple of `alignment` that is not below this size.
    CheckedSize aligned_up(std::uint64_t alignment) const {
        return CheckedSize((*this + (alignment - 1)).value_ / alignment * alignment);
    }

    /// The value as a std::size_t, at most `limit`; `what` names the quantity in the error.
    std::size_t within(std::uint64_t limit, std::string_view what) const {
        require(value_ <= limit, what, " is ", value_, ", more than the limit of ", limit);
        return static_cast<std::size_t>(value_);
    }

  private:
    std::uint64_t value_;
};

/// The product of the extents of a shape, checked.
inline CheckedSize checked_product(std::span<const std::int64_t> extents) {
    CheckedSize product = 1;
    for (const std::int64_t extent : extents) {
        require(extent >= 0, "negative extent ", extent, " in a shape");
        product = product * CheckedSize(static_cast<std::uint64_t>(extent));
    }
    return product;
}

}
