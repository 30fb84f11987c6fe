#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "small_models.hpp"

namespace bf16_test {

using namespace didact;

namespace {

const Dataset train = small::sentences("train", 64, 3, 5);

template <class T>
auto make_model() {
    TransformerConfig config = small::config();
    config.hidden_size = 32;
    config.intermediate_size = 64;
    small::BertModel<Cpu<T>> model(config, 3);
    model.add_head({.num_labels = 3});
    return model;
}

/// The loss of each step.
struct Losses {
    std::vector<double> all;
    void step(const report::StepReport& report) { all.push_back(report.loss); }
};

template <class T>
Losses trained(std::size_t threads) {
    auto model = make_model<T>();
    Trainer trainer(model, optimizer::AdamW{.learning_rate = 3e-3}, schedule::Constant{});
    Losses losses;
    trainer.fit(train, {.epochs = 12, .batch_size = 32, .seed = 1, .threads = threads}, losses);
    return losses;
}

/// The cosine of the angle between two gradients, parameter by parameter the least.
template <class Store>
double least_cosine(const Store& store, const auto& a, const auto& b) {
    double least = 1;
    for (const TrainableLayout::Slice& slice : store.layout().slices) {
        double ab = 0, aa = 0, bb = 0;
        for (std::size_t i = slice.offset; i < slice.offset + slice.size; ++i) {
            ab += double(a[i]) * double(b[i]);
            aa += double(a[i]) * double(a[i]);
            bb += double(b[i]) * double(b[i]);
        }
        // A key's bias shifts all scores of a row alike, so its gradient is rounding error only.
        if (aa > 1e-10) least = std::min(least, ab / std::sqrt(aa * bb));
    }
    return least;
}

}

TEST_SUITE("unit") {

    TEST_CASE("a model with products of bf16 keeps floats, and its gradients are those of floats but for rounding") {
        auto exact = make_model<float>();
        auto rounded = make_model<bf16>();
        static_assert(std::is_same_v<decltype(rounded)::S, float>);
        CHECK(exact.parameters().snapshot() == rounded.parameters().snapshot());
        Engine a(exact, 2);
        Engine b(rounded, 2);
        const Batch batch = small::batch_of(train);
        const auto of_floats = small::mean_gradient(a, batch), of_bf16 = small::mean_gradient(b, batch);
        CHECK(!(of_floats == of_bf16));
        CHECK(least_cosine(exact.parameters(), of_floats, of_bf16) > 0.999);
    }

    TEST_CASE("training with products of bf16 follows training with floats, with the same bits for any threads") {
        const std::vector<double> exact = trained<float>(2).all, rounded = trained<bf16>(2).all;
        REQUIRE(exact.size() == rounded.size());
        CHECK(exact != rounded);
        CHECK(rounded.back() < 0.7 * rounded.front());
        for (std::size_t i = 0; i < exact.size(); ++i) {
            CAPTURE(i);
            CHECK(rounded[i] == doctest::Approx(exact[i]).epsilon(0.05));
        }
        CHECK(trained<bf16>(1).all == rounded);
        CHECK(trained<bf16>(3).all == rounded);
    }

    TEST_CASE("a run with products of bf16 goes on from its own checkpoints, and not from those of floats") {
        const TrainingOptions options{.epochs = 2, .batch_size = 32, .seed = 1, .threads = 1};
        const auto run = [&]<class T>(T, std::string& checkpoint, std::size_t stop_after) {
            auto model = make_model<T>();
            Trainer trainer(model);
            if (!checkpoint.empty()) {
                Archive archive(checkpoint, "a checkpoint");
                trainer.serialize(archive);
            }
            TrainingOptions stopping = options;
            stopping.stop = [&] { return trainer.moment().step_of_run == stop_after; };
            trainer.fit(train, stopping);
            Archive archive;
            trainer.serialize(archive);
            checkpoint = archive.bytes();
            return model.parameters().snapshot();
        };
        std::string none, first, of_floats;
        const auto whole = run(bf16(), none, 0);
        run(bf16(), first, 3);
        CHECK(run(bf16(), first, 0) == whole);
        run(float(), of_floats, 3);
        CHECK_THROWS_WITH_AS(run(bf16(), of_floats, 0),
                             "a checkpoint: it is of a run with backend cpu-float32 and this one has backend "
                             "cpu-bfloat16",
                             Error);
    }

    TEST_CASE("engines in threads of their own evaluate one model at once, with the bits of each alone") {
        auto model = make_model<bf16>();
        model.parameters().plan();
        const Batch batch = small::batch_of(train);
        const double alone = Engine(model, 1).mean_loss(batch);
        std::atomic<int> others = 0;
        for (int round = 0; round < 20; ++round) {
            model.parameters().plan(); // what is made of weights is made again
            std::vector<std::thread> threads;
            for (int t = 0; t < 4; ++t)
                threads.emplace_back([&] { others += Engine(model, 1).mean_loss(batch) != alone; });
            for (std::thread& thread : threads) thread.join();
        }
        CHECK(others == 0);
    }
}

}
