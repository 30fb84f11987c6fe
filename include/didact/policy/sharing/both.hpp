#pragma once
#include "didact/policy/pair_state.hpp"

namespace didact::sharing {

/// Two sharing policies at once, e.g. Both<Hard, Pcgrad>: one that chooses the mixture of tasks and one that puts their
/// gradients together. Weights of losses multiply; only one of the two may choose the mixture, and only one combine.
template <Policy First, Policy Second>
struct Both {
    static_assert(First::family == Family::sharing && Second::family == Family::sharing,
                  "didact: sharing::Both joins two sharing policies");
    static constexpr Family family = Family::sharing;
    First first = {};
    Second second = {};

    template <class Model>
    struct State;
    static std::string name() requires(Described<First>&& Described<Second>) {
        return First::name() + "+" + Second::name();
    }
    static void fields(auto& policy, const auto& visit) requires(Described<First>&& Described<Second>) {
        First::fields(policy.first, visit);
        Second::fields(policy.second, visit);
    }
    friend bool operator==(const Both&, const Both&) = default;
};

template <Policy First, Policy Second>
template <class Model>
struct Both<First, Second>::State : PairState<Model, Family::sharing, First, Second> {
    using Pair = PairState<Model, Family::sharing, First, Second>;
    using A = typename Pair::A;
    using B = typename Pair::B;
    using Pair::first, Pair::second;
    static_assert(!(hooks::Mix<A> && hooks::Mix<B>), "didact: both policies of a sharing::Both choose the mixture of "
                                                     "tasks; only one can");
    static_assert(!(hooks::Combine<A> && hooks::Combine<B>), "didact: both policies of a sharing::Both combine the "
                                                             "tasks' gradients; only one can");

    State(const Both& policy, Model& model) : Pair(policy.first, policy.second, model) {}

    void mix(std::span<const std::size_t> sizes, const Moment& moment,
             std::span<std::size_t> counts) requires(hooks::Mix<A> || hooks::Mix<B>) {
        if constexpr (hooks::Mix<A>) first.mix(sizes, moment, counts);
        if constexpr (hooks::Mix<B>) second.mix(sizes, moment, counts);
    }
    void weigh_groups(std::span<const StepGroup> groups, std::span<double> weights,
                      const Moment& moment) requires(hooks::WeighGroups<A> || hooks::WeighGroups<B>) {
        if constexpr (hooks::WeighGroups<A>) first.weigh_groups(groups, weights, moment);
        if constexpr (hooks::WeighGroups<B>) second.weigh_groups(groups, weights, moment);
    }
    void losses_known(std::span<const StepGroup> groups,
                      const Moment& moment) requires(hooks::LossesKnown<A> || hooks::LossesKnown<B>) {
        if constexpr (hooks::LossesKnown<A>) first.losses_known(groups, moment);
        if constexpr (hooks::LossesKnown<B>) second.losses_known(groups, moment);
    }
    void weigh_losses(std::span<const StepGroup> groups, std::span<double> weights,
                      const Moment& moment) requires(hooks::WeighLosses<A> || hooks::WeighLosses<B>) {
        if constexpr (hooks::WeighLosses<A>) first.weigh_losses(groups, weights, moment);
        if constexpr (hooks::WeighLosses<B>) second.weigh_losses(groups, weights, moment);
    }
    void combine(const GramMatrix& gram, const Moment& moment,
                 std::span<double> factors) requires(hooks::Combine<A> || hooks::Combine<B>) {
        if constexpr (hooks::Combine<A>) first.combine(gram, moment, factors);
        if constexpr (hooks::Combine<B>) second.combine(gram, moment, factors);
    }
};

}
