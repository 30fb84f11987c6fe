#pragma once
#include <cstdint>
#include <span>

#include "didact/core/parameter_store.hpp"

namespace didact::nn {

/// The rows `rows` of x, one after another in the step's memory. x: (n, cols), result: (rows.size(), cols).
template <Backend B>
View<Scalar<B>> gathered_rows(Context<B>& context, View<const Scalar<B>> x, std::span<const std::int32_t> rows) {
    const View<Scalar<B>> out = context.scratch(rows.size(), x.cols);
    gather_rows(context, x, rows, out);
    return out;
}

}
