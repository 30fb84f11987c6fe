#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "didact/core/arena.hpp"
#include "didact/core/parallel.hpp"
#include "didact/core/view.hpp"

namespace didact {

/// A backend is a tag that says where a model lives and in which precision it computes:
/// `Scalar` (storage and compute) and `Accumulator` (sums, losses, norms). The operations that layers use are free
/// functions over `Context<Backend>`, one file an operation in backend/<name>/, the same names on every backend.
template <class B>
concept Backend = requires {
    typename B::Scalar;
    typename B::Accumulator;
    { B::name } -> std::convertible_to<const char*>;
};

template <Backend B>
using Scalar = typename B::Scalar;

template <Backend B>
class ParameterStore;

/// How a matrix enters a product.
enum class Transpose { no, yes };

/// What every layer call gets: the parameters, the threads, the step's memory and how to behave.
template <Backend B>
struct Context {
    ParameterStore<B>& parameters;
    ThreadPool& pool;
    Arena& arena;
    bool training = false;          ///< dropout is active
    std::uint64_t dropout_key = 0;  ///< key of this step's dropout masks
    std::uint32_t dropout_site = 0; ///< counts the dropout layers passed, so that each draws its own mask

    View<Scalar<B>> scratch(std::size_t rows, std::size_t cols) { return arena.matrix<Scalar<B>>(rows, cols); }
};

}
