#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "didact/core/checked_size.hpp"
#include "didact/core/error.hpp"

namespace didact::io {

/// A shape as messages show it, e.g. "(768, 3072)".
inline std::string shape_text(std::span<const std::size_t> shape) {
    std::string text = "(";
    for (const std::size_t extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
    return text + ")";
}

/// The number of elements, of `width` bytes each, of a shape that was read from a file. Throws Error that begins with
/// `source` where their bytes, or a stride within an array of that shape, are more than 63 bits hold.
inline std::size_t element_count(std::span<const std::size_t> shape, std::size_t width, std::string_view source) {
    CheckedSize count = 1, widest_stride = width;
    try {
        for (const std::size_t extent : shape) {
            count = count * extent;
            widest_stride = widest_stride * std::max<std::size_t>(extent, 1);
        }
        widest_stride.within(INT64_MAX, "its size");
    } catch (const Error& error) {
        fail(source, ": shape ", shape_text(shape), ": ", error.what());
    }
    return std::size_t(count.value());
}

}
