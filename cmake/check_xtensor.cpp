// Sums along an axis, of an array and of a view. Ends with 0 where they are right.
#include "didact/core/xtensor.hpp"

int main() {
    xt::xarray<double> a = {{1, 2, 3}, {4, 5, 6}};
    xt::xarray<double> rows = xt::sum(a, {1});
    if (rows.dimension() != 1 || rows(0) != 6 || rows(1) != 15) return 1;
    xt::xarray<double> columns = xt::sum(xt::view(a, xt::all(), xt::range(1, 3)), {0});
    if (columns.dimension() != 1 || columns(0) != 7 || columns(1) != 9) return 2;
    return 0;
}
