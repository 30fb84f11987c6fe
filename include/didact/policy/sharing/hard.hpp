#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>

#include "didact/core/error.hpp"
#include "didact/core/random.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"
#include "didact/train/moment.hpp"

namespace didact::sharing {

/// Hard sharing (Caruana 1997): one trunk and a head for each task; the step's loss is the sum of the tasks' mean
/// losses. Of a step's n samples task k gets the share sizeₖ^exponent / Σ sizeⱼ^exponent: 1 is proportional mixing, 0
/// equal shares, between them temperature mixing with T = 1 / exponent (Raffel et al. 2020, arXiv 1910.10683,
/// section 3.5.2). A task that runs out within an epoch begins again.
struct Hard {
    static constexpr Family family = Family::sharing;
    double exponent = 1;

    template <class Model>
    struct State {
        State(const Hard& policy, const Model&) : exponent(policy.exponent) {
            require_not_negative("sharing::Hard", "exponent", exponent);
        }

        /// Each sample goes to the task that is furthest behind its share, over all steps: a share below one sample a
        /// step is had as well.
        void mix(std::span<const std::size_t> sizes, const Moment&, std::span<std::size_t> counts) {
            if (exponent == 1) return;
            const std::size_t n = std::accumulate(counts.begin(), counts.end(), std::size_t(0));
            if (behind.size() != sizes.size()) behind.assign(sizes.size(), 0);
            double total = 0;
            for (const std::size_t size : sizes) total += weight(size);
            std::fill(counts.begin(), counts.end(), 0);
            for (std::size_t k = 0; k < sizes.size(); ++k) behind[k] += weight(sizes[k]) / total * double(n);
            for (std::size_t i = 0; i < n; ++i) {
                std::size_t next = 0;
                for (std::size_t k = 1; k < sizes.size(); ++k)
                    if (sizes[next] == 0 || (sizes[k] > 0 && behind[k] > behind[next])) next = k;
                ++counts[next];
                behind[next] -= 1;
            }
        }

        void serialize(Archive& archive) {
            archive("exponent", exponent);
            archive("behind", behind);
        }

        double weight(std::size_t size) const { return size ? std::pow(double(size), exponent) : 0; }

        double exponent;
        std::vector<double> behind = {}; ///< samples that each task is short of
    };
    static std::string name() { return "hard-sharing"; }
    static void fields(auto& policy, const auto& visit) { visit("exponent", policy.exponent); }
    friend bool operator==(const Hard&, const Hard&) = default;
};

}
