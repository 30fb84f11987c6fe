#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <span>

#include "didact/core/random.hpp"

namespace didact {

/// out[i] = scale · the standard normal number `first` + i of stream `key`: both that Box and Muller (1958) make of a
/// pair of 32-bit words, radius √(−2 log u) and angle 2π v. Any part of a stream can be had by itself, with the same
/// bits.
template <class T>
void normals(std::uint64_t key, std::uint64_t first, double scale, std::span<T> out) {
    constexpr std::size_t parts = 4, blocks = parts * word_lanes;
    using Floats = Eigen::Array<float, int(blocks), 1>;
    for (std::size_t done = 0; done < out.size();) {
        std::array<std::uint32_t, blocks> word[4];
        const std::uint64_t block = (first + done) / 4;
        for (std::size_t i = 0; i < blocks; ++i) word[0][i] = std::uint32_t(block + i);
        for (std::size_t i = 0; i < blocks; ++i) word[1][i] = std::uint32_t((block + i) >> 32);
        word[2].fill(0);
        word[3].fill(1); // apart from Random's stream of this key
        std::array<std::array<WordVector, parts>, 4> lanes;
        std::memcpy(lanes.data(), word, sizeof word);
        philox_lanes(lanes, {std::uint32_t(key), std::uint32_t(key >> 32)});
        std::memcpy(word, lanes.data(), sizeof word);

        Eigen::Array<float, 4, int(blocks)> four;
        for (int pair = 0; pair < 2; ++pair) {
            Floats uniform, angle;
            for (std::size_t i = 0; i < blocks; ++i)
                uniform[Eigen::Index(i)] = (float(word[2 * pair][i]) + 0.5f) * 0x1.0p-32f;
            for (std::size_t i = 0; i < blocks; ++i)
                angle[Eigen::Index(i)] = float(2 * std::numbers::pi) * (float(word[2 * pair + 1][i] >> 8) * 0x1.0p-24f);
            const Floats radius = (-2 * uniform.log()).sqrt(), x = radius * angle.cos(), y = radius * angle.sin();
            four.row(2 * pair) = x;
            four.row(2 * pair + 1) = y;
        }
        const std::size_t skipped = (first + done) % 4, count = std::min(4 * blocks - skipped, out.size() - done);
        std::transform(four.data() + skipped, four.data() + skipped + count, out.data() + done,
                       [&](float z) { return T(z) * T(scale); });
        done += count;
    }
}

}
