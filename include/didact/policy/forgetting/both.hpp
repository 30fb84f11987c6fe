#pragma once
#include "didact/policy/pair_state.hpp"

namespace didact::forgetting {

/// Two forgetting policies at once, e.g. Both<Replay, OnlineEwc>: each acts at its moments, the first before the
/// second; penalties and distillation losses add up.
template <Policy First, Policy Second>
struct Both {
    static_assert(First::family == Family::forgetting && Second::family == Family::forgetting,
                  "didact: forgetting::Both joins two forgetting policies");
    static constexpr Family family = Family::forgetting;
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
struct Both<First, Second>::State : PairState<Model, Family::forgetting, First, Second> {
    using Pair = PairState<Model, Family::forgetting, First, Second>;
    using A = typename Pair::A;
    using B = typename Pair::B;
    using Pair::first, Pair::second;
    using S = typename Model::S;

    State(const Both& policy, Model& model) : Pair(policy.first, policy.second, model) {}

    void rehearse(StepBatches& step, const Moment& moment) requires(hooks::Rehearse<A> || hooks::Rehearse<B>) {
        if constexpr (hooks::Rehearse<A>) first.rehearse(step, moment);
        if constexpr (hooks::Rehearse<B>) second.rehearse(step, moment);
    }
    void observe(const Batch& batch, std::span<const float> losses,
                 const Moment& moment) requires(hooks::Observe<A> || hooks::Observe<B>) {
        if constexpr (hooks::Observe<A>) first.observe(batch, losses, moment);
        if constexpr (hooks::Observe<B>) second.observe(batch, losses, moment);
    }
    double distil(Engine<Model>& engine, const Batch& batch, typename Model::Saved& saved, const StepGroup& group,
                  View<S> dhidden, const Moment& moment) requires(hooks::Distil<A, Model> || hooks::Distil<B, Model>) {
        double loss = 0;
        if constexpr (hooks::Distil<A, Model>) loss += first.distil(engine, batch, saved, group, dhidden, moment);
        if constexpr (hooks::Distil<B, Model>) loss += second.distil(engine, batch, saved, group, dhidden, moment);
        return loss;
    }
    void project(Engine<Model>& engine,
                 const Moment& moment) requires(hooks::Project<A, Model> || hooks::Project<B, Model>) {
        if constexpr (hooks::Project<A, Model>) first.project(engine, moment);
        if constexpr (hooks::Project<B, Model>) second.project(engine, moment);
    }
    S penalty(std::size_t i, S w) const requires(hooks::Penalty<A, Model> || hooks::Penalty<B, Model>) {
        S sum = 0;
        if constexpr (hooks::Penalty<A, Model>) sum += first.penalty(i, w);
        if constexpr (hooks::Penalty<B, Model>) sum += second.penalty(i, w);
        return sum;
    }
    bool penalizes() const requires(hooks::Penalty<A, Model> || hooks::Penalty<B, Model>) {
        return hooks::penalizes<Model>(first) || hooks::penalizes<Model>(second);
    }
    void accumulate(std::size_t i, S gradient, S before,
                    S after) requires(hooks::Accumulate<A, Model> || hooks::Accumulate<B, Model>) {
        if constexpr (hooks::Accumulate<A, Model>) first.accumulate(i, gradient, before, after);
        if constexpr (hooks::Accumulate<B, Model>) second.accumulate(i, gradient, before, after);
    }
};

}
