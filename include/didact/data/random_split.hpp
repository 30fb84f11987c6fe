#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>

#include "didact/data/dataset.hpp"

namespace didact {

/// Which of a data set's samples train and which are held out, each in their own order.
struct RandomSplit {
    std::vector<std::uint32_t> train, held_out;
};

/// Holds out `share` of `size` samples, rounded, drawn by the seed. Throws Error where that leaves either part empty.
inline RandomSplit random_split(std::size_t size, double share, std::uint64_t seed) {
    require(share > 0 && share < 1, "random_split: share is ", share, ", it must lie in (0, 1)");
    const std::size_t count = std::size_t(std::llround(share * double(size)));
    require(count > 0 && count < size, "random_split: ", share, " of ", size, " samples are ", count,
            ", which leaves one part empty");
    RandomSplit split;
    split.train.resize(size);
    std::iota(split.train.begin(), split.train.end(), 0u);
    Random({.seed = seed, .purpose = RandomPurpose::data, .sample = 1}).shuffle(std::span<std::uint32_t>(split.train));
    split.held_out.assign(split.train.end() - std::ptrdiff_t(count), split.train.end());
    split.train.resize(size - count);
    std::ranges::sort(split.train);
    std::ranges::sort(split.held_out);
    return split;
}

}
