#pragma once
#include <concepts>
#include <optional>
#include <span>

#include "didact/core/gram_matrix.hpp"
#include "didact/core/parameter_store.hpp"
#include "didact/data/stream.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"
#include "didact/train/moment.hpp"
#include "didact/train/step.hpp"

namespace didact {

template <class Model>
class Engine;

/// The moments at which a policy's State may act. A member of one of these names must have the signature that the
/// concept below it asks for; a State without the member costs nothing. `Moment` says where in the run it happens,
/// `Engine` runs passes of the model outside the training loop (train/engine.hpp).
struct HookNames {
    int experience_began, plan, select, weigh_samples, mix, rehearse, observe, weigh_groups, weigh_losses, losses_known,
        distil, combine, project, penalty, penalizes, accumulate, step_done, epoch_done, experience_ended,
        layout_changed, serialize;
};

/// A name that State has too is ambiguous here, whatever its kind or signature: how a wrong hook is noticed.
template <class State>
struct HookProbe : State, HookNames {};

namespace hooks {

template <class State, class Model>
using Number = typename Model::S;

/// Any family: an experience begins, before anything is planned for it.
template <class T, class M>
concept ExperienceBegan = requires(T s, Engine<M>& engine, const Experience& experience, const Moment& moment) {
    { s.experience_began(engine, experience, moment) } -> std::same_as<void>;
};
/// freeze: say what trains, through model.parameters().set_trainable. Called when an experience begins, after
/// experience_began, and whenever epoch_done said so.
template <class T, class M>
concept Plan = requires(T s, M& model, const Moment& moment) {
    { s.plan(model, moment) } -> std::same_as<void>;
};
/// curriculum: choose the samples of a step from the data of the task in this slot of the experience.
template <class T>
concept Select = requires(T s, const Dataset& data, std::size_t slot, const Moment& moment,
                          std::span<std::uint32_t> out) {
    { s.select(data, slot, moment, out) } -> std::same_as<void>;
};
/// curriculum: the weight of each chosen sample in the loss.
template <class T>
concept WeighSamples = requires(T s, const Dataset& data, std::size_t slot, const Moment& moment,
                                std::span<const std::uint32_t> chosen, std::span<float> weights) {
    { s.weigh_samples(data, slot, moment, chosen, weights) } -> std::same_as<void>;
};
/// sharing: how many of the step's samples each task gets; `sizes` are the tasks' training sizes, `counts` comes in
/// with their proportional shares.
template <class T>
concept Mix = requires(T s, std::span<const std::size_t> sizes, const Moment& moment, std::span<std::size_t> counts) {
    { s.mix(sizes, moment, counts) } -> std::same_as<void>;
};
/// forgetting: add groups of earlier samples to a step.
template <class T>
concept Rehearse = requires(T s, StepBatches& step, const Moment& moment) {
    { s.rehearse(step, moment) } -> std::same_as<void>;
};
/// curriculum, forgetting: see the losses of samples of the current experience, each its own mean; once for each
/// micro-batch, of which a step may have several.
template <class T>
concept Observe = requires(T s, const Batch& batch, std::span<const float> losses, const Moment& moment) {
    { s.observe(batch, losses, moment) } -> std::same_as<void>;
};
/// sharing: the weight of each group's mean loss, from what was known before the step; `weights` comes in with the
/// groups' own. A step need not have a group of every task, and may have several of one (rehearsal).
template <class T>
concept WeighGroups = requires(T s, std::span<const StepGroup> groups, std::span<double> weights,
                               const Moment& moment) {
    { s.weigh_groups(groups, weights, moment) } -> std::same_as<void>;
};
/// sharing: the weights where they depend on the step's own losses, known as group.loss. Asking for it makes the
/// trainer run every group forward twice.
template <class T>
concept WeighLosses = requires(T s, std::span<const StepGroup> groups, std::span<double> weights,
                               const Moment& moment) {
    { s.weigh_losses(groups, weights, moment) } -> std::same_as<void>;
};
/// sharing: learn from the losses and the weights of the step's groups, group.loss and group.weight.
template <class T>
concept LossesKnown = requires(T s, std::span<const StepGroup> groups, const Moment& moment) {
    { s.losses_known(groups, moment) } -> std::same_as<void>;
};
/// forgetting: add the gradient of a distillation loss, times group.weight, to the heads and to dhidden, as far as it
/// is of this micro-batch of the group; returns that part of the loss.
template <class T, class M>
concept Distil = requires(T s, Engine<M>& engine, const Batch& batch, typename M::Saved& saved, const StepGroup& group,
                          View<typename M::S> dhidden, const Moment& moment) {
    { s.distil(engine, batch, saved, group, dhidden, moment) } -> std::same_as<double>;
};
/// sharing: the factors of the groups' gradients in the combined one, from their inner products over shared parameters.
/// Asking for it makes the trainer keep one gradient a group.
template <class T>
concept Combine = requires(T s, const GramMatrix& gram, const Moment& moment, std::span<double> factors) {
    { s.combine(gram, moment, factors) } -> std::same_as<void>;
};
/// forgetting: change the step's gradient, engine.model().parameters().gradients(), before it is clipped.
template <class T, class M>
concept Project = requires(T s, Engine<M>& engine, const Moment& moment) {
    { s.project(engine, moment) } -> std::same_as<void>;
};
/// freeze, forgetting: the gradient of a penalty at element i of the trainable range, inlined into the update.
template <class T, class M>
concept Penalty = requires(const T s, std::size_t i, typename M::S w) {
    { s.penalty(i, w) } -> std::same_as<typename M::S>;
};
/// freeze, forgetting: false while the penalty of every element is zero, so that a step need not ask for it.
template <class T>
concept Penalizes = requires(const T s) {
    { s.penalizes() } -> std::same_as<bool>;
};
/// forgetting: see element i updated: its loss gradient (unclipped, without penalty), and its values before and after.
template <class T, class M>
concept Accumulate = requires(T s, std::size_t i, typename M::S gradient, typename M::S before, typename M::S after) {
    { s.accumulate(i, gradient, before, after) } -> std::same_as<void>;
};
/// Any family: an optimizer step is done.
template <class T, class M>
concept StepDone = requires(T s, M& model, const Moment& moment) {
    { s.step_done(model, moment) } -> std::same_as<void>;
};
/// Any family: an epoch is done; `validation` is the metric where there is validation data. True asks for a new plan.
template <class T, class M>
concept EpochDone = requires(T s, M& model, const Moment& moment, std::optional<double> validation) {
    { s.epoch_done(model, moment, validation) } -> std::same_as<bool>;
};
/// Any family: an experience is over; consolidate, store.
template <class T, class M>
concept ExperienceEnded = requires(T s, Engine<M>& engine, const Experience& experience, const Moment& moment) {
    { s.experience_ended(engine, experience, moment) } -> std::same_as<void>;
};
/// Any family: the set of trainable parameters changed, and with it where their elements lie.
template <class T>
concept LayoutChanged = requires(T s, const TrainableLayout& before, const TrainableLayout& after) {
    { s.layout_changed(before, after) } -> std::same_as<void>;
};
/// Any family: write the state into a checkpoint or read it from one.
template <class T>
concept Serialize = requires(T s, Archive& archive) {
    { s.serialize(archive) } -> std::same_as<void>;
};

/// Whether a step must ask State for the penalty of every element.
template <class Model, class State>
bool penalizes(const State& state) {
    if constexpr (!Penalty<State, Model>)
        return false;
    else if constexpr (Penalizes<State>)
        return state.penalizes();
    else
        return true;
}

}

/// Stops the compilation with a sentence where State has a hook's name with another signature, a hook that its family
/// does not have, or data that no checkpoint would save.
template <class State, class M, Family family>
consteval bool check_hooks() {
    // A State that joins two others has hooks that exist only where one of them has; they were checked one by one.
    using P = std::conditional_t < requires { typename State::JoinsHooks; }
    , HookNames, HookProbe < State >> ;
    using enum Family;
    constexpr bool optimizes = family == optimizer || family == schedule;
    static_assert(
        requires { &P::experience_began; } || hooks::ExperienceBegan<State, M>,
        "didact: State::experience_began must be `void experience_began(Engine<Model>&, const Experience&, "
        "const Moment&)`");
    static_assert(
        requires { &P::plan; } || hooks::Plan<State, M>,
        "didact: State::plan must be `void plan(Model&, const Moment&)`; see policy/freeze/prefix.hpp");
    static_assert(
        requires { &P::select; } || hooks::Select<State>,
        "didact: State::select must be `void select(const Dataset&, std::size_t slot, const Moment&, "
        "std::span<std::uint32_t>)`; see policy/curriculum/competence.hpp");
    static_assert(
        requires { &P::weigh_samples; } || hooks::WeighSamples<State>,
        "didact: State::weigh_samples must be `void weigh_samples(const Dataset&, std::size_t slot, const "
        "Moment&, std::span<const std::uint32_t>, std::span<float>)`");
    static_assert(
        requires { &P::mix; } || hooks::Mix<State>,
        "didact: State::mix must be `void mix(std::span<const std::size_t> sizes, const Moment&, "
        "std::span<std::size_t> counts)`; see policy/sharing/hard.hpp");
    static_assert(
        requires { &P::rehearse; } || hooks::Rehearse<State>,
        "didact: State::rehearse must be `void rehearse(StepBatches&, const Moment&)`; see "
        "policy/forgetting/replay.hpp");
    static_assert(
        requires { &P::observe; } || hooks::Observe<State>,
        "didact: State::observe must be `void observe(const Batch&, std::span<const float> losses, const "
        "Moment&)`");
    static_assert(
        requires { &P::weigh_groups; } || hooks::WeighGroups<State>,
        "didact: State::weigh_groups must be `void weigh_groups(std::span<const StepGroup>, "
        "std::span<double> weights, const Moment&)`; see policy/sharing/uncertainty_weighting.hpp");
    static_assert(
        requires { &P::losses_known; } || hooks::LossesKnown<State>,
        "didact: State::losses_known must be `void losses_known(std::span<const StepGroup>, const Moment&)`; see "
        "policy/sharing/uncertainty_weighting.hpp");
    static_assert(
        requires { &P::weigh_losses; } || hooks::WeighLosses<State>,
        "didact: State::weigh_losses must be `void weigh_losses(std::span<const StepGroup>, "
        "std::span<double> weights, const Moment&)`; see policy/sharing/uncertainty_weighting.hpp");
    static_assert(
        requires { &P::distil; } || hooks::Distil<State, M>,
        "didact: State::distil must be `double distil(Engine<Model>&, const Batch&, Model::Saved&, const StepGroup&, "
        "View<S> dhidden, const Moment&)`; see policy/forgetting/learning_without_forgetting.hpp");
    static_assert(
        requires { &P::combine; } || hooks::Combine<State>,
        "didact: State::combine must be `void combine(const GramMatrix&, const Moment&, std::span<double> "
        "factors)`; see policy/sharing/pcgrad.hpp");
    static_assert(
        requires { &P::project; } || hooks::Project<State, M>,
        "didact: State::project must be `void project(Engine<Model>&, const Moment&)`; see "
        "policy/forgetting/averaged_gem.hpp");
    static_assert(
        requires { &P::penalty; } || hooks::Penalty<State, M>,
        "didact: State::penalty must be `S penalty(std::size_t i, S w) const` with S the model's scalar, the "
        "gradient of the penalty at element i; see policy/forgetting/online_ewc.hpp");
    static_assert(
        requires { &P::penalizes; } || hooks::Penalizes<State>,
        "didact: State::penalizes must be `bool penalizes() const`");
    static_assert(
        requires { &P::accumulate; } || hooks::Accumulate<State, M>,
        "didact: State::accumulate must be `void accumulate(std::size_t i, S gradient, S before, S after)`");
    static_assert(
        requires { &P::step_done; } || hooks::StepDone<State, M>,
        "didact: State::step_done must be `void step_done(Model&, const Moment&)`");
    static_assert(
        requires { &P::epoch_done; } || hooks::EpochDone<State, M>,
        "didact: State::epoch_done must be `bool epoch_done(Model&, const Moment&, std::optional<double> "
        "validation)`; see policy/freeze/gradual_unfreeze.hpp");
    static_assert(
        requires { &P::experience_ended; } || hooks::ExperienceEnded<State, M>,
        "didact: State::experience_ended must be `void experience_ended(Engine<Model>&, const Experience&, "
        "const Moment&)`; see policy/forgetting/online_ewc.hpp");
    static_assert(
        requires { &P::layout_changed; } || hooks::LayoutChanged<State>,
        "didact: State::layout_changed must be `void layout_changed(const TrainableLayout& before, const "
        "TrainableLayout& after)`");
    static_assert(
        requires { &P::serialize; } || hooks::Serialize<State>,
        "didact: State::serialize must be `void serialize(Archive&)`; see policy/forgetting/online_ewc.hpp");

    static_assert(family == freeze || optimizes || !hooks::Plan<State, M>,
                  "didact: `plan` is a hook of freeze policies only");
    static_assert(family == curriculum || !(hooks::Select<State> || hooks::WeighSamples<State>),
                  "didact: `select` and `weigh_samples` are hooks of curriculum policies only");
    static_assert(family == sharing || !(hooks::Mix<State> || hooks::WeighGroups<State> || hooks::WeighLosses<State> ||
                                         hooks::LossesKnown<State> || hooks::Combine<State>),
                  "didact: `mix`, `weigh_groups`, `weigh_losses`, `losses_known` and `combine` are hooks of sharing "
                  "policies only");
    static_assert(family == forgetting || !(hooks::Rehearse<State> || hooks::Distil<State, M> ||
                                            hooks::Project<State, M> || hooks::Accumulate<State, M>),
                  "didact: `rehearse`, `distil`, `project` and `accumulate` are hooks of forgetting policies only");
    static_assert(family == forgetting || family == freeze || !hooks::Penalty<State, M>,
                  "didact: `penalty` is a hook of freeze and forgetting policies only");
    static_assert(hooks::Penalty<State, M> || !hooks::Penalizes<State>,
                  "didact: `penalizes` says whether there is anything to ask `penalty` for, which this State lacks");
    static_assert(family == forgetting || family == curriculum || !hooks::Observe<State>,
                  "didact: `observe` is a hook of curriculum and forgetting policies only");
    static_assert(std::is_empty_v<State> || hooks::Serialize<State>,
                  "didact: this State holds data, so a resumed run would differ: give it `void serialize(Archive&)`");
    return true;
}

}
