#pragma once
#include "didact/policy/hooks.hpp"

namespace didact {

/// The states of two policies of one family that act together, the first before the second, at the moments that every
/// family has. forgetting::Both and sharing::Both add those of their own family.
template <class Model, Family family, Policy First, Policy Second>
struct PairState {
    using A = typename First::template State<Model>;
    using B = typename Second::template State<Model>;
    static_assert(check_hooks<A, Model, family>() && check_hooks<B, Model, family>());
    using JoinsHooks = void; ///< hooks below exist only where one of the two has them

    PairState(const First& first, const Second& second, Model& model) : first(first, model), second(second, model) {}

    void experience_began(Engine<Model>& engine, const Experience& experience,
                          const Moment& moment) requires(hooks::ExperienceBegan<A, Model> ||
                                                         hooks::ExperienceBegan<B, Model>) {
        if constexpr (hooks::ExperienceBegan<A, Model>) first.experience_began(engine, experience, moment);
        if constexpr (hooks::ExperienceBegan<B, Model>) second.experience_began(engine, experience, moment);
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

    [[no_unique_address]] A first;
    [[no_unique_address]] B second;
};

}
