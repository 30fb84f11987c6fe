#pragma once
#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "didact/policy/hooks.hpp"
#include "didact/train/options.hpp"

namespace didact {

/// Fills the steps of an epoch. Without a curriculum every epoch is a random permutation of each task's samples, or of
/// its groups where the loss is over pairs of a group: batches that cut no group have all its pairs. Several tasks
/// share a step in proportion to their sizes unless the sharing policy mixes them otherwise. Orders are a function of
/// the moment; how far each task has come in its own is saved.
class Sampler {
  public:
    /// Does nothing within an epoch that has begun. `couples_samples(task)`: whether its loss is over pairs of samples
    /// with the same first label, the group.
    void begin_epoch(const Experience& experience, const Moment& moment, const auto& couples_samples) {
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
            if (couples_samples(experience.tasks[slot].task)) join_groups(experience.tasks[slot].train, orders_[slot]);
        }
    }

    template <class Policies>
    void fill(const Experience& experience, const Moment& moment, std::size_t step_of_epoch,
              const TrainingOptions& options, Policies& policies, StepBatches& step) {
        const std::size_t per_step = options.batch_size * options.accumulation;
        if (step_of_epoch == 0) {
            planned_.assign(experience.tasks.size(), 0);
            drawn_.assign(experience.tasks.size(), 0);
        }
        share(experience, moment, step_of_epoch, per_step, policies);
        step.clear();
        for (std::size_t slot = 0; slot < counts_.size(); ++slot) {
            if (counts_[slot] == 0) continue;
            const TaskData& data = experience.tasks[slot];
            require(!data.train.empty(), "experience '", experience.name, "': the sharing policy asks task ", data.task,
                    " for ", counts_[slot], " samples, it has none");
            chosen_.resize(counts_[slot]);
            choose(data.train, slot, moment, policies);
            weights_.assign(chosen_.size(), 1.0f);
            if constexpr (hooks::WeighSamples<std::remove_reference_t<decltype(policies.curriculum)>>)
                policies.curriculum.weigh_samples(data.train, slot, moment, chosen_, weights_);
            StepGroup& group = step.add_group(data.task);
            // Samples lie far apart in memory: so many are fetched at once as a near cache holds.
            const std::size_t ahead = fetched_elements / std::max<std::size_t>(data.train.feature_size(), 1);
            for (std::size_t i = 0; i < std::min(ahead, chosen_.size()); ++i) data.train.fetch_ahead(chosen_[i]);
            for (std::size_t i = 0; i < chosen_.size(); ++i) {
                if (i % options.batch_size == 0) group.add_micro_batch();
                if (i + ahead < chosen_.size()) data.train.fetch_ahead(chosen_[i + ahead]);
                group.micro_batches[group.used - 1].append(data.train, chosen_[i], weights_[i]);
            }
            if (data.masking)
                for (std::size_t i = 0; i < group.used; ++i)
                    data.masking->apply(group.micro_batches[i], moment.epoch_key(RandomPurpose::masking));
        }
    }

    void serialize(Archive& archive) {
        archive("planned", planned_);
        archive("drawn", drawn_);
        if (archive.reading()) epoch_ = ~std::size_t(0);
    }

  private:
    static constexpr std::size_t fetched_elements = 16384;

    /// Puts the samples of a group where its first one is.
    static void join_groups(const Dataset& data, std::vector<std::uint32_t>& order) {
        std::unordered_map<std::int32_t, std::size_t> first;
        const auto group_of = [&](std::uint32_t sample) {
            return data.labels(sample).empty() ? -1 : data.labels(sample)[0]; // which the head refuses
        };
        for (std::size_t i = 0; i < order.size(); ++i) first.try_emplace(group_of(order[i]), i);
        std::ranges::stable_sort(order, {}, [&](std::uint32_t sample) { return first[group_of(sample)]; });
    }

    /// How many samples each task gives to this step.
    template <class Policies>
    void share(const Experience& experience, const Moment& moment, std::size_t step_of_epoch, std::size_t per_step,
               Policies& policies) {
        const std::size_t tasks = experience.tasks.size(), total = experience.train_size();
        const std::size_t begin = step_of_epoch * per_step;
        const std::size_t size = std::min(per_step, total > begin ? total - begin : per_step);
        sizes_.resize(tasks);
        counts_.assign(tasks, 0);
        for (std::size_t slot = 0; slot < tasks; ++slot) sizes_[slot] = experience.tasks[slot].train.size();
        // Each sample goes to the task that is furthest behind its share, so that an epoch gives each exactly its size.
        for (std::size_t n = begin + 1; n <= begin + size; ++n) {
            std::size_t behind = 0;
            double most = -1e300;
            for (std::size_t slot = 0; slot < tasks; ++slot) {
                const double deficit = double(n) * double(sizes_[slot]) / double(total) - double(planned_[slot]);
                if (sizes_[slot] > 0 && deficit > most) behind = slot, most = deficit;
            }
            ++planned_[behind];
            ++counts_[behind];
        }
        if constexpr (hooks::Mix<std::remove_reference_t<decltype(policies.sharing)>>)
            policies.sharing.mix(sizes_, moment, counts_);
    }

    template <class Policies>
    void choose(const Dataset& data, std::size_t slot, const Moment& moment, Policies& policies) {
        if constexpr (hooks::Select<std::remove_reference_t<decltype(policies.curriculum)>>) {
            policies.curriculum.select(data, slot, moment, chosen_);
        } else {
            // A task that has come to the end of its permutation begins it again.
            for (std::uint32_t& chosen : chosen_) chosen = orders_[slot][drawn_[slot]++ % data.size()];
        }
    }

    std::vector<std::vector<std::uint32_t>> orders_;
    std::vector<std::uint32_t> chosen_;
    std::vector<float> weights_;
    std::vector<std::size_t> sizes_, counts_;
    std::vector<std::size_t> planned_, drawn_; ///< of each task in this epoch: in proportion to sizes; in fact
    std::size_t epoch_ = ~std::size_t(0), experience_ = ~std::size_t(0);
    std::uint64_t seed_ = 0;
};

}
