#pragma once
#include <cstddef>
#include <type_traits>

namespace didact {

/// A row-major matrix that the view does not own: `rows` × `cols` elements, `stride` elements from one row to the next.
/// An empty view (no data) stands for "not wanted", e.g. the input gradient above a frozen layer.
template <class T>
struct View {
    T* data = nullptr;
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::size_t stride = 0;

    View() = default;
    View(T* data, std::size_t rows, std::size_t cols) : View(data, rows, cols, cols) {}
    View(T* data, std::size_t rows, std::size_t cols, std::size_t stride)
        : data(data), rows(rows), cols(cols), stride(stride) {}
    operator View<const T>() const requires(!std::is_const_v<T>) { return {data, rows, cols, stride}; }

    bool empty() const { return data == nullptr; }
    std::size_t size() const { return rows * cols; }
    bool contiguous() const { return stride == cols; }
    T* row(std::size_t i) const { return data + i * stride; }
    T& operator()(std::size_t i, std::size_t j) const { return data[i * stride + j]; }

    View middle_rows(std::size_t begin, std::size_t count) const { return {row(begin), count, cols, stride}; }
    View middle_cols(std::size_t begin, std::size_t count) const { return {data + begin, rows, count, stride}; }
};

}
