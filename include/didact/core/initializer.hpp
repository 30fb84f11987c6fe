#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "didact/core/normals.hpp"
#include "didact/core/parallel.hpp"
#include "didact/core/random.hpp"

namespace didact {

/// How a parameter starts.
struct Initializer {
    enum class Kind { zeros, ones, normal, uniform } kind = Kind::zeros;
    double scale = 0; ///< standard deviation (normal) or half width (uniform)

    static Initializer zeros() { return {Kind::zeros, 0}; }
    static Initializer ones() { return {Kind::ones, 0}; }
    static Initializer normal(double deviation) { return {Kind::normal, deviation}; }
    static Initializer uniform(double half_width) { return {Kind::uniform, half_width}; }
};

/// Writes standard normal numbers times `scale` to all of `out`; large tensors are filled by several threads.
template <class S>
void fill_normal(std::uint64_t key, double scale, std::span<S> out) {
    constexpr std::size_t width = 16384;
    const auto fill = [&](std::size_t tile) {
        const TileRange range = tile_range(tile, width, out.size());
        normals(key, range.begin, scale, out.subspan(range.begin, range.size()));
    };
    ThreadPool(out.size() < 16 * width ? 1 : 0).for_each_tile(tile_count(out.size(), width), fill);
}

/// Gives a parameter, which is zeros, its initial values: they depend on the seed and the parameter's name only.
template <class S>
void initialize(Initializer initializer, std::uint64_t seed, std::string_view name, std::span<S> out) {
    std::uint64_t name_hash = 0;
    for (const char c : name) name_hash = mix_bits(name_hash ^ std::uint8_t(c));
    const RandomKey key{.seed = seed, .purpose = RandomPurpose::initialization, .sample = name_hash};
    switch (initializer.kind) {
    case Initializer::Kind::zeros:
        break;
    case Initializer::Kind::ones:
        std::ranges::fill(out, S(1));
        break;
    case Initializer::Kind::normal:
        fill_normal(key.bits(), initializer.scale, out);
        break;
    case Initializer::Kind::uniform: {
        Random random(key);
        for (S& x : out) x = S(initializer.scale * (2 * random.uniform() - 1));
        break;
    }
    }
}

}
