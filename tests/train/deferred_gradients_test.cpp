#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "../model/small_models.hpp"

namespace deferred_gradients_test {

using namespace didact;

namespace {

using F = Cpu<float>;
using Perceptron = small::MlpModel<F>;

/// Changes nothing, but asks for the gradients between backward and update, so that none waits as its factors.
struct ReadsGradients {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        State(const ReadsGradients&, const Model&) {}
        void project(Engine<Model>&, const Moment&) {}
    };
};

/// Does not like the second batch of a step.
struct ThrowsAtSecondBatch {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        std::size_t batches = 0;
        State(const ThrowsAtSecondBatch&, const Model&) {}
        void observe(const Batch&, std::span<const float>, const Moment&) {
            require(++batches < 2, "the second batch");
        }
        void serialize(Archive& archive) { archive("batches", batches); }
    };
};

/// Sums up how each element's way downhill lowered the loss (Zenke et al. 2017), where the test can see it.
struct PathIntegral {
    static constexpr Family family = Family::forgetting;
    std::vector<float>* sums = nullptr;
    template <class Model>
    struct State {
        std::vector<float>& sums;
        State(const PathIntegral& policy, const Model&) : sums(*policy.sums) {}
        void layout_changed(const TrainableLayout&, const TrainableLayout& after) { sums.resize(after.size); }
        void accumulate(std::size_t i, float gradient, float before, float after) {
            sums[i] += gradient * (before - after);
        }
        void serialize(Archive&) {}
    };
};

/// The first two weights are large enough to wait, the third is not.
Perceptron wide_model() {
    Perceptron model(MlpConfig{.input_size = 300, .hidden_sizes = {100, 170, 20}, .initializer_range = 0.3}, 3);
    model.add_head({.num_labels = 3});
    return model;
}

struct Outcome {
    AlignedVector<float> values;
    std::vector<double> norms = {};
    bool operator==(const Outcome&) const = default;
};

template <class... Policies>
Outcome train(const TrainingOptions& options, const Policies&... policies) {
    static const Dataset first = small::vectors("first", 40, 300, 3, 1),
                         second = small::vectors("second", 40, 300, 3, 2);
    Perceptron model = wide_model();
    Outcome outcome;
    struct Norms {
        std::vector<double>& all;
        void step(const report::StepReport& report) { all.push_back(report.gradient_norm); }
    };
    Trainer trainer(model, policies...);
    trainer.fit(Stream{{.name = "first", .tasks = {{.task = 0, .train = first}}},
                       {.name = "second", .tasks = {{.task = 0, .train = second}}}},
                options, Norms{outcome.norms});
    outcome.values = small::values_of(model);
    return outcome;
}

void check_norms(const Outcome& a, const Outcome& b) {
    REQUIRE(a.norms.size() == b.norms.size());
    for (std::size_t i = 0; i < a.norms.size(); ++i) CHECK(a.norms[i] == doctest::Approx(b.norms[i]).epsilon(1e-5));
}

TrainingOptions options(std::size_t batch_size, std::size_t threads = 2) {
    return {.epochs = 2, .batch_size = batch_size, .max_gradient_norm = 0, .threads = threads};
}

}

TEST_SUITE("unit") {

    TEST_CASE("gradients that wait as factors give the same bits as gradients in memory, under every optimizer") {
        constexpr std::size_t many = Cpu<float>::independent_rows;
        for (const std::size_t batch_size : {std::size_t(1), std::size_t(7), many - 1, many}) {
            CAPTURE(batch_size);
            const auto check = [&](const auto& optimizer) {
                const Outcome waits = train(options(batch_size), optimizer, schedule::Constant{});
                const Outcome direct = train(options(batch_size), optimizer, schedule::Constant{}, ReadsGradients{});
                CHECK(waits.values == direct.values);
                check_norms(waits, direct);
            };
            check(optimizer::Sgd{.learning_rate = 0.05});
            check(optimizer::Sgd{.learning_rate = 0.05, .weight_decay = 0.01});
            check(optimizer::Sgd{.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 0.01});
            check(optimizer::AdamW{.learning_rate = 1e-3});
        }
    }

    TEST_CASE("so do those of several micro-batches, as long as all wait") {
        TrainingOptions accumulating = options(8);
        accumulating.accumulation = 4;
        const auto sgd = optimizer::Sgd{.learning_rate = 0.05};
        CHECK(train(accumulating, sgd).values == train(accumulating, sgd, ReadsGradients{}).values);
        // More terms than are kept: some are computed before, by other means.
        accumulating.accumulation = 7;
        const Outcome waits = train(accumulating, sgd), direct = train(accumulating, sgd, ReadsGradients{});
        check_norms(waits, direct);
        for (std::size_t i = 0; i < waits.values.size(); i += 97)
            CHECK(waits.values[i] == doctest::Approx(direct.values[i]).epsilon(1e-4));
    }

    TEST_CASE("the features of a batch are not copied while they are the only terms") {
        ParameterStore<F> store;
        const ParameterId weight = store.add_matrix("weight", 130, 140, Initializer::zeros());
        store.plan();
        ThreadPool pool(1);
        Arena arena;
        Context<F> context{store, pool, arena};
        context.defers_gradients = true;
        AlignedVector<float> features(2 * 140, 3);
        const View<float> left = arena.matrix<float>(2, 130), elsewhere = arena.matrix<float>(2, 140);
        std::fill_n(left.data, left.size(), 1.0f);
        std::fill_n(elsewhere.data, elsewhere.size(), -1.0f);
        const View<const float> right(features.data(), 2, 140);
        const auto kept = [&] { return store.deferred().of(weight, store[weight]).right; };
        nn::add_product_gradient<F>(context, weight, left, right);
        CHECK(kept().data != features.data());
        store.clear_gradients();
        std::iota(features.begin(), features.end(), 10.0f);
        context.lasting = features;
        nn::add_product_gradient<F>(context, weight, left, right);
        CHECK(kept().data == features.data());
        nn::add_product_gradient<F>(context, weight, left, elsewhere);
        nn::add_product_gradient<F>(context, weight, left, right);
        REQUIRE(kept().rows == 6);
        for (std::size_t j = 0; j < 2 * 140; ++j) {
            CHECK(kept().data[j] == features[j]);
            CHECK(kept().data[2 * 140 + j] == -1);
            CHECK(kept().data[4 * 140 + j] == features[j]);
        }
        store.clear_gradients();
        nn::add_product_gradient<F>(context, weight, left, elsewhere);
        CHECK(kept().data != elsewhere.data);
        CHECK(kept()(1, 139) == -1);
    }

    TEST_CASE("with rehearsal, a penalty or an importance along the path too") {
        const auto sgd = optimizer::Sgd{.learning_rate = 0.05};
        const auto check = [&]<class P>(const P& policy) {
            CHECK(train(options(10), sgd, policy).values ==
                  train(options(10), sgd, forgetting::Both<P, ReadsGradients>{policy, {}}).values);
        };
        check(forgetting::Replay{.capacity = 20, .batch_size = 10});
        check(forgetting::OnlineEwc{.strength = 10});
        std::vector<float> waiting, direct;
        train(options(10), sgd, PathIntegral{&waiting});
        train(options(10), sgd, forgetting::Both<PathIntegral, ReadsGradients>{{&direct}, {}});
        CHECK(waiting == direct);
        CHECK(std::any_of(direct.begin(), direct.end(), [](float sum) { return sum > 0; }));
    }

    TEST_CASE("clipping by the norm of factors is clipping by the norm") {
        TrainingOptions clipped = options(10);
        clipped.max_gradient_norm = 0.5;
        const auto sgd = optimizer::Sgd{.learning_rate = 0.05};
        const Outcome waits = train(clipped, sgd), direct = train(clipped, sgd, ReadsGradients{});
        REQUIRE(*std::max_element(direct.norms.begin(), direct.norms.end()) > 0.5);
        check_norms(waits, direct);
        for (std::size_t i = 0; i < waits.values.size(); i += 97)
            CHECK(waits.values[i] == doctest::Approx(direct.values[i]).epsilon(1e-4));
    }

    TEST_CASE("the bits do not depend on the number of threads") {
        TrainingOptions clipped = options(10, 1);
        clipped.max_gradient_norm = 0.5;
        const Outcome one = train(clipped, optimizer::AdamW{});
        for (const std::size_t threads : {2u, 3u, 4u}) {
            clipped.threads = threads;
            CHECK(train(clipped, optimizer::AdamW{}) == one);
        }
    }

    TEST_CASE("the norm of factors is that of their product, also where their terms cancel") {
        ParameterStore<F> store;
        const ParameterId weight = store.add_matrix("weight", 130, 140, Initializer::zeros());
        store.add_vector("bias", 9, Initializer::zeros());
        store.plan();
        ThreadPool pool(1);
        Arena arena;
        Context<F> context{store, pool, arena};
        context.defers_gradients = true;
        Random random(5);
        for (const float remainder : {1.0f, 1e-1f, 1e-2f, 1e-3f, 0.0f}) {
            CAPTURE(remainder);
            const View<float> left = arena.matrix<float>(2, 130), right = arena.matrix<float>(2, 140);
            for (std::size_t i = 0; i < 130; ++i) {
                left(0, i) = float(random.normal());
                left(1, i) = -left(0, i);
            }
            for (std::size_t j = 0; j < 140; ++j) {
                right(0, j) = float(random.normal());
                right(1, j) = right(0, j) + remainder * float(random.normal());
            }
            double expected = 0;
            for (std::size_t i = 0; i < 130; ++i)
                for (std::size_t j = 0; j < 140; ++j) {
                    const double g = double(left(0, i)) * right(0, j) + double(left(1, i)) * right(1, j);
                    expected += g * g;
                }
            store.clear_gradients();
            nn::add_product_gradient(context, weight, left, right);
            REQUIRE(store.deferred().has(weight));
            CHECK(gradient_norm(context) == doctest::Approx(std::sqrt(expected)).epsilon(1e-4));
        }
    }

    TEST_CASE("nothing is left of the gradients of a step that ended in an error") {
        Perceptron model = wide_model();
        const Dataset data = small::vectors("data", 16, 300, 3, 1);
        Trainer trainer(model, optimizer::Sgd{.learning_rate = 0.05}, schedule::Constant{}, ThrowsAtSecondBatch{});
        TrainingOptions accumulating = options(8);
        accumulating.accumulation = 2;
        CHECK_THROWS_WITH_AS(trainer.fit(data, accumulating), "the second batch", Error);
        CHECK(model.parameters().deferred().ids().empty());
        const std::span<const float> gradients = std::as_const(model.parameters()).gradients();
        CHECK(std::all_of(gradients.begin(), gradients.end(), [](float g) { return g == 0; }));
    }

    TEST_CASE("a gradient that waits and is no number ends the run with the parameters as they were") {
        Perceptron model = wide_model();
        model.parameters().value(model.parameters().find("layers.1.weight"))(0, 0) =
            std::numeric_limits<float>::infinity();
        const AlignedVector<float> before = small::values_of(model);
        const Dataset data = small::vectors("data", 4, 300, 3, 1);
        Trainer trainer(model, optimizer::Sgd{.learning_rate = 1});
        std::string message;
        try {
            trainer.fit(data, options(4));
        } catch (const Error& error) {
            message = error.what();
        }
        CAPTURE(message);
        CHECK(message.find("the first bad gradient is that of 'layers.") != std::string::npos);
        CHECK(small::values_of(model) == before);
    }
}

}
