#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/sparse_rows.hpp"
#include "didact/core/parallel.hpp"
#include "didact/core/view.hpp"

namespace didact::cpu {

/// Cuts `rows`, if there are any, into the fewest tiles of at most `most`, whose heights differ by one at most:
/// call(Count of the greater height, how many rows are in tiles of that height; the others are one lower).
template <std::size_t most, class Call>
void in_even_tiles(std::size_t rows, const Call& call) {
    if (rows == 0) return;
    const std::size_t tiles = (rows + most - 1) / most, height = (rows + tiles - 1) / tiles;
    const std::size_t lower = tiles * height - rows;
    const auto call_if = [&]<std::size_t count>(Count<count>) {
        if (height == count) call(Count<count>(), (tiles - lower) * height);
    };
    [&]<std::size_t... below>(std::index_sequence<below...>) { (call_if(Count<most - below>()), ...); }
    (std::make_index_sequence<most>());
}

/// Products without packing: registers hold a tile of C, and each term of its sums is a column of op(A) times a row of
/// B. For operands that lie in the nearer caches, a product small enough that calling a library costs more.
template <class T>
struct OuterGemm {
    static constexpr bool many_registers = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32;
    static constexpr std::size_t lanes = packet_size<T>, most_packets = many_registers ? 4 : 2;

    /// So many rows of a tile as the registers hold beside a row of B and an element of A.
    template <std::size_t packets>
    static constexpr std::size_t most_rows =
        many_registers ? std::array{0, 16, 12, 8, 6}[packets] : std::array{0, 8, 6}[packets];
    /// The rows of C that one pass over B serves, and among whose terms zeros are looked for at once.
    static constexpr std::size_t rows_at_once = most_rows<most_packets>, rows_of_terms = 64;

    /// op(A): A or its transpose.
    struct Left {
        const T* data;
        std::size_t row_stride, depth_stride;
        const T& operator()(std::size_t i, std::size_t d) const { return data[i * row_stride + d * depth_stride]; }
        Left from_row(std::size_t i) const { return {data + i * row_stride, row_stride, depth_stride}; }
    };
    static Left left(View<const T> a) { return {a.data, a.stride, 1}; }
    static Left transposed(View<const T> a) { return {a.data, 1, a.stride}; }

    /// C = op(A) B, or C += that. op(A): (m, depth), B: (depth, n), C: (m, n). The bits of a row depend on its operands
    /// alone.
    static void product(const Left& a, std::size_t depth, View<const T> b, View<T> c, bool accumulate) {
        if (depth <= short_depth) {
            from_row_to_row<false>(a, depth, b, c, {accumulate, c.cols});
        } else if (depth * std::min(b.stride * sizeof(T), page) <= most_pages * page) {
            // A column of tiles at once: its part of B stays in a near cache.
            all_rows<false>(a, depth, b, c, {accumulate, most_packets * lanes});
        } else {
            // A column that lies on more pages than the processor keeps addresses of takes several times as long as
            // rows: a few of those at once, cut where they would leave the first cache, while the next are fetched.
            for (std::size_t d = 0; d < depth; d += short_depth) {
                const std::size_t count = std::min(short_depth, depth - d);
                const Pass pass{accumulate || d > 0, row_bytes / sizeof(T),
                                d + 2 * short_depth <= depth ? short_depth * b.stride : 0};
                all_rows<false>({a.data + d * a.depth_stride, a.row_stride, a.depth_stride}, count,
                                b.middle_rows(d, count), c, pass);
            }
        }
    }

    /// C −= rate · Aᵀ B, a step of gradient descent, with the bits of a product and then `descended`. For few terms;
    /// one whose element of A is zero may be left out, even where B is not finite. A: (terms, m), B: (terms, n).
    static void descend(View<const T> a, View<const T> b, View<T> c, T rate) {
        for (std::size_t i = 0; i < c.rows; i += rows_of_terms) {
            const View<T> part = c.middle_rows(i, std::min(rows_of_terms, c.rows - i));
            const View<const T> left = a.middle_cols(i, part.rows);
            const auto descend_row = [&](const NonzeroTerms<T>& terms, std::size_t row, std::size_t from,
                                         std::size_t end) {
                // By value, or each store would have the rate read anew.
                const auto put = [to = part.row(row), rate](std::size_t j, const auto& sum) {
                    descend(to + j, rate, sum);
                };
                for_each_sum(terms, b, from, end, put);
            };
            if (!without_zeros(left, b, descend_row))
                from_row_to_row<true>(transposed(left), a.rows, b, part, {false, c.cols, 0, rate});
        }
    }

    /// Aᵀ B without the terms whose element of A is zero, a few elements at a time: visit(i, j, what row i has from
    /// column j on). A: at most `rows_of_terms` columns. False, and nothing visited, where too few are zero to gain.
    template <class Visit>
    static bool visit_without_zeros(View<const T> a, View<const T> b, const Visit& visit) {
        const auto visit_row = [&](const NonzeroTerms<T>& terms, std::size_t i, std::size_t j, std::size_t end) {
            std::array<T, most_visited> part;
            for (; j < end; j += most_visited) {
                const std::size_t stop = std::min(end, j + most_visited);
                for_each_sum(terms, b, j, stop, [&](std::size_t k, const auto& sum) { put(part.data() + k - j, sum); });
                visit(i, j, std::span<const T>(part.data(), stop - j));
            }
        };
        return without_zeros(a, b, visit_row);
    }

  private:
    static constexpr std::size_t short_depth = 16, row_bytes = 1024, line = 64 / sizeof(T), page = 4096,
                                 most_pages = 1024, near_bytes = 32768, most_visited = 256;

    struct Pass {
        bool accumulate;
        std::size_t columns;   ///< so many of all rows before the next ones
        std::size_t ahead = 0; ///< how far beyond an element of B its cache line is fetched, or 0
        T rate = 0;            ///< of `descend`
    };

    static void put(T* to, const Packet<T>& x) { store<T>(to, x); }
    static void put(T* to, const T& x) requires(packet_size<T> > 1) { *to = x; }
    static void descend(T* to, T rate, const Packet<T>& slope) { store<T>(to, descended(load<T>(to), rate, slope)); }
    /// With the bits that an element has in a packet.
    static void descend(T* to, T rate, const T& slope) requires(packet_size<T> > 1) {
        map_packets(
            1, to, [&](const auto& x, const auto& of_x) { return descended(x, rate, of_x); }, to, &slope);
    }

    /// A few rows of B stay in the first cache, so C is written from its first row to its last.
    template <bool descends>
    static void from_row_to_row(const Left& a, std::size_t depth, View<const T> b, View<T> c, const Pass& pass) {
        for (std::size_t i = 0; i < c.rows; i += rows_at_once)
            all_rows<descends>(a.from_row(i), depth, b, c.middle_rows(i, std::min(rows_at_once, c.rows - i)), pass);
    }

    /// visit(the terms of row i of Aᵀ that are not zero, i, begin, end) for parts [begin, end) of B's columns.
    /// False, and nothing visited, where the zeros are so few that rows of B, which are then read for one row of the
    /// product instead of for all of a tile, take longer than what is left out.
    template <class Visit>
    static bool without_zeros(View<const T> a, View<const T> b, const Visit& visit) {
        const std::size_t depth = a.rows, rows = a.cols;
        if (depth > NonzeroTerms<T>::most) return false;
        std::array<std::uint64_t, rows_of_terms> places;
        const std::size_t count = find_nonzeros(a, places.data());
        // A third of zeros is enough, of many terms half (measured with ReLU's gradients of 10 to 48 rows).
        if ((depth > 24 ? 4 : 3) * count > 2 * rows * depth) return false;
        // So many columns at once that their part of B stays in the first cache.
        const std::size_t parts = std::max<std::size_t>(tile_count(depth * b.cols * sizeof(T), near_bytes), 1);
        const std::size_t columns = tile_count(tile_count(b.cols, parts), lanes) * lanes;
        for (std::size_t j = 0; j < b.cols; j += columns)
            for (std::size_t i = 0; i < rows; ++i)
                visit(NonzeroTerms<T>{a.middle_cols(i, 1), places[i]}, i, j, std::min(j + columns, b.cols));
        return true;
    }

    template <bool descends>
    static void all_rows(const Left& a, std::size_t depth, View<const T> b, View<T> c, const Pass& pass) {
        const std::size_t whole = c.cols / (most_packets * lanes) * (most_packets * lanes);
        in_even_tiles<rows_at_once>(c.rows, [&]<std::size_t count>(Count<count>, std::size_t high_rows) {
            for (std::size_t j = 0; j < whole; j += pass.columns) {
                const std::size_t end = std::min(whole, j + pass.columns);
                tiles<most_packets, count, descends>(a, depth, b, c, 0, high_rows, j, end, pass);
                if constexpr (count > 1)
                    tiles<most_packets, count - 1, descends>(a, depth, b, c, high_rows, c.rows, j, end, pass);
            }
        });
        const std::size_t packets = (c.cols - whole) / lanes, rest = whole + packets * lanes;
        if constexpr (most_packets > 2) {
            if (packets == 3) rows<3, most_rows<3>, descends>(a, depth, b, c, 0, whole, pass);
            if (packets == 2) rows<2, most_rows<2>, descends>(a, depth, b, c, 0, whole, pass);
        }
        if (packets == 1) rows<1, most_rows<1>, descends>(a, depth, b, c, 0, whole, pass);
        for (std::size_t j = rest; j < c.cols; ++j)
            for (std::size_t i = 0; i < c.rows; ++i) {
                T sum = pass.accumulate ? c(i, j) : T(0);
                for (std::size_t d = 0; d < depth; ++d) sum = std::fma(a(i, d), b(d, j), sum);
                if constexpr (descends)
                    descend(c.row(i) + j, pass.rate, sum);
                else
                    c(i, j) = sum;
            }
    }

    /// Tiles of `count` rows from row i on, then of half as many, of the last columns.
    template <std::size_t packets, std::size_t count, bool descends>
    static void rows(const Left& a, std::size_t depth, View<const T> b, View<T> c, std::size_t i, std::size_t j,
                     const Pass& pass) {
        const std::size_t end = i + (c.rows - i) / count * count;
        tiles<packets, count, descends>(a, depth, b, c, i, end, j, j + packets * lanes, pass);
        if constexpr (count > 1)
            if (end < c.rows) rows<packets, count / 2, descends>(a, depth, b, c, end, j, pass);
    }

    /// Rows [top, bottom) of columns [j, end), in whole tiles. The loops over a tile are unrolled by pragmas: at -O2
    /// GCC would leave the sums in memory, which takes twice as long. 16 is the most rows that a tile has. A function
    /// of its own, as one with several kinds of tiles has too few registers for some.
    template <std::size_t packets, std::size_t count, bool descends>
    [[gnu::noinline]] static void tiles(const Left& a, std::size_t depth, View<const T> b, View<T> c, std::size_t top,
                                        std::size_t bottom, std::size_t j, std::size_t end, const Pass& pass) {
        const std::size_t row_stride = a.row_stride, depth_stride = a.depth_stride;
        for (; j < end; j += packets * lanes) {
            if (top == 0 && top < bottom && pass.ahead > 0)
                for (std::size_t d = 0; d < depth; ++d)
                    for (std::size_t s = 0; s < packets * lanes; s += line)
                        __builtin_prefetch(b.row(d) + j + pass.ahead + s);
            for (std::size_t i = top; i < bottom; i += count) {
                Packet<T> sums[count][packets];
                T* const out = c.row(i) + j;
                T* row = out;
#pragma GCC unroll 16
                for (std::size_t r = 0; r < count; ++r, row += c.stride)
#pragma GCC unroll 16
                    for (std::size_t s = 0; s < packets; ++s)
                        sums[r][s] = pass.accumulate ? load<T>(row + s * lanes) : constant(T(0));
                const T *left = a.data + i * row_stride, *right = b.data + j;
                for (std::size_t d = 0; d < depth; ++d, left += depth_stride, right += b.stride) {
                    Packet<T> of_right[packets];
#pragma GCC unroll 16
                    for (std::size_t s = 0; s < packets; ++s) {
                        of_right[s] = load<T>(right + s * lanes);
                        // Or GCC reads it anew for each product, and the processor waits.
                        if constexpr (count > 1) {
                            EIGEN_OPTIMIZATION_BARRIER(of_right[s])
                        }
                    }
#pragma GCC unroll 16
                    for (std::size_t r = 0; r < count; ++r) {
                        const Packet<T> of_left = constant(left[r * row_stride]);
#pragma GCC unroll 16
                        for (std::size_t s = 0; s < packets; ++s)
                            sums[r][s] = Eigen::internal::pmadd(of_left, of_right[s], sums[r][s]);
                    }
                }
                row = out;
#pragma GCC unroll 16
                for (std::size_t r = 0; r < count; ++r, row += c.stride)
#pragma GCC unroll 16
                    for (std::size_t s = 0; s < packets; ++s) {
                        T* const to = row + s * lanes;
                        if constexpr (descends)
                            descend(to, pass.rate, sums[r][s]);
                        else
                            store<T>(to, sums[r][s]);
                    }
            }
        }
    }
};

}
