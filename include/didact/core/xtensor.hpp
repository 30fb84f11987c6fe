#pragma once
// xtensor's arrays, adaptors, views and arithmetic, under the paths of 0.24 and 0.25 or those of 0.26 and later.
// Include this instead of xtensor's own headers: it mends sums and other reductions, see below.
#if __has_include(<xtensor/containers/xarray.hpp>)

#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/views/xview.hpp>

#else

#include <cstddef>

#include <xtensor/xexpression_traits.hpp>
#include <xtensor/xtensor_config.hpp>

// Before 0.26, xtensor gives this specialisation to g++ for C++17 only (`__cplusplus == 201703L`). In C++20, where g++
// lets a template with default arguments match one with fewer parameters, a dynamic shape (svector) is then taken for
// a static one, and reductions compute with extents that were never set (xtensor issues 2470, 2679, 2785).
#if XTENSOR_VERSION_MAJOR == 0 && XTENSOR_VERSION_MINOR < 26 && defined(__GNUC__) && !defined(__clang__) &&            \
    __cplusplus > 201703L
namespace xt::detail {
template <template <class, std::size_t, class, bool> class Shape, class Extent, std::size_t size, class Allocator,
          bool init>
struct xtype_for_shape<Shape<Extent, size, Allocator, init>> {
    template <class T, layout_type layout>
    using type = xarray<T, layout>;
};
}
#endif

#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#endif
