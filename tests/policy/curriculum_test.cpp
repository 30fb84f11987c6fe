#include <doctest/doctest.h>

#include <numeric>
#include <set>

#include "../model/small_models.hpp"

namespace curriculum_test {

using namespace didact;

namespace {

using M = small::MlpModel<Cpu<float>>;

/// Sample i has i + 1 tokens, in a shuffled order of the samples.
Dataset of_all_lengths(std::size_t samples) {
    std::vector<std::uint32_t> order(samples);
    std::iota(order.begin(), order.end(), 0u);
    Random(4).shuffle(std::span<std::uint32_t>(order));
    Dataset data("lengths");
    for (const std::uint32_t i : order) data.append({.token_ids = std::vector<std::int32_t>(i + 1, 3), .labels = {0}});
    return data;
}

struct Setting {
    M model{small::mlp_config()};
    Engine<M> engine{model, 1};
    Setting() { model.add_head({.num_labels = 3}); }
};

template <class Policy>
auto begun(Setting& setting, const Policy& policy, const Dataset& data) {
    typename Policy::template State<M> state(policy, setting.model);
    state.experience_began(setting.engine, {.name = "only", .tasks = {{.train = data}}}, {.total_steps = 5000});
    return state;
}

template <class Metric>
std::vector<float> difficulties(Setting& setting, const Metric& metric, const Dataset& data,
                                const Moment& moment = {}) {
    return difficulty::measure(metric, setting.engine, TaskData{.train = data}, moment);
}

}

TEST_SUITE("property") {

    TEST_CASE("competence rises along c0 + (1 - c0) t / T, or along its square-root form, up to 1") {
        const curriculum::Competence<> linear{.initial = 0.1, .power = 1, .duration = 0.5};
        CHECK(linear.competence(0) == doctest::Approx(0.1));
        CHECK(linear.competence(0.25) == doctest::Approx(0.55));
        CHECK(linear.competence(0.375) == doctest::Approx(0.775));
        CHECK(linear.competence(0.5) == doctest::Approx(1));
        CHECK(linear.competence(0.8) == 1);
        const curriculum::Competence<> root{.initial = 0.1, .power = 2, .duration = 1};
        CHECK(root.competence(0) == doctest::Approx(0.1));
        CHECK(root.competence(0.5) == doctest::Approx(std::sqrt(0.505)));
        CHECK(root.competence(0.25) == doctest::Approx(std::sqrt(0.2575)));
        CHECK(root.competence(1) == doctest::Approx(1));
    }

    TEST_CASE(
        "competence-based pacing draws only samples whose share of easier ones is at most c(t), and all of them") {
        Setting setting;
        constexpr std::size_t samples = 37;
        const Dataset data = of_all_lengths(samples);
        const curriculum::Competence<> policy{.initial = 0.2, .power = 2, .duration = 0.8};
        auto state = begun(setting, policy, data);
        for (const std::size_t step : {0u, 10u, 35u, 61u, 79u, 80u, 99u}) {
            const double c = policy.competence(double(step) / 100);
            std::set<std::uint32_t> drawn;
            for (std::uint64_t seed = 0; seed < 100; ++seed) {
                std::vector<std::uint32_t> chosen(7);
                state.select(data, 0, {.seed = seed, .step = step, .total_steps = 100}, chosen);
                CHECK(std::set<std::uint32_t>(chosen.begin(), chosen.end()).size() == 7);
                drawn.insert(chosen.begin(), chosen.end());
            }
            std::set<std::uint32_t> allowed;
            for (std::uint32_t i = 0; i < samples; ++i)
                // The empirical distribution function of a sample's length, which is its rank.
                if (double(data.length(i)) / double(samples) <= c + 1e-12) allowed.insert(i);
            CAPTURE(step);
            CHECK(drawn == allowed);
        }
    }

    TEST_CASE("pacing draws every allowed sample equally often") {
        Setting setting;
        const Dataset data = of_all_lengths(20);
        auto state = begun(setting, curriculum::Competence<>{.initial = 0.5, .duration = 1}, data);
        std::vector<double> counts(20, 0);
        constexpr std::size_t draws = 4000;
        for (std::size_t seed = 0; seed < draws; ++seed) {
            std::vector<std::uint32_t> chosen(1);
            state.select(data, 0, {.seed = seed, .total_steps = 10}, chosen);
            ++counts[data.length(chosen[0]) - 1];
        }
        double chi_square = 0;
        for (std::size_t i = 0; i < 10; ++i) chi_square += (counts[i] - 400) * (counts[i] - 400) / 400;
        CHECK(chi_square < 27.88); // 99.9 % of chi-square with 9 degrees of freedom
        CHECK(std::accumulate(counts.begin() + 10, counts.end(), 0.0) == 0);
    }

    TEST_CASE("pacing gives a step larger than the allowed share its samples again, none much more often") {
        Setting setting;
        const Dataset data = of_all_lengths(20);
        auto state = begun(setting, curriculum::Competence<>{.initial = 0.15}, data);
        std::vector<std::uint32_t> chosen(8);
        state.select(data, 0, {.total_steps = 10}, chosen);
        std::vector<int> counts(4, 0);
        for (const std::uint32_t i : chosen) {
            REQUIRE(data.length(i) <= 3);
            ++counts[data.length(i)];
        }
        for (std::size_t length = 1; length <= 3; ++length) CHECK((counts[length] == 2 || counts[length] == 3));
        // Where not even one sample is within the share, the easiest is.
        auto least = begun(setting, curriculum::Competence<>{.initial = 0.01}, data);
        least.select(data, 0, {.total_steps = 10}, chosen);
        for (const std::uint32_t i : chosen) CHECK(data.length(i) == 1);
    }

    TEST_CASE("mastery promotes when the validation metric reaches the threshold, and not otherwise") {
        Setting setting;
        const Dataset data = of_all_lengths(30);
        const auto longest = [&](auto& state) {
            std::vector<std::uint32_t> chosen(30);
            state.select(data, 0, {.total_steps = 10}, chosen);
            std::size_t most = 0;
            for (const std::uint32_t i : chosen) most = std::max(most, data.length(i));
            return most;
        };
        const curriculum::Mastery<> policy{
            .stages = 3, .threshold = 0.8, .least_gain = 0.01, .patience = 100, .longest = 1000};
        auto state = begun(setting, policy, data);
        CHECK(longest(state) == 10);
        for (const double metric : {0.1, 0.79, 0.2, 0.79, 0.5}) {
            state.epoch_done(setting.model, {}, metric);
            CHECK(state.stage() == 0);
        }
        state.epoch_done(setting.model, {}, 0.8);
        CHECK(state.stage() == 1);
        CHECK(longest(state) == 20);
        state.epoch_done(setting.model, {}, 0.799);
        CHECK(state.stage() == 1);
        state.epoch_done(setting.model, {}, 0.95);
        CHECK(state.stage() == 2);
        CHECK(longest(state) == 30);
        state.epoch_done(setting.model, {}, 0.99);
        CHECK(state.stage() == 2);
        // The next experience begins with the easiest again.
        state.experience_began(setting.engine, {.name = "next", .tasks = {{.train = data}}},
                               {.experience = 1, .total_steps = 5000});
        CHECK(state.stage() == 0);
    }

    TEST_CASE("mastery promotes after `patience` epochs in which the metric has not risen by `least_gain`") {
        Setting setting;
        auto state = begun(
            setting,
            curriculum::Mastery<>{.stages = 2, .threshold = 0.9, .least_gain = 0.05, .patience = 2, .longest = 1000},
            of_all_lengths(30));
        for (const double metric : {0.3, 0.4, 0.44, 0.5}) { // the third gains too little, once
            state.epoch_done(setting.model, {}, metric);
            CHECK(state.stage() == 0);
        }
        state.epoch_done(setting.model, {}, 0.54);
        CHECK(state.stage() == 0);
        state.epoch_done(setting.model, {}, 0.55);
        CHECK(state.stage() == 1);
    }

    TEST_CASE("mastery without validation data promotes after `longest` epochs only") {
        Setting setting;
        auto state = begun(setting, curriculum::Mastery<>{.stages = 3, .longest = 3}, of_all_lengths(30));
        for (int epoch = 1; epoch <= 7; ++epoch) {
            state.epoch_done(setting.model, {}, {});
            CHECK(state.stage() == std::size_t(std::min(2, epoch / 3)));
        }
    }

    TEST_CASE("mastery reaches its last stage in the epochs that there are, or says that it cannot") {
        Setting setting;
        const Dataset data = of_all_lengths(30);
        const auto state_of = [&](std::size_t epochs) {
            curriculum::Mastery<>::State<M> state({.stages = 3, .longest = 10}, setting.model);
            state.experience_began(setting.engine, {.name = "short", .tasks = {{.train = data}}},
                                   {.steps_per_epoch = 5, .total_steps = 5 * epochs - 2});
            return state;
        };
        auto state = state_of(7);
        for (std::size_t epoch = 1; epoch <= 7; ++epoch) {
            state.epoch_done(setting.model, {}, {});
            CHECK(state.stage() == std::min<std::size_t>(2, epoch / 2));
        }
        CHECK_THROWS_WITH_AS(state_of(2),
                             "curriculum::Mastery: stages is 3 and experience 'short' has 2 epochs, so its hardest "
                             "samples would never be trained on",
                             Error);
    }

    TEST_CASE("metrics that would find all samples alike say so") {
        Setting setting;
        const Dataset features = small::vectors("features", 4, 5, 3, 2);
        CHECK_THROWS_WITH_AS(difficulties(setting, difficulty::Length{}, features),
                             "features: difficulty 'length' is of tokens, and the samples have none", Error);
        CHECK_THROWS_AS(difficulties(setting, difficulty::Rarity{}, features), Error);
        CHECK_THROWS_WITH_AS(difficulties(setting, difficulty::Given{}, features),
                             "features: difficulty 'given' is what the data says, and all samples have the same",
                             Error);
    }

    TEST_CASE("difficulty by the loss of masked language modelling is that of the first epoch's masks") {
        Model<Transformer<arch::Bert, Cpu<float>>, heads::MaskedLanguageModel> model(small::config(), 3);
        model.add_head({});
        Engine engine(model, 1);
        const Masking masking{.probability = 0.5, .mask_token_id = 4, .vocab_size = 23};
        const TaskData data{.train = small::sentences("train", 9, 3, 2), .masking = masking};
        const Moment moment{.seed = 5};
        const std::vector<float> found = difficulty::measure(difficulty::ModelLoss{}, engine, data, moment);
        Batch batch = small::batch_of(data.train);
        masking.apply(batch, moment.epoch_key(RandomPurpose::masking));
        engine.mean_loss(batch);
        CHECK(std::equal(found.begin(), found.end(), engine.losses().begin(), engine.losses().begin() + 9));
    }

    TEST_CASE("difficulty by length counts tokens, by rarity sums -log of their relative frequencies") {
        Setting setting;
        Dataset data("two");
        data.append({.token_ids = {1, 1, 2}, .labels = {0}});
        data.append({.token_ids = {1, 3, 3, 3, 3}, .labels = {0}});
        CHECK(difficulties(setting, difficulty::Length{}, data) == std::vector<float>{3, 5});
        // 8 tokens: 1 three times, 2 once, 3 four times.
        const std::vector<float> rarity = difficulties(setting, difficulty::Rarity{}, data);
        CHECK(rarity[0] == doctest::Approx(2 * std::log(8 / 3.0) + std::log(8.0)));
        CHECK(rarity[1] == doctest::Approx(std::log(8 / 3.0) + 4 * std::log(2.0)));
    }

    TEST_CASE("difficulty by the model's loss is each sample's own loss in evaluation mode") {
        Setting setting;
        const Dataset data = small::vectors("train", 70, 5, 3, 2); // more than one batch of it
        const std::vector<float> found = difficulties(setting, difficulty::ModelLoss{}, data);
        REQUIRE(found.size() == 70);
        for (std::uint32_t i = 0; i < 70; ++i) {
            const std::uint32_t one[] = {i};
            CHECK(found[i] ==
                  doctest::Approx(setting.engine.mean_loss(small::batch_of(data.subset(one)))).epsilon(1e-5));
        }
    }

    TEST_CASE("given, reversed and random difficulties order the data as they say") {
        Setting setting;
        Dataset data("given");
        for (const float level : {0.5f, 0.1f, 0.9f, 0.1f}) data.append({.features = {level}, .difficulty = level});
        const auto order = [&](const auto& metric) {
            return difficulty::easy_to_hard(difficulties(setting, metric, data), data);
        };
        CHECK(order(difficulty::Given{}) == std::vector<std::uint32_t>{1, 3, 0, 2});
        CHECK(order(difficulty::Reversed<difficulty::Given>{}) == std::vector<std::uint32_t>{2, 0, 1, 3});

        const Dataset many = of_all_lengths(500);
        const std::vector<float> one = difficulties(setting, difficulty::Random{}, many, {.seed = 1});
        CHECK(one == difficulties(setting, difficulty::Random{}, many, {.seed = 1}));
        CHECK(one != difficulties(setting, difficulty::Random{}, many, {.seed = 2}));
        CHECK(one != difficulties(setting, difficulty::Random{}, many, {.seed = 1, .experience = 1}));
        const std::vector<float> turned =
            difficulties(setting, difficulty::Reversed<difficulty::Random>{}, many, {.seed = 1});
        for (std::size_t i = 0; i < 500; ++i) CHECK(turned[i] == -one[i]);
        // Independent of length: the correlation of 500 pairs stays within 4 / sqrt(500).
        double product = 0, a = 0, b = 0;
        for (std::size_t i = 0; i < 500; ++i) {
            const double x = double(one[i]) - 0.5, y = double(many.length(i)) - 250.5;
            product += x * y, a += x * x, b += y * y;
        }
        CHECK(std::abs(product / std::sqrt(a * b)) < 0.18);
    }

    TEST_CASE("a curriculum trains on easy samples first when a trainer runs it") {
        small::BertModel<Cpu<float>> model(small::config());
        model.add_head({.num_labels = 3});
        const Dataset data = small::sentences("train", 64, 3, 5, 12);
        Trainer trainer(model, curriculum::Competence<>{.initial = 0.1, .power = 1, .duration = 0.75});
        struct {
            std::vector<std::size_t> tokens;
            void step(const report::StepReport& report) { tokens.push_back(report.tokens); }
        } seen;
        trainer.fit(data, {.steps = 40, .batch_size = 6, .threads = 1}, seen);
        const auto sum = [&](std::size_t begin) {
            return std::accumulate(seen.tokens.begin() + std::ptrdiff_t(begin),
                                   seen.tokens.begin() + std::ptrdiff_t(begin) + 10, std::size_t(0));
        };
        CHECK(seen.tokens[0] <= 6 * 3);
        CHECK(sum(0) < sum(10));
        CHECK(sum(10) < sum(30));
    }
}

}
