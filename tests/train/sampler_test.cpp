#include <doctest/doctest.h>

#include <map>

#include "../model/small_models.hpp"

namespace sampler_test {

using namespace didact;

namespace {

/// What was trained on: (step of the run, task, sample).
struct Seen {
    std::size_t step, task;
    SampleId sample;
};
std::vector<Seen> seen;

/// Writes down every sample that takes part in the loss.
struct WriteDown {
    static constexpr Family family = Family::curriculum;
    template <class Model>
    struct State {
        State(const WriteDown&, const Model&) {}
        void observe(const Batch& batch, std::span<const float>, const Moment& moment) {
            for (const SampleId& sample : batch.samples) seen.push_back({moment.step_of_run, batch.task, sample});
        }
    };
};

using M = small::MlpModel<Cpu<float>>;

M model_with_heads(std::size_t heads) {
    M model(small::mlp_config(), 3);
    for (std::size_t t = 0; t < heads; ++t) model.add_head({.num_labels = 3});
    return model;
}

Experience experience_of(const std::vector<std::size_t>& sizes) {
    Experience experience{.name = "sizes"};
    for (std::size_t t = 0; t < sizes.size(); ++t)
        experience.tasks.push_back(
            {.task = t, .train = small::vectors("task" + std::to_string(t), sizes[t], 5, 3, t + 1)});
    return experience;
}

}

TEST_SUITE("unit") {

    TEST_CASE("samples of a group stay together where the loss is over their pairs, and groups come in any order") {
        Dataset data("groups");
        Random random(5);
        std::vector<std::int32_t> groups;
        for (std::int32_t g = 0; g < 60; ++g) groups.insert(groups.end(), 4, g);
        random.shuffle(std::span<std::int32_t>(groups));
        for (const std::int32_t g : groups)
            data.append({.features = {1, 2, 3, 4, float(g)}, .labels = {g}, .values = {float(data.size())}});
        Model<Mlp<Cpu<float>>, heads::Ranking<heads::Pooling::first_token>> model(small::mlp_config(), 3);
        model.add_head({.num_labels = 1});
        Trainer trainer(model, WriteDown{});
        seen.clear();
        trainer.fit(data, {.epochs = 2, .batch_size = 8, .threads = 1});
        REQUIRE(seen.size() == 2 * data.size());
        std::vector<std::int32_t> orders[2];
        for (std::size_t i = 0; i < seen.size(); i += 4) {
            const auto group_of = [&](std::size_t place) { return groups[seen[place].sample.index]; };
            for (std::size_t j = i; j < i + 4; ++j) {
                CHECK(group_of(j) == group_of(i));
                CHECK(seen[j].step == seen[i].step);
            }
            orders[i / data.size()].push_back(group_of(i));
        }
        CHECK(orders[0] != orders[1]);
        CHECK(!std::ranges::is_sorted(orders[0]));
        std::ranges::sort(orders[0]);
        CHECK(std::ranges::adjacent_find(orders[0]) == orders[0].end());
    }

    TEST_CASE("an epoch of several tasks trains on each of their samples once, and no step is larger than asked") {
        for (const std::vector<std::size_t>& sizes :
             {std::vector<std::size_t>{10, 5}, {1, 1}, {1, 30, 7}, {13, 0, 13}, {3, 3, 3, 3}})
            for (const std::size_t per_step : {1u, 4u, 7u, 64u}) {
                const Experience experience = experience_of(sizes);
                M model = model_with_heads(sizes.size());
                Trainer trainer(model, WriteDown{});
                seen.clear();
                trainer.fit(Stream{experience}, {.epochs = 3, .batch_size = per_step, .threads = 1});
                const std::size_t total = experience.train_size(), steps = (total + per_step - 1) / per_step;
                REQUIRE(seen.size() == 3 * total);
                std::map<std::size_t, std::size_t> in_step;
                std::map<std::tuple<std::size_t, std::size_t, std::uint32_t>, std::size_t> in_epoch;
                for (const Seen& s : seen) {
                    ++in_step[s.step];
                    ++in_epoch[{s.step / steps, s.task, s.sample.index}];
                }
                for (const auto& [step, count] : in_step)
                    CHECK(count == std::min(per_step, total - step % steps * per_step));
                CHECK(in_epoch.size() == 3 * total);
                for (const auto& [sample, count] : in_epoch) CHECK(count == 1);
            }
    }

    TEST_CASE("tasks share every step in proportion to their sizes, to within one sample") {
        const Experience experience = experience_of({60, 30, 10});
        M model = model_with_heads(3);
        Trainer trainer(model, WriteDown{});
        seen.clear();
        trainer.fit(Stream{experience}, {.epochs = 1, .batch_size = 10, .threads = 1});
        std::map<std::pair<std::size_t, std::size_t>, std::size_t> counts;
        for (const Seen& s : seen) ++counts[{s.step, s.task}];
        for (std::size_t step = 0; step < 10; ++step) {
            CHECK(counts[{step, 0}] == 6);
            CHECK(counts[{step, 1}] == 3);
            CHECK(counts[{step, 2}] == 1);
        }
    }

    TEST_CASE("under another mixture each task walks through its own permutation before it begins again") {
        const Experience experience = experience_of({90, 10});
        M model = model_with_heads(2);
        Trainer trainer(model, WriteDown{}, sharing::Hard{.exponent = 0});
        seen.clear();
        trainer.fit(Stream{experience}, {.epochs = 1, .batch_size = 16, .threads = 1});
        std::vector<std::vector<std::uint32_t>> walked(2);
        for (const Seen& s : seen) walked[s.task].push_back(s.sample.index);
        CHECK(walked[0].size() == 50); // half of 100, the last step's four included
        CHECK(walked[1].size() == 50);
        for (std::size_t task = 0; task < 2; ++task)
            for (std::size_t round = 0; round * experience.tasks[task].train.size() < 50; ++round) {
                const std::size_t size = experience.tasks[task].train.size();
                std::vector<std::uint32_t> once(walked[task].begin() + std::ptrdiff_t(round * size),
                                                walked[task].begin() +
                                                    std::ptrdiff_t(std::min<std::size_t>(50, (round + 1) * size)));
                std::sort(once.begin(), once.end());
                CHECK(std::unique(once.begin(), once.end()) == once.end());
            }
    }

    TEST_CASE("each epoch has an order of its own, and the same seed the same orders") {
        const Experience experience = experience_of({40});
        const auto order = [&](std::uint64_t seed) {
            M model = model_with_heads(1);
            Trainer trainer(model, WriteDown{});
            seen.clear();
            trainer.fit(Stream{experience}, {.epochs = 2, .batch_size = 8, .seed = seed, .threads = 1});
            std::vector<std::uint32_t> result;
            for (const Seen& s : seen) result.push_back(s.sample.index);
            return result;
        };
        const std::vector<std::uint32_t> one = order(1);
        CHECK(one == order(1));
        CHECK(one != order(2));
        CHECK(!std::equal(one.begin(), one.begin() + 40, one.begin() + 40));
    }

    TEST_CASE("a second fit of a trainer shuffles its own data, larger or smaller") {
        M model = model_with_heads(1);
        Trainer trainer(model, WriteDown{});
        for (const std::size_t size : {8u, 40u, 12u}) {
            seen.clear();
            trainer.fit(experience_of({size}).tasks[0].train, {.epochs = 1, .batch_size = 4, .threads = 1});
            std::vector<std::uint32_t> indices;
            for (const Seen& s : seen) indices.push_back(s.sample.index);
            std::sort(indices.begin(), indices.end());
            REQUIRE(indices.size() == size);
            for (std::uint32_t i = 0; i < size; ++i) CHECK(indices[i] == i);
        }
    }
}

}
