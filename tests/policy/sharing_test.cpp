#include <doctest/doctest.h>

#include <numeric>

#include "../model/small_models.hpp"

namespace sharing_test {

using namespace didact;

namespace {

using B = Cpu<double>;
using M = small::MlpModel<B>;

using HeadOfOneNumber = heads::Regression<heads::Pooling::first_token>;
using RegressionModel = Model<M::Trunk, heads::SequenceClassification<heads::Pooling::first_token>, HeadOfOneNumber>;

/// Task 0 chooses a class, task 1 gives a number.
struct ClassAndNumber {
    RegressionModel model{small::mlp_config(), 3};
    ClassAndNumber() {
        model.add_head({.name = "class", .num_labels = 3});
        model.add_head<HeadOfOneNumber>({.name = "number", .num_labels = 1});
    }
};

struct TwoTasks {
    M model{small::mlp_config(), 3};
    TwoTasks() {
        model.add_head({.name = "a", .num_labels = 3});
        model.add_head({.name = "b", .num_labels = 2});
    }
};

Experience two_tasks(std::size_t first, std::size_t second) {
    return {.name = "both",
            .tasks = {{.task = 0, .train = small::vectors("a", first, 5, 3, 1)},
                      {.task = 1, .train = small::vectors("b", second, 5, 2, 2, 11)}}};
}

double dot_of(const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

GramMatrix gram_of(const std::vector<std::vector<double>>& g) {
    GramMatrix gram(g.size());
    for (std::size_t k = 0; k < g.size(); ++k)
        for (std::size_t l = 0; l < g.size(); ++l) gram(k, l) = dot_of(g[k], g[l]);
    return gram;
}

/// Σ factorₖ gₖ, by sharing::Pcgrad's factors.
std::vector<double> combined(const std::vector<std::vector<double>>& g, std::uint64_t seed) {
    const M model(small::mlp_config());
    sharing::Pcgrad::State<M> state({}, model);
    std::vector<double> factors(g.size(), -1), result(g[0].size(), 0);
    state.combine(gram_of(g), {.seed = seed}, factors);
    for (std::size_t k = 0; k < g.size(); ++k)
        for (std::size_t i = 0; i < result.size(); ++i) result[i] += factors[k] * g[k][i];
    return result;
}

std::vector<double> random_vector(Random& random, std::size_t size) {
    std::vector<double> result(size);
    for (double& x : result) x = random.normal();
    return result;
}

/// Groups as the trainer makes them, of these tasks, with these losses.
std::vector<StepGroup> groups_of(const std::vector<std::pair<std::size_t, double>>& losses) {
    std::vector<StepGroup> groups;
    for (const auto& [task, loss] : losses) groups.push_back({.task = task, .units = 1, .loss = loss});
    return groups;
}

/// What sharing::UncertaintyWeighting saves in a checkpoint.
/// Weighs each task by the inverse of its loss: the slope of Σ log L.
struct ByInverseLoss {
    static constexpr Family family = Family::sharing;
    template <class Model>
    struct State {
        State(const ByInverseLoss&, const Model&) {}
        void weigh_losses(std::span<const StepGroup> groups, std::span<double> weights, const Moment&) {
            for (std::size_t k = 0; k < groups.size(); ++k) weights[k] /= groups[k].loss;
        }
    };
};

/// Combines the tasks' gradients to twice their sum.
struct Doubles {
    static constexpr Family family = Family::sharing;
    template <class Model>
    struct State {
        State(const Doubles&, const Model&) {}
        void combine(const GramMatrix&, const Moment&, std::span<double> factors) { std::ranges::fill(factors, 2.0); }
    };
};

struct UncertaintyState {
    std::vector<double> log_variances, first;
    explicit UncertaintyState(auto& state) {
        Archive written;
        state.serialize(written);
        Archive read(written.bytes(), "state");
        read("log_variances", log_variances), read("first", first);
    }
};

}

TEST_SUITE("property") {

    TEST_CASE("uncertainty weighting weighs by f e^-s, and s descends the slope of f e^-s L + s/2; f is 1/2 for "
              "regression") {
        const ClassAndNumber setting;
        sharing::UncertaintyWeighting::State<RegressionModel> state({.initial = 0.4, .learning_rate = 0.1},
                                                                    setting.model);
        const std::vector<StepGroup> groups = groups_of({{0, 0.3}, {1, 2.5}});
        std::vector<double> weights{1, 0.7};
        state.weigh_groups(groups, weights, {});
        CHECK(weights[0] == doctest::Approx(std::exp(-0.4)));
        CHECK(weights[1] == doctest::Approx(0.7 * 0.5 * std::exp(-0.4)));
        state.losses_known(groups, {});
        const UncertaintyState after(state);
        for (std::size_t k = 0; k < 2; ++k) {
            const double factor = k == 1 ? 0.5 : 1;
            const auto total = [&](double s) { return factor * std::exp(-s) * groups[k].loss + s / 2; };
            const double slope = (total(0.4 + 1e-5) - total(0.4 - 1e-5)) / 2e-5;
            // Adam's first moment after one step is a tenth of the gradient, and its step the rate.
            CHECK(10 * after.first[k] == doctest::Approx(slope).epsilon(1e-8));
            CHECK(after.log_variances[k] == doctest::Approx(0.4 - 0.1 * (slope > 0 ? 1 : -1)).epsilon(1e-6));
        }
    }

    TEST_CASE("uncertainty weighting settles where e^s = 2 f L") {
        const ClassAndNumber setting;
        sharing::UncertaintyWeighting::State<RegressionModel> state({.learning_rate = 0.01}, setting.model);
        const std::vector<StepGroup> groups = groups_of({{0, 0.3}, {1, 2.5}});
        std::vector<double> weights(2);
        for (std::size_t step = 0; step < 3000; ++step) {
            weights = {1, 1};
            state.weigh_groups(groups, weights, {});
            state.losses_known(groups, {});
        }
        CHECK(std::exp(state.log_variances()[0]) == doctest::Approx(2 * 0.3).epsilon(1e-2));
        CHECK(std::exp(state.log_variances()[1]) == doctest::Approx(2.5).epsilon(1e-2));
        // Every task's weighted loss is then the same, one half.
        CHECK(weights[0] * 0.3 == doctest::Approx(0.5).epsilon(1e-2));
        CHECK(weights[1] * 2.5 == doctest::Approx(0.5).epsilon(1e-2));
    }

    TEST_CASE("uncertainty weighting learns s from the mean loss by the groups' other weights, of finite losses") {
        const TwoTasks setting;
        sharing::UncertaintyWeighting::State<M> state({.learning_rate = 0.01}, setting.model);
        std::vector<StepGroup> groups = groups_of({{0, 0.2}, {0, 2.0}, {1, 4.0}}); // the second one rehearsed
        for (std::size_t step = 0; step < 3000; ++step) {
            std::vector<double> weights{0.9, 0.1, 1};
            state.weigh_groups(groups, weights, {});
            for (std::size_t k = 0; k < 3; ++k) groups[k].weight = weights[k];
            state.losses_known(groups, {});
        }
        CHECK(std::exp(state.log_variances()[0]) == doctest::Approx(2 * (0.9 * 0.2 + 0.1 * 2)).epsilon(1e-2));
        const std::vector<double> before = state.log_variances();
        for (StepGroup& group : groups) group.loss = std::numeric_limits<double>::infinity();
        state.losses_known(groups, {});
        CHECK(state.log_variances() == before);
    }

    TEST_CASE("uncertainty weighting keeps one s a task, whichever tasks a step has") {
        const TwoTasks setting;
        sharing::UncertaintyWeighting::State<M> state({.learning_rate = 0.1}, setting.model);
        state.losses_known(groups_of({{1, 4.0}}), {});                 // a step without samples of task 0
        const auto groups = groups_of({{0, 4.0}, {1, 4.0}, {1, 4.0}}); // the last one rehearsed
        std::vector<double> weights{1, 1, 1};
        state.weigh_groups(groups, weights, {});
        state.losses_known(groups, {});
        CHECK(weights[0] == 1);
        CHECK(weights[1] == doctest::Approx(std::exp(-0.1)));
        CHECK(weights[2] == weights[1]);
        CHECK(state.log_variances().size() == 2);
        CHECK(state.log_variances()[0] == doctest::Approx(0.1)); // Adam's first step, though the run's second
    }

    TEST_CASE("a trainer's gradient under uncertainty weighting is the sum of the tasks' by their weights") {
        TwoTasks setting;
        const Experience experience = two_tasks(6, 6);
        Trainer trainer(setting.model, sharing::UncertaintyWeighting{.initial = 0.8},
                        optimizer::Sgd{.learning_rate = 0.2}, schedule::Constant{});
        const auto before = small::values_of(setting.model);
        std::vector<AlignedVector<double>> g;
        for (std::size_t k = 0; k < 2; ++k)
            g.push_back(small::mean_gradient(trainer.engine(), small::batch_of(experience.tasks[k].train, k)));
        trainer.fit(Stream{experience}, small::one_step(12));
        for (std::size_t i = 0; i < before.size(); ++i)
            CHECK(setting.model.parameters().values()[i] ==
                  doctest::Approx(before[i] - 0.2 * std::exp(-0.8) * (g[0][i] + g[1][i])).epsilon(1e-10));
    }

    TEST_CASE("a policy that weighs by the step's own losses gets them first") {
        TwoTasks setting;
        const Experience experience = two_tasks(6, 6);
        Trainer trainer(setting.model, ByInverseLoss{}, optimizer::Sgd{.learning_rate = 0.2}, schedule::Constant{});
        const auto before = small::values_of(setting.model);
        std::vector<AlignedVector<double>> g;
        double loss[2];
        for (std::size_t k = 0; k < 2; ++k) {
            const Batch batch = small::batch_of(experience.tasks[k].train, k);
            loss[k] = trainer.engine().mean_loss(batch);
            g.push_back(small::mean_gradient(trainer.engine(), batch));
        }
        trainer.fit(Stream{experience}, small::one_step(12));
        for (std::size_t i = 0; i < before.size(); ++i)
            CHECK(setting.model.parameters().values()[i] ==
                  doctest::Approx(before[i] - 0.2 * (g[0][i] / loss[0] + g[1][i] / loss[1])).epsilon(1e-10));
    }

    TEST_CASE("PCGrad is the plain sum where no two gradients conflict") {
        Random random(3);
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            std::vector<std::vector<double>> g;
            while (g.size() < 3) {
                std::vector<double> v = random_vector(random, 6);
                for (double& x : v) x = std::abs(x);
                g.push_back(v);
            }
            const std::vector<double> sum = combined(g, seed);
            for (std::size_t i = 0; i < 6; ++i)
                CHECK(sum[i] == doctest::Approx(g[0][i] + g[1][i] + g[2][i]).epsilon(1e-12));
        }
    }

    TEST_CASE("PCGrad of two conflicting tasks projects each on the other's normal plane and opposes neither") {
        Random random(5);
        int conflicts = 0;
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            const std::vector<double> a = random_vector(random, 4), b = random_vector(random, 4);
            const double ab = dot_of(a, b);
            if (ab >= 0) continue;
            ++conflicts;
            const std::vector<double> sum = combined({a, b}, seed);
            for (std::size_t i = 0; i < 4; ++i)
                CHECK(
                    sum[i] ==
                    doctest::Approx(a[i] - ab / dot_of(b, b) * b[i] + b[i] - ab / dot_of(a, a) * a[i]).epsilon(1e-10));
            CHECK(dot_of(sum, a) >= -1e-12);
            CHECK(dot_of(sum, b) >= -1e-12);
        }
        CHECK(conflicts > 50);
    }

    TEST_CASE("PCGrad of several tasks is algorithm 1 of Yu et al. for one of its orders") {
        Random random(9);
        for (std::uint64_t seed = 0; seed < 30; ++seed) {
            std::vector<std::vector<double>> g;
            for (int k = 0; k < 3; ++k) g.push_back(random_vector(random, 3));
            const std::vector<double> sum = combined(g, seed);
            // Each task meets the two others in one of two orders, which makes eight possible sums.
            double nearest = 1e300;
            for (int orders = 0; orders < 8; ++orders) {
                std::vector<double> expected(3, 0);
                for (std::size_t i = 0; i < 3; ++i) {
                    std::size_t others[2] = {(i + 1) % 3, (i + 2) % 3};
                    if (orders >> i & 1) std::swap(others[0], others[1]);
                    std::vector<double> v = g[i];
                    for (const std::size_t j : others)
                        if (const double product = dot_of(v, g[j]); product < 0)
                            for (std::size_t l = 0; l < 3; ++l) v[l] -= product / dot_of(g[j], g[j]) * g[j][l];
                    for (std::size_t l = 0; l < 3; ++l) expected[l] += v[l];
                }
                double distance = 0;
                for (std::size_t l = 0; l < 3; ++l) distance = std::max(distance, std::abs(sum[l] - expected[l]));
                nearest = std::min(nearest, distance);
            }
            CHECK(nearest < 1e-10);
        }
    }

    TEST_CASE("a trainer under PCGrad combines the trunk's gradients and leaves the heads theirs") {
        // Two heads with the same weights that want opposite classes of the same samples: a conflict.
        struct {
            M model{small::mlp_config(), 3};
        } setting;
        setting.model.add_head({.name = "a", .num_labels = 2});
        setting.model.add_head({.name = "b", .num_labels = 2});
        const auto value = [&](const char* name) {
            return setting.model.parameters().value(setting.model.parameters().find(name));
        };
        std::copy_n(value("classifier.weight").data, 14, value("heads.b.classifier.weight").data);
        const Dataset data = small::vectors("a", 6, 5, 2, 1);
        Dataset opposite("b");
        for (std::size_t i = 0; i < data.size(); ++i) {
            Sample sample = data.sample(i);
            sample.labels[0] = 1 - sample.labels[0];
            opposite.append(sample);
        }
        const Experience experience{.name = "both",
                                    .tasks = {{.task = 0, .train = data}, {.task = 1, .train = opposite}}};
        Trainer trainer(setting.model, sharing::Pcgrad{}, optimizer::Sgd{.learning_rate = 0.2}, schedule::Constant{});
        const auto before = small::values_of(setting.model);
        auto& store = setting.model.parameters();
        std::vector<std::vector<double>> all, shared(2);
        for (std::size_t k = 0; k < 2; ++k) {
            const auto g = small::mean_gradient(trainer.engine(), small::batch_of(experience.tasks[k].train, k));
            all.emplace_back(g.begin(), g.end());
            for (const Parameter& p : store.parameters())
                if (p.shared)
                    shared[k].insert(shared[k].end(), g.begin() + std::ptrdiff_t(p.trainable_offset),
                                     g.begin() + std::ptrdiff_t(p.trainable_offset + p.size()));
        }
        REQUIRE(dot_of(shared[0], shared[1]) < 0);
        const double ab = dot_of(shared[0], shared[1]);
        const double factors[] = {1 - ab / dot_of(shared[0], shared[0]), 1 - ab / dot_of(shared[1], shared[1])};
        trainer.fit(Stream{experience}, small::one_step(12));
        for (const Parameter& p : store.parameters())
            for (std::size_t i = 0; i < p.size(); ++i) {
                const double a = all[0][p.trainable_offset + i], b = all[1][p.trainable_offset + i];
                const double g = p.shared ? factors[0] * a + factors[1] * b : a + b;
                CHECK(store.values()[p.offset + i] == doctest::Approx(before[p.offset + i] - 0.2 * g).epsilon(1e-9));
            }
    }

    TEST_CASE("a cross-stitch network starts at the given mixture: all its own gives the columns apart") {
        using Trunk = CrossStitch<Transformer<arch::Bert, B>>;
        const Batch batch = small::batch_of(small::sentences("data", 4, 3, 2), 1);
        Model<Trunk, heads::SequenceClassification<heads::Pooling::mean>> model(
            CrossStitchConfig{.transformer = small::config(), .columns = 3, .own = 0.7}, 4);
        for (std::size_t t = 0; t < 3; ++t) model.add_head({.num_labels = 2});
        auto& store = model.parameters();
        for (std::size_t l = 0; l < 3; ++l)
            for (std::size_t k = 0; k < 3; ++k)
                for (std::size_t j = 0; j < 3; ++j)
                    CHECK(store.value(model.trunk().stitch(l))(k, j) == doctest::Approx(k == j ? 0.7 : 0.15));

        for (std::size_t l = 0; l < 3; ++l)
            for (std::size_t k = 0; k < 3; ++k)
                for (std::size_t j = 0; j < 3; ++j) store.value(model.trunk().stitch(l))(k, j) = k == j;
        Engine engine(model, 1);
        const View<double> z = engine.logits(batch);
        const std::vector<double> stitched(z.data, z.data + z.size());

        // The same column on its own, its values found by name.
        Model<Transformer<arch::Bert, B>, heads::SequenceClassification<heads::Pooling::mean>> single(small::config());
        single.add_head({.name = "other", .num_labels = 2});
        for (ParameterId id = 0; id < single.parameters().count(); ++id) {
            const Parameter& p = single.parameters()[id];
            const ParameterId from = store.find(p.shared ? "column1." + p.name : "heads.task1." + p.name);
            REQUIRE(from != no_parameter);
            std::copy_n(store.value(from).data, p.size(), single.parameters().value(id).data);
        }
        Engine alone(single, 1);
        Batch first = batch;
        first.task = 0;
        const View<double> expected = alone.logits(first);
        for (std::size_t i = 0; i < stitched.size(); ++i)
            CHECK(stitched[i] == doctest::Approx(expected.data[i]).epsilon(1e-12));
    }

    TEST_CASE("dropout within frozen blocks of a cross-stitch network is off, and on where it is asked for") {
        using Trunk = CrossStitch<Transformer<arch::Bert, Cpu<float>>>;
        const Batch batch = small::batch_of(small::sentences("data", 4, 3, 2), 1);
        const auto differ = [&](std::size_t layers, bool dropout) {
            TransformerConfig config = small::config(0.3);
            config.classifier_dropout = 0;
            Model<Trunk, heads::SequenceClassification<>> model(CrossStitchConfig{.transformer = config}, 4);
            for (int task = 0; task < 2; ++task) model.add_head({.num_labels = 3});
            Trainer trainer(model, sharing::CrossStitch{}, freeze::Prefix{.layers = layers, .dropout = dropout});
            trainer.policies().plan(model, {});
            auto& engine = trainer.engine();
            return engine.add_gradient(batch, 1, true, 1) != engine.add_gradient(batch, 1, true, 2);
        };
        CHECK_FALSE(differ(3, false));
        CHECK(differ(3, true));
        CHECK(differ(2, false));
    }

    TEST_CASE("a cross-stitch network learns its mixture") {
        using Trunk = CrossStitch<Transformer<arch::Bert, Cpu<float>>>;
        Model<Trunk, heads::SequenceClassification<>> model(CrossStitchConfig{.transformer = small::config()}, 4);
        model.add_head({.num_labels = 3});
        model.add_head({.num_labels = 2});
        Trainer trainer(model, sharing::CrossStitch{}, optimizer::AdamW{.learning_rate = 1e-2});
        const Experience experience{.name = "both",
                                    .tasks = {{.task = 0, .train = small::sentences("a", 12, 3, 1)},
                                              {.task = 1, .train = small::sentences("b", 12, 2, 2)}}};
        struct {
            std::vector<double> losses;
            void step(const report::StepReport& report) { losses.push_back(report.loss); }
        } seen;
        trainer.fit(Stream{experience}, {.epochs = 12, .batch_size = 12, .threads = 2}, seen);
        for (std::size_t l = 0; l < 3; ++l) {
            const View<float> alpha = model.parameters().value(model.trunk().stitch(l));
            double moved = 0;
            for (std::size_t k = 0; k < 2; ++k)
                for (std::size_t j = 0; j < 2; ++j)
                    moved = std::max(moved, std::abs(double(alpha(k, j)) - (k == j ? 0.9 : 0.1)));
            CHECK(moved > 1e-3);
        }
        CHECK(seen.losses.back() < 0.7 * seen.losses.front());
    }

    TEST_CASE("hard sharing mixes tasks by size to the power of its exponent") {
        TwoTasks setting;
        const std::vector<std::size_t> sizes{900, 100};
        const auto counts = [&](double exponent) {
            sharing::Hard::State<M> state({.exponent = exponent}, setting.model);
            std::vector<std::size_t> result{90, 10}; // the proportional shares
            state.mix(sizes, {}, result);
            return result;
        };
        CHECK(counts(1) == std::vector<std::size_t>{90, 10});
        CHECK(counts(0) == std::vector<std::size_t>{50, 50});
        CHECK(counts(0.5) == std::vector<std::size_t>{75, 25}); // √900 : √100
    }

    TEST_CASE("hard sharing gives every task its share over the steps, however small a step is") {
        TwoTasks setting;
        const auto total = [&](double exponent, std::vector<std::size_t> sizes, std::size_t per_step) {
            sharing::Hard::State<M> state({.exponent = exponent}, setting.model);
            std::vector<std::size_t> sums(sizes.size(), 0), counts(sizes.size(), 0);
            for (std::size_t step = 0; step < 1000; ++step) {
                std::fill(counts.begin(), counts.end(), 0);
                counts[0] = per_step;
                state.mix(sizes, {}, counts);
                CHECK(std::accumulate(counts.begin(), counts.end(), std::size_t(0)) == per_step);
                for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += counts[k];
            }
            return sums;
        };
        CHECK(total(0, {100, 100}, 1) == std::vector<std::size_t>{500, 500});
        CHECK(total(0, {0, 100, 100}, 3) == std::vector<std::size_t>{0, 1500, 1500});
        const double small = std::pow(100, 0.9), large = std::pow(10000, 0.9);
        CHECK(std::abs(double(total(0.9, {100, 10000}, 32)[0]) - 32000 * small / (small + large)) <= 1);
    }

    TEST_CASE("sharing::Both: one policy chooses the mixture, the other combines the gradients of that mixture") {
        const Experience experience = two_tasks(30, 10);
        const auto values = [&](const auto& policy, const Experience& of, std::size_t batch_size) {
            TwoTasks setting;
            Trainer trainer(setting.model, policy, optimizer::Sgd{.learning_rate = 0.2}, schedule::Constant{});
            trainer.fit(Stream{of}, small::one_step(batch_size));
            return small::values_of(setting.model);
        };
        // Equal shares of all the second task's samples: the same step as that of two data sets of one size.
        const Experience equal{.name = "both",
                               .tasks = {experience.tasks[0], {.task = 1, .train = experience.tasks[1].train}}};
        using Mixed = sharing::Both<sharing::Hard, sharing::Pcgrad>;
        const auto mixed = values(Mixed{.first = {.exponent = 0}}, experience, 20);
        CHECK(mixed != values(sharing::Pcgrad{}, experience, 20));
        CHECK(mixed == values(sharing::Both<sharing::Pcgrad, sharing::Hard>{.second = {.exponent = 0}}, equal, 20));
        CHECK(values(Mixed{.first = {.exponent = 1}}, experience, 20) == values(sharing::Pcgrad{}, experience, 20));
        CHECK(describe(Mixed{.first = {.exponent = 0.5}}) == "hard-sharing+pcgrad(exponent=0.5)");

        // Of the mixture's gradients, what the trunk moves by is what the second policy makes of them.
        const auto doubled = values(sharing::Both<sharing::Hard, Doubles>{{.exponent = 0}}, experience, 20);
        const auto once = values(sharing::Hard{.exponent = 0}, experience, 20);
        const TwoTasks untrained;
        const auto& store = std::as_const(untrained.model.parameters());
        for (const Parameter& p : store.parameters())
            for (std::size_t i = p.offset; i < p.offset + p.size(); ++i)
                CHECK(doubled[i] - store.values()[i] ==
                      doctest::Approx((p.shared ? 2 : 1) * (once[i] - store.values()[i])).epsilon(1e-9));

        // Weights of losses act on the mixture too.
        using Weighed = sharing::Both<sharing::Hard, sharing::UncertaintyWeighting>;
        const auto weighed = values(Weighed{{.exponent = 0}, {.initial = 0.8}}, experience, 20);
        for (std::size_t i = 0; i < once.size(); ++i)
            CHECK(weighed[i] - store.values()[i] ==
                  doctest::Approx(std::exp(-0.8) * (once[i] - store.values()[i])).epsilon(1e-9));
    }

    TEST_CASE("hard sharing's loss is the sum of the tasks' means") {
        TwoTasks setting;
        const Experience experience = two_tasks(8, 4);
        Trainer trainer(setting.model, sharing::Hard{}, optimizer::Sgd{.learning_rate = 0.2}, schedule::Constant{});
        double sum = 0;
        for (std::size_t k = 0; k < 2; ++k)
            sum += trainer.engine().mean_loss(small::batch_of(experience.tasks[k].train, k));
        CHECK(trainer.fit(Stream{experience}, small::one_step(12)).last_loss == doctest::Approx(sum).epsilon(1e-10));
    }
}

}
