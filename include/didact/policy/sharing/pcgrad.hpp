#pragma once
#include <numeric>
#include <vector>

#include "didact/core/gram_matrix.hpp"
#include "didact/core/random.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"
#include "didact/train/moment.hpp"

namespace didact::sharing {

/// Gradient surgery (Yu et al. 2020, PCGrad, arXiv 2001.06782, algorithm 1): each task's gradient gᵢ, in turn against
/// every other gⱼ in random order, loses its component along gⱼ where they conflict: g ← g − (g·gⱼ / ‖gⱼ‖²) gⱼ if g·gⱼ
/// < 0, always against the original gⱼ. The step uses the sum of the results. All of it is linear in the gradients, so
/// the K × K inner products of the shared parameters decide it.
struct Pcgrad {
    static constexpr Family family = Family::sharing;

    template <class Model>
    struct State {
        State(const Pcgrad&, const Model&) {}

        void combine(const GramMatrix& gram, const Moment& moment, std::span<double> factors) {
            const std::size_t tasks = gram.size();
            std::fill(factors.begin(), factors.end(), 0.0);
            mixture.resize(tasks);
            order.resize(tasks);
            for (std::size_t i = 0; i < tasks; ++i) {
                std::fill(mixture.begin(), mixture.end(), 0.0);
                mixture[i] = 1;
                std::iota(order.begin(), order.end(), std::size_t(0));
                Random(moment.key(RandomPurpose::sharing, i)).shuffle(std::span<std::size_t>(order));
                for (const std::size_t j : order) {
                    if (j == i || gram(j, j) <= 0) continue;
                    double product = 0;
                    for (std::size_t l = 0; l < tasks; ++l) product += mixture[l] * gram(l, j);
                    if (product < 0) mixture[j] -= product / gram(j, j);
                }
                for (std::size_t l = 0; l < tasks; ++l) factors[l] += mixture[l];
            }
        }

        void serialize(Archive&) {} ///< what it holds is of one step only

        std::vector<double> mixture;
        std::vector<std::size_t> order;
    };
    static std::string name() { return "pcgrad"; }
    static void fields(auto&, const auto&) {}
    friend bool operator==(const Pcgrad&, const Pcgrad&) = default;
};

}
