#pragma once
#include "didact/backend/cpu/amx_panels.hpp"
#include "didact/core/view.hpp"

#if DIDACT_WITH_AMX
#include <immintrin.h>

namespace didact::cpu {

/// Packs and rounds what tile registers multiply. T is float.
template <class T>
struct AmxTiles {
    static_assert(std::is_same_v<T, float>);
    enum class Side { left, right };

    /// `x` times `factor` as the panels of one side, at `to`. The terms of a sum lie in a row of x (`terms_in_rows`),
    /// or down a column.
    static AmxPanels pack(View<const float> x, bool terms_in_rows, Side side, float factor, bf16* to) {
        const AmxPanels result = panels(x, terms_in_rows, to);
        for (std::size_t panel = 0; panel < tile_count(result.size, AmxPanels::panel_width); ++panel)
            for (std::size_t chunk = 0; chunk < result.chunks; ++chunk)
                pack_chunk(x, terms_in_rows, side, factor, panel, chunk, to + result.offset(panel, chunk));
        return result;
    }

    /// The same by all threads.
    template <CpuBackend B>
    static AmxPanels pack(Context<B>& context, View<const float> x, bool terms_in_rows, Side side, bf16* to) {
        const AmxPanels result = panels(x, terms_in_rows, to);
        const std::size_t count = tile_count(result.size, AmxPanels::panel_width);
        const auto pack_at = [&](std::size_t panel, std::size_t chunk) {
            pack_chunk(x, terms_in_rows, side, 1, panel, chunk, to + result.offset(panel, chunk));
        };
        // By rows of x, which are read from their begin to their end.
        context.pool.for_each_tile(terms_in_rows ? count : result.chunks, [&](std::size_t i) {
            for (std::size_t j = 0; j < (terms_in_rows ? result.chunks : count); ++j)
                terms_in_rows ? pack_at(i, j) : pack_at(j, i);
        });
        return result;
    }

    /// What the panels of `x` measure, at `data`.
    static AmxPanels panels(View<const float> x, bool terms_in_rows, const bf16* data) {
        const std::size_t size = terms_in_rows ? x.rows : x.cols, depth = terms_in_rows ? x.cols : x.rows;
        return {data, size, tile_count(depth, AmxPanels::terms)};
    }

    /// One chunk of a panel: both count from the begin of x.
    static void pack_chunk(View<const float> x, bool terms_in_rows, Side side, float factor, std::size_t panel,
                           std::size_t chunk, bf16* to) {
        constexpr std::size_t tile = AmxPanels::chunk_elements / 2;
        for (const std::size_t half : {0u, 1u})
            pack_tile(x, terms_in_rows, side, factor, panel * AmxPanels::panel_width + half * 16,
                      chunk * AmxPanels::terms, to + half * tile);
    }

    /// to[j] = x[j], rounded, for j in [0, count).
    [[gnu::target("avx512f,avx512bw,avx512bf16")]] static void round_row(std::size_t count, const float* x, bf16* to) {
        for (std::size_t j = 0; j < count; j += 16) {
            const __mmask16 present = mask(count, j);
            const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(present, x + j));
            _mm512_mask_cvtepi32_storeu_epi16(to + j, present, _mm512_cvtepu16_epi32((__m256i)rounded));
        }
    }
    /// x[j] *= factors[j] for j in [0, count).
    [[gnu::target("avx512f,avx512bw")]] static void multiply_row(std::size_t count, const bf16* factors, float* x) {
        for (std::size_t j = 0; j < count; j += 16) {
            const __mmask16 present = mask(count, j);
            const __m512i words =
                _mm512_cvtepu16_epi32(_mm512_castsi512_si256(_mm512_maskz_loadu_epi16(present, factors + j)));
            const __m512 factor = _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
            _mm512_mask_storeu_ps(x + j, present, _mm512_mul_ps(_mm512_maskz_loadu_ps(present, x + j), factor));
        }
    }

  private:
    /// One tile: 16 rows of op(A) or columns of op(B) from `first` on, 32 terms from `term` on.
    static void pack_tile(View<const float> x, bool terms_in_rows, Side side, float factor, std::size_t first,
                          std::size_t term, bf16* to) {
        const std::size_t size = terms_in_rows ? x.rows : x.cols, depth = terms_in_rows ? x.cols : x.rows;
        const std::size_t lines = std::min<std::size_t>(size > first ? size - first : 0, 16);
        const std::size_t terms = std::min<std::size_t>(depth - term, 32);
        const auto pack = [&]<bool in_rows, bool transposes>() {
            if (lines == 16 && terms == 32)
                pack_lines<in_rows, transposes>(x, factor, first, term, Count<16>(), Count<32>(), to);
            else
                pack_lines<in_rows, transposes>(x, factor, first, term, lines, terms, to);
        };
        if (terms_in_rows)
            side == Side::right ? pack.template operator()<true, true>() : pack.template operator()<true, false>();
        else
            side == Side::left ? pack.template operator()<false, true>() : pack.template operator()<false, false>();
    }

    /// So many lines and terms of a tile, the others zeros. The loops are unrolled, or the words would go through
    /// memory; where the compiler knows the counts, nothing is masked.
    template <bool terms_in_rows, bool transposes>
    [[gnu::target("avx512f,avx512bw,avx512bf16"), gnu::noinline]] static void
    pack_lines(View<const float> x, float factor, std::size_t first, std::size_t term, auto lines, auto terms,
               bf16* to) {
        __m512i words[16]; // each of 16 pairs of terms
        const __m512 factors = _mm512_set1_ps(factor);
        if constexpr (terms_in_rows) {
            const auto low = mask(terms, 0), high = mask(terms, 16);
            const float* from = x.row(first) + term;
#pragma GCC unroll 16
            for (std::size_t i = 0; i < 16; ++i, from += x.stride)
                words[i] = i < lines ? rounded(load(low, from, factors), load(high, from + 16, factors))
                                     : _mm512_setzero_si512();
        } else {
            const auto present = mask(lines, 0);
            const __m512i order = alternating();
            const float* from = x.row(term) + first;
#pragma GCC unroll 16
            for (std::size_t i = 0; i < 16; ++i, from += 2 * x.stride) {
                const __m512 even = 2 * i < terms ? load(present, from, factors) : _mm512_setzero_ps();
                const __m512 odd = 2 * i + 1 < terms ? load(present, from + x.stride, factors) : _mm512_setzero_ps();
                words[i] = _mm512_permutexvar_epi16(order, rounded(even, odd));
            }
        }
        if constexpr (transposes) transpose(words);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < 16; ++i) _mm512_storeu_si512(to + i * AmxPanels::terms, words[i]);
    }

    /// Which of the 16 lanes from `first` on are within `count`; all of them where the compiler knows the count.
    struct AllLanes {};
    static auto mask(auto count, std::size_t first) {
        if constexpr (std::is_same_v<decltype(count), std::size_t>) {
            const std::size_t present = count > first ? count - first : 0;
            return __mmask16(present >= 16 ? 0xFFFFu : (1u << present) - 1);
        } else {
            return AllLanes();
        }
    }
    [[gnu::target("avx512f")]] static __m512 load(auto present, const float* from, __m512 factors) {
        if constexpr (std::is_same_v<decltype(present), AllLanes>)
            return _mm512_mul_ps(_mm512_loadu_ps(from), factors);
        else
            return _mm512_mul_ps(_mm512_maskz_loadu_ps(present, from), factors);
    }
    [[gnu::target("avx512f,avx512bf16")]] static __m512i rounded(__m512 low, __m512 high) {
        return (__m512i)_mm512_cvtne2ps_pbh(high, low);
    }
    /// Element i of the lower half, then element i of the upper half.
    [[gnu::target("avx512f,avx512bw")]] static __m512i alternating() {
        const __m512i low = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_add_epi32(low, _mm512_set1_epi32(16)), 16));
    }

    /// The transpose of 16 rows of 16 words: of blocks of 1, 2, 4 and 8 words in turn.
    [[gnu::target("avx512f"), gnu::always_inline]] static inline void transpose(__m512i (&x)[16]) {
        __m512i y[16];
#pragma GCC unroll 16
        for (std::size_t i = 0; i < 16; i += 2) {
            y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
            y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
        }
#pragma GCC unroll 16
        for (std::size_t i = 0; i < 16; i += 4)
#pragma GCC unroll 16
            for (std::size_t j = 0; j < 2; ++j) {
                x[i + 2 * j] = _mm512_unpacklo_epi64(y[i + j], y[i + j + 2]);
                x[i + 2 * j + 1] = _mm512_unpackhi_epi64(y[i + j], y[i + j + 2]);
            }
#pragma GCC unroll 16
        for (std::size_t i = 0; i < 16; i += 8)
#pragma GCC unroll 16
            for (std::size_t j = 0; j < 4; ++j) {
                y[i + j] = _mm512_shuffle_i32x4(x[i + j], x[i + j + 4], 0x88);
                y[i + j + 4] = _mm512_shuffle_i32x4(x[i + j], x[i + j + 4], 0xDD);
            }
#pragma GCC unroll 16
        for (std::size_t j = 0; j < 8; ++j) {
            x[j] = _mm512_shuffle_i32x4(y[j], y[j + 8], 0x88);
            x[j + 8] = _mm512_shuffle_i32x4(y[j], y[j + 8], 0xDD);
        }
    }
};

}
#endif
