#pragma once
#include "didact/policy/hooks.hpp"

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
struct Both<First, Second>::State {
    using A = typename First::template State<Model>;
    using B = typename Second::template State<Model>;
    using S = typename Model::S;
    static_assert(check_hooks<A, Model, Family::forgetting>() && check_hooks<B, Model, Family::forgetting>());
    using JoinsHooks = void; ///< hooks below exist only where one of the two has them

    State(const Both& policy, Model& model) : first(policy.first, model), second(policy.second, model) {}

    void experience_began(Engine<Model>& engine, const Experience& experience,
                          const Moment& moment) requires(hooks::ExperienceBegan<A, Model> ||
                                                         hooks::ExperienceBegan<B, Model>) {
        if constexpr (hooks::ExperienceBegan<A, Model>) first.experience_began(engine, experience, moment);
        if constexpr (hooks::ExperienceBegan<B, Model>) second.experience_began(engine, experience, moment);
    }
    void rehearse(StepBatches& step, const Moment& moment) requires(hooks::Rehearse<A> || hooks::Rehearse<B>) {
        if constexpr (hooks::Rehearse<A>) first.rehearse(step, moment);
        if constexpr (hooks::Rehearse<B>) second.rehearse(step, moment);
    }
    void observe(const Batch& batch, std::span<const float> losses,
                 const Moment& moment) requires(hooks::Observe<A> || hooks::Observe<B>) {
        if constexpr (hooks::Observe<A>) first.observe(batch, losses, moment);
        if constexpr (hooks::Observe<B>) second.observe(batch, losses, moment);
    }
    double distil(Engine<Model>& engine, const Batch& batch, typename Model::Saved& saved, double scale,
                  View<S> dhidden, const Moment& moment) requires(hooks::Distil<A, Model> || hooks::Distil<B, Model>) {
        double loss = 0;
        if constexpr (hooks::Distil<A, Model>) loss += first.distil(engine, batch, saved, scale, dhidden, moment);
        if constexpr (hooks::Distil<B, Model>) loss += second.distil(engine, batch, saved, scale, dhidden, moment);
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
    void accumulate(std::size_t i, S gradient, S before,
                    S after) requires(hooks::Accumulate<A, Model> || hooks::Accumulate<B, Model>) {
        if constexpr (hooks::Accumulate<A, Model>) first.accumulate(i, gradient, before, after);
        if constexpr (hooks::Accumulate<B, Model>) second.accumulate(i, gradient, before, after);
    }
    void step_done(Model& model,
                   const Moment& moment) requires(hooks::StepDone<A, Model> || hooks::StepDone<B, Model>) {
        if constexpr (hooks::StepDone<A, Model>) first.step_done(model, moment);
        if constexpr (hooks::StepDone<B, Model>) second.step_done(model, moment);
    }
    bool epoch_done(Model& model, const Moment& moment,
                    std::optional<double> validation) requires(hooks::EpochDone<A, Model> ||
                                                               hooks::EpochDone<B, Model>) {
        bool plan = false;
        if constexpr (hooks::EpochDone<A, Model>) plan |= first.epoch_done(model, moment, validation);
        if constexpr (hooks::EpochDone<B, Model>) plan |= second.epoch_done(model, moment, validation);
        return plan;
    }
    void experience_ended(Engine<Model>& engine, const Experience& experience,
                          const Moment& moment) requires(hooks::ExperienceEnded<A, Model> ||
                                                         hooks::ExperienceEnded<B, Model>) {
        if constexpr (hooks::ExperienceEnded<A, Model>) first.experience_ended(engine, experience, moment);
        if constexpr (hooks::ExperienceEnded<B, Model>) second.experience_ended(engine, experience, moment);
    }
    void layout_changed(const TrainableLayout& before,
                        const TrainableLayout& after) requires(hooks::LayoutChanged<A> || hooks::LayoutChanged<B>) {
        if constexpr (hooks::LayoutChanged<A>) first.layout_changed(before, after);
        if constexpr (hooks::LayoutChanged<B>) second.layout_changed(before, after);
    }
    void serialize(Archive& archive) {
        if constexpr (hooks::Serialize<A>) first.serialize(archive);
        if constexpr (hooks::Serialize<B>) second.serialize(archive);
    }

    A first;
    B second;
};

}
