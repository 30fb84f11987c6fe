#pragma once
#include "didact/policy/describe.hpp"
#include "didact/policy/hooks.hpp"
#include "didact/train/optimizer.hpp"
#include "didact/train/schedule.hpp"

namespace didact {

/// The class that holds what changes during a run of policy P: State<Argument>, checked to be made from the policy and
/// the model, or from the policy alone.
template <class P, class Argument, class... Made>
consteval bool check_state() {
    static_assert(
        requires { typename P::template State<Argument>; },
        "didact: a policy needs a nested `template <class Model> struct State`, empty where nothing changes; see "
        "policy/freeze/prefix.hpp");
    using State = typename P::template State<Argument>;
    static_assert(!std::is_final_v<State>, "didact: a policy's State must not be final: its hooks are found by a class "
                                           "derived from it");
    static_assert(std::is_constructible_v<State, const P&, Made...>,
                  "didact: a policy's State is made by `State(const Policy&, Model&)`, an optimizer's by `State(const "
                  "Optimizer&)`");
    return true;
}

template <class O, class S>
consteval bool check_optimizer() {
    static_assert(
        requires(const O& policy) {
            { policy.learning_rate } -> std::convertible_to<double>;
        },
        "didact: an optimizer needs a member `double learning_rate`; see train/optimizer.hpp");
    static_assert(
        requires(typename O::template State<S> state, const TrainableLayout& layout, Archive& archive, S* values,
                 const S* gradients) {
            state.layout_changed(layout, layout);
            state.rule(0.1, true)(std::size_t(0), std::size_t(0), values, gradients);
            state.reset();
            state.serialize(archive);
        },
        "didact: an optimizer's State needs `layout_changed`, `rule`, `reset` and `serialize`; see "
        "train/optimizer.hpp");
    return true;
}

template <class C>
consteval bool check_schedule() {
    static_assert(
        requires(const C& schedule) {
            { schedule.factor(std::size_t(0), std::size_t(1)) } -> std::convertible_to<double>;
        },
        "didact: a schedule needs `double factor(std::size_t step, std::size_t total) const`; see "
        "train/schedule.hpp");
    return true;
}

/// The policies of a run and their states. Absent ones take no room.
template <class Model, class... Policies>
class PolicySet {
    static_assert((check_policy<Policies>() && ...));
    static_assert(count_of<Family::freeze, Policies...> <= 1 && count_of<Family::curriculum, Policies...> <= 1 &&
                      count_of<Family::sharing, Policies...> <= 1 && count_of<Family::forgetting, Policies...> <= 1,
                  "didact: two policies of one family; join them by name, e.g. forgetting::Both<A, B>");
    static_assert(count_of<Family::optimizer, Policies...> <= 1 && count_of<Family::schedule, Policies...> <= 1,
                  "didact: a run has one optimizer and one schedule");

  public:
    using S = typename Model::S;
    using Freeze = policy_of<Family::freeze, Policies...>;
    using Curriculum = policy_of<Family::curriculum, Policies...>;
    using Sharing = policy_of<Family::sharing, Policies...>;
    using Forgetting = policy_of<Family::forgetting, Policies...>;
    using Optimizer = policy_of_or<Family::optimizer, optimizer::AdamW, Policies...>;
    using Schedule = policy_of_or<Family::schedule, schedule::Linear, Policies...>;

    static_assert(check_state<Freeze, Model, Model&>() && check_state<Curriculum, Model, Model&>() &&
                  check_state<Sharing, Model, Model&>() && check_state<Forgetting, Model, Model&>() &&
                  check_state<Optimizer, S>());
    static_assert(check_optimizer<Optimizer, S>() && check_schedule<Schedule>());

    using FreezeState = typename Freeze::template State<Model>;
    using CurriculumState = typename Curriculum::template State<Model>;
    using SharingState = typename Sharing::template State<Model>;
    using ForgettingState = typename Forgetting::template State<Model>;
    using OptimizerState = typename Optimizer::template State<S>;

    static_assert(check_hooks<FreezeState, Model, Family::freeze>());
    static_assert(check_hooks<CurriculumState, Model, Family::curriculum>());
    static_assert(check_hooks<SharingState, Model, Family::sharing>());
    static_assert(check_hooks<ForgettingState, Model, Family::forgetting>());

    PolicySet(Model& model, const Policies&... policies)
        : optimizer_policy(pick_policy<Optimizer>(policies...)), schedule(pick_policy<Schedule>(policies...)),
          freeze(pick_policy<Freeze>(policies...), model), curriculum(pick_policy<Curriculum>(policies...), model),
          sharing(pick_policy<Sharing>(policies...), model), forgetting(pick_policy<Forgetting>(policies...), model),
          optimizer(optimizer_policy) {
        if constexpr (requires { schedule.check(); }) schedule.check();
        const auto line = [&]<class P>(const P& policy) {
            description_ += std::string(family_name(P::family)) + ' ' + describe(policy) + '\n';
        };
        line(pick_policy<Freeze>(policies...)), line(pick_policy<Curriculum>(policies...));
        line(pick_policy<Sharing>(policies...)), line(pick_policy<Forgetting>(policies...));
        line(optimizer_policy), line(schedule);
    }

    /// A line for each family: the policy and its hyper-parameters.
    const std::string& description() const { return description_; }

    Optimizer optimizer_policy;
    [[no_unique_address]] Schedule schedule;
    [[no_unique_address]] FreezeState freeze;
    [[no_unique_address]] CurriculumState curriculum;
    [[no_unique_address]] SharingState sharing;
    [[no_unique_address]] ForgettingState forgetting;
    OptimizerState optimizer;

    /// Calls call(state) for the states of the four families.
    template <class Call>
    void for_each(const Call& call) {
        call(freeze);
        call(curriculum);
        call(sharing);
        call(forgetting);
    }

    void experience_began(Engine<Model>& engine, const Experience& experience, const Moment& moment) {
        for_each([&](auto& state) {
            if constexpr (hooks::ExperienceBegan<std::remove_reference_t<decltype(state)>, Model>)
                state.experience_began(engine, experience, moment);
        });
    }
    void experience_ended(Engine<Model>& engine, const Experience& experience, const Moment& moment) {
        for_each([&](auto& state) {
            if constexpr (hooks::ExperienceEnded<std::remove_reference_t<decltype(state)>, Model>)
                state.experience_ended(engine, experience, moment);
        });
    }
    void step_done(Model& model, const Moment& moment) {
        for_each([&](auto& state) {
            if constexpr (hooks::StepDone<std::remove_reference_t<decltype(state)>, Model>)
                state.step_done(model, moment);
        });
    }
    /// True where a policy asks for a new plan.
    bool epoch_done(Model& model, const Moment& moment, std::optional<double> validation) {
        bool plan = false;
        for_each([&](auto& state) {
            if constexpr (hooks::EpochDone<std::remove_reference_t<decltype(state)>, Model>)
                plan |= state.epoch_done(model, moment, validation);
        });
        return plan;
    }

    /// Lets the freeze policy say what trains, and carries over what lies in arrays of trainable size.
    void plan(Model& model, const Moment& moment) {
        if constexpr (requires { model.trunk().frozen_dropout; }) model.trunk().frozen_dropout = false;
        if constexpr (hooks::Plan<FreezeState, Model>) freeze.plan(model, moment);
        model.parameters().plan();
        require(model.parameters().layout().size > 0, "nothing trains: every parameter of the model is frozen");
        layout_changed(model.parameters().layout());
    }
    /// The states' arrays are laid out as the last call said, whoever else planned the model since.
    void layout_changed(const TrainableLayout& after) {
        optimizer.layout_changed(layout_, after);
        for_each([&](auto& state) {
            if constexpr (hooks::LayoutChanged<std::remove_reference_t<decltype(state)>>)
                state.layout_changed(layout_, after);
        });
        layout_ = after;
    }

    void serialize(Archive& archive) {
        archive("optimizer", optimizer);
        for_each([&](auto& state) {
            if constexpr (hooks::Serialize<std::remove_reference_t<decltype(state)>>) archive("state", state);
        });
    }

  private:
    TrainableLayout layout_;
    std::string description_;
};

}
