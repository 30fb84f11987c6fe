/// Two strategies of one's own, one of a few lines and one with a memory, against none and against the library's
/// replay, on five experiences with two new classes each. Generated data, so it needs nothing:   custom_strategy
#include <cstdio>

#include "didact/didact.hpp"
#include "didact/eval/continual.hpp"
using namespace didact;

/// Trains the heads and the biases only (Zaken, Goldberg and Ravfogel 2022, arXiv 2106.10199).
struct BitFit {
    static constexpr Family family = Family::freeze;
    template <class Model>
    struct State {
        State(const BitFit&, const Model&) {}
        void plan(Model& model, const Moment&) {
            auto& store = model.parameters();
            for (ParameterId id = 0; id < store.count(); ++id)
                store.set_trainable(id, !store[id].shared || store[id].name.ends_with(".bias"));
        }
    };
};

/// Keeps samples of every experience and rehearses those whose loss rose most since they were learnt.
struct MostForgotten {
    static constexpr Family family = Family::forgetting;
    std::size_t per_experience = 60, batch_size = 32;

    template <class Model>
    struct State {
        struct Kept {
            Sample sample;
            double learnt = 0, rise = 0; ///< loss when it was learnt, and by how much it rose since
            void serialize(Archive& archive) {
                archive("sample", sample), archive("learnt", learnt), archive("rise", rise);
            }
        };
        std::size_t per_experience, batch_size;
        std::vector<Kept> memory = {};

        State(const MostForgotten& policy, const Model&)
            : per_experience(policy.per_experience), batch_size(policy.batch_size) {}

        void rehearse(StepBatches& step, const Moment& moment) {
            if (memory.empty()) return;
            Batch& batch = step.add_group(0, true).add_micro_batch();
            Random random(moment.key(RandomPurpose::rehearsal));
            // The memory is sorted by rise; the smaller of two draws prefers its front.
            for (std::size_t i = 0; i < batch_size; ++i) {
                const std::size_t k = std::min(random.below(memory.size()), random.below(memory.size()));
                batch.append(memory[k].sample, {});
            }
        }

        void experience_ended(Engine<Model>& engine, const Experience& experience, const Moment&) {
            const auto loss = [&](const Sample& sample) {
                Batch batch;
                batch.append(sample, {});
                return engine.mean_loss(batch);
            };
            for (Kept& kept : memory) kept.rise = loss(kept.sample) - kept.learnt;
            const Dataset& train = experience.tasks[0].train;
            for (std::size_t i = 0; i < std::min(per_experience, train.size()); ++i)
                memory.push_back({train.sample(i), loss(train.sample(i)), 0});
            std::ranges::sort(memory, std::greater(), &Kept::rise);
        }

        void serialize(Archive& archive) { archive("memory", memory); }
    };
};

Stream five_experiences() {
    Stream stream;
    for (int experience = 0; experience < 5; ++experience) {
        TaskData data;
        for (int i = 0; i < 600; ++i) {
            const int label = 2 * experience + i % 2;
            Random centre(label), noise(1000 + 600 * experience + i);
            Sample sample{.features = std::vector<float>(20), .labels = {label}};
            for (float& x : sample.features) x = float(centre.normal() + 0.8 * noise.normal());
            (i < 400 ? data.train : data.test).append(sample);
        }
        stream.push_back(
            {"classes " + std::to_string(2 * experience) + " and " + std::to_string(2 * experience + 1), {data}});
    }
    return stream;
}

template <Policy Strategy>
void show(const char* name, const Strategy& strategy) {
    Model<Mlp<Cpu<float>>, heads::SequenceClassification<heads::Pooling::first_token>> model(
        MlpConfig{.input_size = 20, .hidden_sizes = {64}}, 1);
    model.add_head({.num_labels = 10});
    Trainer trainer(model, strategy, optimizer::AdamW{.learning_rate = 1e-2});
    const TrainingResult result = trainer.fit(five_experiences(), {.epochs = 10, .seed = 1});
    const eval::ResultMatrix r(result.matrix);
    std::printf("%-16s %8.3f %12.3f\n", name, eval::AverageAccuracy::of(r), eval::Forgetting::of(r));
}

int main() {
    std::printf("%-16s %8s %12s\n", "strategy", "accuracy", "forgetting");
    show("none", None<Family::forgetting>{});
    show("BitFit", BitFit{});
    show("Replay", forgetting::Replay{.capacity = 300});
    show("MostForgotten", MostForgotten{});
}
