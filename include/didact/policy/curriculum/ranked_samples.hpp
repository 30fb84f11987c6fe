#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "didact/data/stream.hpp"
#include "didact/policy/curriculum/difficulty.hpp"

namespace didact::curriculum {

/// The training samples of each of an experience's tasks from easy to hard, and draws from the easiest of them.
class RankedSamples {
  public:
    /// Ranks by a metric of policy/curriculum/difficulty.hpp.
    void rank(const auto& difficulty, auto& engine, const Experience& experience, const Moment& moment) {
        orders_.clear();
        for (const TaskData& data : experience.tasks)
            orders_.push_back(
                difficulty::easy_to_hard(difficulty::measure(difficulty, engine, data, moment), data.train));
    }

    /// Fills `out` uniformly from the `available` easiest samples of task number `slot`, without replacement until all
    /// have been drawn.
    void draw(std::size_t slot, std::size_t available, const Moment& moment, std::span<std::uint32_t> out) {
        const std::vector<std::uint32_t>& order = orders_.at(slot);
        pool_.assign(order.begin(), order.begin() + std::ptrdiff_t(available));
        Random random(moment.key(RandomPurpose::curriculum, slot));
        for (std::size_t i = 0; i < out.size(); ++i) {
            const std::size_t taken = i % available;
            std::swap(pool_[taken], pool_[taken + random.below(available - taken)]);
            out[i] = pool_[taken];
        }
    }

    const std::vector<std::vector<std::uint32_t>>& orders() const { return orders_; }

    void serialize(Archive& archive) {
        std::size_t count = orders_.size();
        archive("count", count);
        orders_.resize(count);
        for (auto& order : orders_) archive("order", order);
    }

  private:
    std::vector<std::vector<std::uint32_t>> orders_;
    std::vector<std::uint32_t> pool_;
};

}
