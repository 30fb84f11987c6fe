#pragma once
#include <cstddef>
#include <cstdint>

#include "didact/core/random.hpp"

namespace didact {

/// Where in a run something happens. Every hook that may depend on time or chance gets it.
struct Moment {
    std::uint64_t seed = 0;
    std::size_t experience = 0;
    std::size_t epoch = 0; ///< of this experience
    std::size_t step = 0;  ///< optimizer steps done in this experience
    std::size_t steps_per_epoch = 1;
    std::size_t total_steps = 1; ///< of this experience
    std::size_t step_of_run = 0; ///< optimizer steps done in all experiences

    /// Share of this experience's steps that are done, in [0, 1].
    double progress() const { return double(step) / double(total_steps ? total_steps : 1); }

    /// Random numbers for this step and purpose.
    RandomKey key(RandomPurpose purpose, std::uint64_t sample = 0) const {
        return {seed, purpose, experience, epoch, step, sample};
    }
    /// Random numbers for this epoch and purpose, the same in each of its steps.
    RandomKey epoch_key(RandomPurpose purpose, std::uint64_t sample = 0) const {
        return {seed, purpose, experience, epoch, 0, sample};
    }
};

}
