#pragma once
#include <algorithm>
#include <atomic>

#include "didact/core/parameter_store.hpp"

namespace didact {

/// The lowest stage of a trunk with a shared parameter that trains, or stages() + 1 where none does. A step asks for it
/// several times and it takes reading every parameter's name, so the answer is kept until the store's parameters, or
/// what of them trains, change. Several threads may ask at once.
class FirstTrainableStage {
  public:
    FirstTrainableStage() = default;
    FirstTrainableStage(const FirstTrainableStage&) {}
    FirstTrainableStage& operator=(const FirstTrainableStage&) { return *this; }

    template <class Trunk, Backend B>
    std::size_t of(const Trunk& trunk, const ParameterStore<B>& store) const {
        const std::uint64_t kept = kept_.load(std::memory_order_relaxed);
        if (kept >> stage_bits == store.revision()) return std::size_t(kept & ((1u << stage_bits) - 1));
        std::size_t first = trunk.stages() + 1;
        for (const Parameter& p : store.parameters())
            if (p.trainable && p.shared) first = std::min(first, trunk.stage_of(p.name));
        kept_.store(store.revision() << stage_bits | first, std::memory_order_relaxed);
        return first;
    }

  private:
    static constexpr int stage_bits = 16;
    mutable std::atomic<std::uint64_t> kept_{~std::uint64_t(0)}; ///< the revision it is true for, and the stage
};

}
