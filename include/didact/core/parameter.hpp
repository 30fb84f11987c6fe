#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "didact/core/arena.hpp"

namespace didact {

/// Index of a parameter in its store.
using ParameterId = std::uint32_t;
inline constexpr ParameterId no_parameter = ~ParameterId(0);

/// One named tensor of a model. Vectors have rows = 1.
struct Parameter {
    std::string name = {}; ///< the tensor's name in a Hugging Face checkpoint
    std::size_t rows = 0, cols = 0;
    bool vector = false;  ///< one-dimensional in a checkpoint
    bool decay = true;    ///< weight decay applies: false for biases and norms
    bool shared = true;   ///< belongs to the trunk that tasks share, not to one task's head
    std::size_t head = 0; ///< where not shared, the number of the head that it belongs to, from 1
    bool trainable = true;
    float learning_rate_multiple = 1; ///< set by a freeze policy
    std::size_t offset = 0;           ///< of the first element in the values
    std::size_t trainable_offset = 0; ///< of the first element in the gradients; only where trainable

    std::size_t size() const { return rows * cols; }
};

/// A run of trainable parameters that lie side by side in the values and are updated alike.
struct TrainableSegment {
    std::size_t offset, trainable_offset, size;
    std::size_t head; ///< whose parameters these are, from 1; 0: the trunk's
    bool decay;
    float learning_rate_multiple;
};

/// Where the trainable parameters lie in arrays of trainable size: the gradients, the optimizer's moments, the
/// importances of a forgetting policy. When the set changes, `carry_over` moves what stays.
struct TrainableLayout {
    struct Slice {
        ParameterId id;
        std::size_t offset, size;
    };
    std::vector<Slice> slices; ///< in the order of their ids
    std::size_t size = 0;

    bool has(ParameterId id) const { return std::ranges::binary_search(slices, id, {}, &Slice::id); }

    /// `values`, laid out as `before` or empty, in this layout; zeros where there was none.
    template <class T>
    AlignedVector<T> carry_over(const TrainableLayout& before, const AlignedVector<T>& values) const {
        AlignedVector<T> result(size, T(0));
        if (values.empty()) return result;
        std::size_t b = 0;
        for (const Slice& slice : slices) {
            while (b < before.slices.size() && before.slices[b].id < slice.id) ++b;
            if (b < before.slices.size() && before.slices[b].id == slice.id)
                std::copy_n(values.begin() + std::ptrdiff_t(before.slices[b].offset), slice.size,
                            result.begin() + std::ptrdiff_t(slice.offset));
        }
        return result;
    }
};

/// Where a gradient is to be computed: added to `view`, or, being the first of a step, written over what `view` holds.
template <class T>
struct GradientTarget {
    View<T> view; ///< empty where the parameter is frozen
    bool accumulate = true;
};

}
