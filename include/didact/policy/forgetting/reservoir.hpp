#pragma once
#include <type_traits>
#include <vector>

#include "didact/data/batch.hpp"
#include "didact/data/stream.hpp"
#include "didact/train/archive.hpp"
#include "didact/train/step.hpp"

namespace didact::forgetting {

/// A uniform sample of everything it was offered (Vitter 1985, algorithm R): item n, from 0, takes place n while there
/// is room, and after that a place j uniform in [0, n], if j lies within the capacity. The draw depends on the seed and
/// on n only, so capacity, count and contents are the whole state.
class Reservoir {
  public:
    struct Item {
        std::size_t task = 0;
        Sample sample = {};
        void serialize(Archive& archive) {
            archive("task", task);
            archive("sample", sample);
        }
    };

    explicit Reservoir(std::size_t capacity) : capacity_(capacity) {}

    void offer(std::uint64_t seed, std::size_t task, const Sample& sample) {
        offer(seed, task, [&] { return sample; });
    }
    /// The sample is made where it is taken: make() returns it.
    template <class Make>
    requires std::is_invocable_r_v<Sample, const Make&>
    void offer(std::uint64_t seed, std::size_t task, const Make& make) {
        const std::uint64_t n = offered_;
        if (items_.size() < capacity_) {
            items_.push_back({task, make()});
        } else {
            Random random(RandomKey{.seed = seed, .purpose = RandomPurpose::reservoir, .sample = n});
            const std::uint64_t place = random.below(n + 1);
            if (place < capacity_) items_[place] = {task, make()};
        }
        ++offered_;
    }
    void offer_all(std::uint64_t seed, const Experience& experience) {
        for (const TaskData& data : experience.tasks) {
            if (data.masking) remember(data.task, *data.masking);
            for (std::size_t i = 0; i < data.train.size(); ++i)
                offer(seed, data.task, [&] { return data.train.sample(i); });
        }
    }

    /// Adds `count` items, drawn without replacement while there are enough, to `step` as rehearsed groups, one a task;
    /// each group weighs its share of them times `weight`. Texts of masked language modelling are masked anew. Returns
    /// how many were added.
    std::size_t draw_into(StepBatches& step, std::size_t count, double weight, const RandomKey& key) {
        count = std::min(count, items_.size());
        if (count == 0) return 0;
        Random random(key);
        chosen_.resize(items_.size());
        for (std::size_t i = 0; i < chosen_.size(); ++i) chosen_[i] = std::uint32_t(i);
        for (std::size_t i = 0; i < count; ++i) std::swap(chosen_[i], chosen_[i + random.below(chosen_.size() - i)]);
        std::size_t tasks = 0;
        for (std::size_t i = 0; i < count; ++i) tasks = std::max(tasks, items_[chosen_[i]].task + 1);
        for (std::size_t task = 0; task < tasks; ++task) {
            std::size_t of_task = 0;
            for (std::size_t i = 0; i < count; ++i) of_task += items_[chosen_[i]].task == task;
            if (of_task == 0) continue;
            StepGroup& group = step.add_group(task, true, weight * double(of_task) / double(count));
            Batch& batch = group.add_micro_batch();
            for (std::size_t i = 0; i < count; ++i)
                if (items_[chosen_[i]].task == task)
                    batch.append(items_[chosen_[i]].sample, {buffer_digest, chosen_[i]});
            batch.random_inputs = true;
            for (const TaskMasking& masked : maskings_)
                if (masked.task == task)
                    masked.masking.apply(batch,
                                         {key.seed, RandomPurpose::masking, key.experience, key.epoch, key.step});
        }
        return count;
    }

    std::size_t size() const { return items_.size(); }
    std::size_t capacity() const { return capacity_; }
    std::uint64_t offered() const { return offered_; }
    const std::vector<Item>& items() const { return items_; }

    void serialize(Archive& archive) {
        archive("offered", offered_);
        archive("items", items_);
        archive("maskings", maskings_);
    }

  private:
    struct TaskMasking {
        std::size_t task = 0;
        Masking masking = {};
        void serialize(Archive& archive) {
            archive("task", task);
            archive("probability", masking.probability);
            archive("mask_token_id", masking.mask_token_id);
            archive("vocab_size", masking.vocab_size);
            archive("special_token_ids", masking.special_token_ids);
        }
    };
    void remember(std::size_t task, const Masking& masking) {
        for (TaskMasking& masked : maskings_)
            if (masked.task == task) {
                masked.masking = masking;
                return;
            }
        maskings_.push_back({task, masking});
    }

    /// Places of the buffer change hands, so its samples are named apart from any data set's and never cached.
    static constexpr std::uint64_t buffer_digest = 0xb0ffe4;
    std::size_t capacity_;
    std::uint64_t offered_ = 0;
    std::vector<Item> items_;
    std::vector<TaskMasking> maskings_;
    std::vector<std::uint32_t> chosen_;
};

}
