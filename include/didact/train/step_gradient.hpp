#pragma once
#include "didact/train/gradient_rows.hpp"
#include "didact/train/policies.hpp"
#include "didact/train/step.hpp"

namespace didact {

/// Leaves the gradient of a step's loss, Σ weight · mean loss over its groups, in the parameter store: the passes
/// forward and backward of all micro-batches, with what curriculum, sharing and forgetting policies do between them.
template <class Model, class Policies>
class StepGradient {
  public:
    using S = typename Model::S;

    /// Returns the loss. Afterwards each group knows its own, and the weight that it had. The batches must stay as they
    /// are until the gradient was read.
    double operator()(Engine<Model>& engine, Policies& policies, StepBatches& batches, const Moment& moment) {
        const std::span<StepGroup> groups = batches.groups();
        std::size_t batches_of_step = 0;
        for (const StepGroup& group : groups) batches_of_step += group.used;
        const Pass pass{engine, policies, moment,
                        batches_of_step > 1 || hooks::WeighLosses<typename Policies::SharingState>};
        for (StepGroup& group : groups) {
            group.units = group.loss = 0;
            for (std::size_t i = 0; i < group.used; ++i) group.units += engine.model().units(group.micro_batches[i]);
        }
        using Sharing = typename Policies::SharingState;
        if constexpr (hooks::WeighGroups<Sharing>)
            set_weights(groups, [&](auto weights) { policies.sharing.weigh_groups(groups, weights, moment); });
        if constexpr (hooks::WeighLosses<Sharing>) {
            find_losses(pass, groups);
            set_weights(groups, [&](auto weights) { policies.sharing.weigh_losses(groups, weights, moment); });
        }
        if constexpr (hooks::Combine<Sharing>) {
            rows_.begin(engine, groups.size());
            for (std::size_t k = 0; k < groups.size(); ++k) {
                rows_.redirect(engine, k);
                add_gradient(pass, groups[k]);
            }
            rows_.finish(engine, policies.sharing, moment);
        } else {
            for (StepGroup& group : groups) add_gradient(pass, group);
        }
        if constexpr (hooks::LossesKnown<Sharing>) policies.sharing.losses_known(groups, moment);
        double total = 0;
        for (const StepGroup& group : groups) total += group.weight * group.loss;
        return total;
    }

  private:
    struct Pass {
        Engine<Model>& engine;
        Policies& policies;
        const Moment& moment;
        bool one_of_several;

        /// Dropout has one key a micro-batch: the step's and its first sample's.
        Context<typename Model::B> context(const Batch& batch) const {
            engine.arena().reset();
            const std::uint64_t first = batch.samples.empty() ? 0 : batch.samples[0].dataset ^ batch.samples[0].index;
            Context<typename Model::B> context = engine.context(true, moment.key(RandomPurpose::dropout, first).bits());
            context.weights_stay = one_of_several;
            // A distillation may ask other heads, which may read other tokens.
            context.every_token = hooks::Distil<typename Policies::ForgettingState, Model>;
            context.defers_gradients = !hooks::Combine<typename Policies::SharingState> &&
                                       !hooks::Project<typename Policies::ForgettingState, Model>;
            if constexpr (std::is_same_v<S, float>) context.lasting = batch.features;
            return context;
        }
    };

    template <class Weigh>
    void set_weights(std::span<StepGroup> groups, const Weigh& weigh) {
        weights_.resize(groups.size());
        for (std::size_t k = 0; k < groups.size(); ++k) weights_[k] = groups[k].weight;
        weigh(std::span<double>(weights_));
        for (std::size_t k = 0; k < groups.size(); ++k) groups[k].weight = weights_[k];
    }

    /// For a policy that weighs by them. The groups are run forward once more for their gradients, with the same
    /// dropout.
    void find_losses(const Pass& pass, std::span<StepGroup> groups) {
        Engine<Model>& engine = pass.engine;
        for (StepGroup& group : groups) {
            for (std::size_t i = 0; i < group.used; ++i) {
                const Batch& batch = group.micro_batches[i];
                auto context = pass.context(batch);
                engine.forward(context, batch, engine.saved(), false);
                group.loss += engine.model().loss(context, batch, engine.saved(), engine.losses_for(batch));
            }
            if (group.units > 0) group.loss /= group.units;
        }
    }

    void add_gradient(const Pass& pass, StepGroup& group) {
        if (group.units <= 0) return;
        Engine<Model>& engine = pass.engine;
        Policies& policies = pass.policies;
        const Moment& moment = pass.moment;
        Model& model = engine.model();
        const double scale = group.weight / group.units;
        double sum = 0;
        for (std::size_t i = 0; i < group.used; ++i) {
            const Batch& batch = group.micro_batches[i];
            auto context = pass.context(batch);
            auto& saved = engine.saved();
            engine.forward(context, batch, saved);
            const std::span<float> losses = engine.losses_for(batch);
            sum += model.loss(context, batch, saved, losses);
            if constexpr (hooks::Observe<typename Policies::CurriculumState>)
                if (!group.rehearsed) policies.curriculum.observe(batch, losses, moment);
            if constexpr (hooks::Observe<typename Policies::ForgettingState>)
                if (!group.rehearsed) policies.forgetting.observe(batch, losses, moment);
            if constexpr (hooks::Distil<typename Policies::ForgettingState, Model>) {
                model.backward(context, batch, saved, scale, [&](View<S> dhidden) {
                    sum += group.units * policies.forgetting.distil(engine, batch, saved, group, dhidden, moment);
                });
            } else {
                model.backward(context, batch, saved, scale);
            }
        }
        group.loss = sum / group.units;
    }

    GradientRows<Model> rows_;
    std::vector<double> weights_;
};

}
