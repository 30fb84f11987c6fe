#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "didact/core/checked_size.hpp"
#include "didact/core/error.hpp"
#include "didact/core/xtensor.hpp"
#include "didact/io/dtype.hpp"
#include "didact/io/gzip.hpp"
#include "didact/io/shape.hpp"

namespace didact {

/// Reads the bytes of an IDX file; see read_idx.
template <class T>
xt::xarray<T> parse_idx(std::string_view bytes, const std::string& source) {
    const auto byte = [&](std::size_t i) { return std::uint64_t(static_cast<unsigned char>(bytes[i])); };
    require(bytes.size() >= 4 && byte(0) == 0 && byte(1) == 0, source, ": does not begin as an IDX file does");
    const auto dtype = [&]() -> std::optional<io::Dtype> {
        switch (byte(2)) {
        case 0x08:
            return io::Dtype::U8;
        case 0x09:
            return io::Dtype::I8;
        case 0x0B:
            return io::Dtype::I16;
        case 0x0C:
            return io::Dtype::I32;
        case 0x0D:
            return io::Dtype::F32;
        case 0x0E:
            return io::Dtype::F64;
        default:
            return std::nullopt;
        }
    }();
    require(dtype.has_value(), source, ": its type of elements is ", byte(2), ", which IDX does not know");
    const std::size_t dimensions = byte(3);
    require(dimensions > 0 && bytes.size() >= 4 + 4 * dimensions, source, ": is cut off in its header of ", dimensions,
            " dimensions");
    std::vector<std::size_t> shape(dimensions);
    for (std::size_t i = 0; i < dimensions; ++i) {
        const std::size_t at = 4 + 4 * i;
        shape[i] = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
    }
    const std::size_t width = io::bits_of(*dtype) / 8;
    const std::size_t size = io::element_count(shape, width, source) * width;
    std::string data(bytes.substr(4 + 4 * dimensions));
    require(size == data.size(), source, ": is ", io::shape_text(shape), " of ", io::name_of(*dtype), ", ", size,
            " bytes, the file holds ", data.size());
    for (std::size_t i = 0; width > 1 && i < data.size(); i += width) // numbers are big-endian
        std::reverse(data.begin() + std::ptrdiff_t(i), data.begin() + std::ptrdiff_t(i + width));
    xt::xarray<T> array = xt::xarray<T>::from_shape(shape);
    io::decode_elements(*dtype, std::as_bytes(std::span(data)), std::span<T>(array.data(), array.size()), source);
    return array;
}

/// Reads an N-dimensional array in IDX, the format of MNIST (LeCun, Cortes, Burges, "The MNIST database"), compressed
/// by gzip or not. Integers are read into integers, floating-point numbers into float or double. Throws Error that
/// names the file where it is missing, damaged, cut off, or of a type that T cannot hold.
template <class T>
xt::xarray<T> read_idx(const std::filesystem::path& path) {
    return parse_idx<T>(io::read_maybe_compressed(path), path.string());
}

}
