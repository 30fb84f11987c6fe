#pragma once
#include <numeric>

#include "didact/policy/hooks.hpp"
#include "didact/train/options.hpp"

namespace didact {

/// Fills the steps of an epoch. Without a curriculum every epoch is a random permutation of each task's samples;
/// several tasks share a step in proportion to their sizes unless the sharing policy mixes them otherwise. All of it is
/// a function of the moment, so nothing needs to be saved.
class Sampler {
  public:
    void begin_epoch(const Experience& experience, const Moment& moment) {
        if (epoch_ == moment.epoch && experience_ == moment.experience && seed_ == moment.seed &&
            orders_.size() == experience.tasks.size())
            return;
        epoch_ = moment.epoch;
        experience_ = moment.experience;
        seed_ = moment.seed;
        orders_.resize(experience.tasks.size());
        for (std::size_t slot = 0; slot < orders_.size(); ++slot) {
            orders_[slot].resize(experience.tasks[slot].train.size());
            std::iota(orders_[slot].begin(), orders_[slot].end(), 0u);
            Random(moment.epoch_key(RandomPurpose::order, slot)).shuffle(std::span<std::uint32_t>(orders_[slot]));
        }
    }

    template <class Policies>
    void fill(const Experience& experience, const Moment& moment, std::size_t step_of_epoch,
              const TrainingOptions& options, Policies& policies, StepBatches& step) {
        const std::size_t per_step = options.batch_size * options.accumulation;
        share(experience, moment, step_of_epoch, per_step, policies);
        step.clear();
        for (std::size_t slot = 0; slot < counts_.size(); ++slot) {
            if (counts_[slot] == 0) continue;
            const TaskData& data = experience.tasks[slot];
            chosen_.resize(counts_[slot]);
            choose(data.train, slot, moment, step_of_epoch, per_step, policies);
            weights_.assign(chosen_.size(), 1.0f);
            if constexpr (hooks::WeighSamples<std::remove_reference_t<decltype(policies.curriculum)>>)
                policies.curriculum.weigh_samples(data.train, slot, moment, chosen_, weights_);
            StepGroup& group = step.add_group(data.task);
            for (std::size_t i = 0; i < chosen_.size(); ++i) {
                if (i % options.batch_size == 0) group.add_micro_batch();
                group.micro_batches[group.used - 1].append(data.train, chosen_[i], weights_[i]);
            }
            if (data.masking)
                for (std::size_t i = 0; i < group.used; ++i)
                    data.masking->apply(group.micro_batches[i], moment.epoch_key(RandomPurpose::masking));
        }
    }

  private:
    /// How many samples each task gives to this step.
    template <class Policies>
    void share(const Experience& experience, const Moment& moment, std::size_t step_of_epoch, std::size_t per_step,
               Policies& policies) {
        const std::size_t tasks = experience.tasks.size(), total = experience.train_size();
        const std::size_t begin = step_of_epoch * per_step;
        const std::size_t size = std::min(per_step, total > begin ? total - begin : per_step);
        sizes_.resize(tasks);
        counts_.resize(tasks);
        std::size_t given = 0;
        for (std::size_t slot = 0; slot < tasks; ++slot) {
            sizes_[slot] = experience.tasks[slot].train.size();
            // The difference of two cumulative shares, so that an epoch gives each task exactly its size.
            counts_[slot] = (begin + size) * sizes_[slot] / total - begin * sizes_[slot] / total;
            given += counts_[slot];
        }
        for (std::size_t slot = 0; given < size && slot < tasks; slot = (slot + 1) % tasks) {
            if (sizes_[slot] == 0) continue;
            ++counts_[slot];
            ++given;
        }
        if constexpr (hooks::Mix<std::remove_reference_t<decltype(policies.sharing)>>)
            policies.sharing.mix(sizes_, moment, counts_);
    }

    template <class Policies>
    void choose(const Dataset& data, std::size_t slot, const Moment& moment, std::size_t step_of_epoch,
                std::size_t per_step, Policies& policies) {
        if constexpr (hooks::Select<std::remove_reference_t<decltype(policies.curriculum)>>) {
            policies.curriculum.select(data, slot, moment, chosen_);
        } else if (orders_.size() == 1) {
            for (std::size_t i = 0; i < chosen_.size(); ++i)
                chosen_[i] = orders_[slot][(step_of_epoch * per_step + i) % data.size()];
        } else {
            // Tasks with uneven shares each walk through their own permutation, beginning again where it ends.
            const std::size_t begin = step_of_epoch * counts_[slot];
            for (std::size_t i = 0; i < chosen_.size(); ++i) chosen_[i] = orders_[slot][(begin + i) % data.size()];
        }
    }

    std::vector<std::vector<std::uint32_t>> orders_;
    std::vector<std::uint32_t> chosen_;
    std::vector<float> weights_;
    std::vector<std::size_t> sizes_, counts_;
    std::size_t epoch_ = ~std::size_t(0), experience_ = ~std::size_t(0);
    std::uint64_t seed_ = 0;
};

}
