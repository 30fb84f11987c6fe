#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "didact/backend/cpu/elements.hpp"
#include "didact/backend/cpu/elementwise.hpp"
#include "didact/backend/cpu/tag.hpp"
#include "didact/core/random.hpp"

namespace didact {

namespace cpu {

/// So many elements of a stream are decided together.
inline constexpr std::size_t dropout_elements = 128;

/// Writes `kept` or 0 for the elements [first, count) of the stream (key, row) of `count`: an element is kept when its
/// 16 random bits are not below p · 2¹⁶. One Philox block decides eight elements. They lie apart, so that 16 blocks run
/// side by side; the last elements are shared out among as few blocks as they need. `first` is a multiple of
/// dropout_elements; `count` may be a smaller multiple of it instead, with the same results.
template <class T>
void dropout_mask(std::uint64_t key, std::uint64_t row, double p, T kept, T* mask, std::size_t count,
                  std::size_t first = 0) {
    constexpr std::size_t lanes = dropout_elements / 8;
    const std::int32_t threshold = std::int32_t(p * 65536.0);
    const auto decide = [&](std::uint32_t bits) { return std::int32_t(bits) >= threshold ? kept : T(0); };
    const std::array<std::uint32_t, 2> key_words = {std::uint32_t(key), std::uint32_t(key >> 32)};
    WordVector first_blocks;
    for (std::size_t l = 0; l < word_lanes; ++l) first_blocks[l] = std::uint32_t(l);
    for (std::size_t begin = first; begin < count; begin += 8 * lanes, mask += 8 * lanes) {
        const std::size_t here = std::min(8 * lanes, count - begin), blocks = (here + 7) / 8;
        if (blocks <= 4) {
            for (std::size_t l = 0; l < blocks; ++l) {
                const auto words =
                    philox({std::uint32_t(begin / 8 + l), std::uint32_t(row), std::uint32_t(row >> 32), 0}, key_words);
                for (std::size_t part = 0; part < 8 && part * blocks + l < here; ++part)
                    mask[part * blocks + l] = decide((words[part / 2] >> (16 * (part % 2))) & 0xFFFFu);
            }
            continue;
        }
        // Whole vectors, as a load waits long for bytes that several stores wrote.
        std::array<std::array<WordVector, lanes / word_lanes>, 4> x{};
        for (std::size_t part = 0; part < x[0].size(); ++part) {
            x[0][part] = first_blocks + std::uint32_t(begin / 8 + part * word_lanes);
            x[1][part] += std::uint32_t(row);
            x[2][part] += std::uint32_t(row >> 32);
        }
        philox_lanes(x, key_words);
        std::array<std::uint32_t, 4 * lanes> words;
        std::memcpy(words.data(), x.data(), sizeof x);
        std::array<T, 8 * lanes> decided;
        for (std::size_t w = 0; w < 4; ++w)
            for (std::size_t l = 0; l < lanes; ++l) {
                decided[2 * w * lanes + l] = decide(words[w * lanes + l] & 0xFFFFu);
                decided[(2 * w + 1) * lanes + l] = decide(words[w * lanes + l] >> 16);
            }
        if (here == decided.size())
            std::copy_n(decided.data(), here, mask);
        else
            for (std::size_t part = 0, done = 0; done < here; ++part, done += blocks)
                std::copy_n(decided.data() + part * lanes, std::min(blocks, here - done), mask + done);
    }
}

/// j ↦ x[j] · factor where kept[j] is 1, and 0 elsewhere.
template <class T>
auto masked(const std::uint8_t* kept, T factor, const T* x) {
    return [=](std::size_t j) { return x[j] * (T(kept[j]) * factor); };
}

}

/// y = x ⊙ mask / (1 − p), or y = residual + that, with the mask of stream (key, row) kept in `mask` (rows · cols); y
/// may be x. The stream of row i is that of the token it is, context.tokens[i], or i where that is empty.
template <CpuBackend B>
void dropout_forward(Context<B>& context, double p, std::uint64_t key, View<const Scalar<B>> x, View<Scalar<B>> y,
                     std::span<std::uint8_t> mask, View<const Scalar<B>> residual = {}) {
    using T = Scalar<B>;
    const T factor = T(1 / (1 - p));
    cpu::for_each_row(context, y.rows, y.cols, [&](std::size_t i) {
        std::uint8_t* const kept = mask.data() + i * y.cols;
        const std::size_t stream = context.tokens.empty() ? i : std::size_t(context.tokens[i]);
        cpu::dropout_mask(key, stream, p, std::uint8_t(1), kept, y.cols);
        const auto from_x = cpu::masked<T>(kept, factor, x.row(i));
        if (residual.empty()) return cpu::map_elements(y.cols, y.row(i), from_x);
        cpu::map_elements(y.cols, y.row(i),
                          [from_x, to = residual.row(i)](std::size_t j) { return to[j] + from_x(j); });
    });
}

/// dx = dy ⊙ mask / (1 − p); dx may be dy.
template <CpuBackend B>
void dropout_backward(Context<B>& context, double p, std::span<const std::uint8_t> mask, View<const Scalar<B>> dy,
                      View<Scalar<B>> dx) {
    using T = Scalar<B>;
    const T factor = T(1 / (1 - p));
    cpu::for_each_row(context, dx.rows, dx.cols, [&](std::size_t i) {
        cpu::map_elements(dx.cols, dx.row(i), cpu::masked<T>(mask.data() + i * dx.cols, factor, dy.row(i)));
    });
}

}
