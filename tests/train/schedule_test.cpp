#include <doctest/doctest.h>

#include "../model/small_models.hpp"

namespace schedule_test {

using namespace didact;

TEST_SUITE("unit") {

    TEST_CASE("a constant schedule rises over its warm-up and stays at 1") {
        const schedule::Constant constant{.warmup = 0.25};
        CHECK(constant.factor(0, 16) == 0);
        CHECK(constant.factor(1, 16) == 0.25);
        CHECK(constant.factor(3, 16) == 0.75);
        CHECK(constant.factor(4, 16) == 1);
        CHECK(constant.factor(15, 16) == 1);
        CHECK(schedule::Constant{}.factor(0, 16) == 1);
    }

    TEST_CASE("a linear schedule falls from its peak to zero") {
        const schedule::Linear linear{.warmup = 0.2}; // 10 steps, 2 of them rise
        CHECK(linear.factor(0, 10) == 0);
        CHECK(linear.factor(1, 10) == 0.5);
        CHECK(linear.factor(2, 10) == 1);
        CHECK(linear.factor(6, 10) == 0.5);
        CHECK(linear.factor(9, 10) == 0.125);
        CHECK(linear.factor(10, 10) == 0);
        CHECK(linear.factor(11, 10) == 0);
        CHECK(schedule::Linear{.warmup = 0}.factor(0, 4) == 1);
        CHECK(schedule::Linear{.warmup = 0}.factor(3, 4) == 0.25);
        CHECK(schedule::Linear{.warmup = 0.1}.factor(0, 9) == 1); // a tenth of nine steps is none
        CHECK(schedule::Linear{.warmup = 1}.factor(3, 4) == 0.75);
    }

    TEST_CASE("a cosine schedule falls as half a cosine to its floor") {
        const schedule::Cosine cosine{.warmup = 0.2, .floor = 0.1}; // rise 2 of 10, then cos over 8
        CHECK(cosine.factor(1, 10) == 0.5);
        CHECK(cosine.factor(2, 10) == doctest::Approx(1));
        CHECK(cosine.factor(4, 10) == doctest::Approx(0.1 + 0.9 * 0.5 * (1 + std::sqrt(0.5))));
        CHECK(cosine.factor(6, 10) == doctest::Approx(0.55));
        CHECK(cosine.factor(10, 10) == doctest::Approx(0.1));
        CHECK(cosine.factor(12, 10) == doctest::Approx(0.1));
    }

    TEST_CASE("a slanted triangle rises from 1/ratio to 1 at its cut and falls back") {
        const schedule::SlantedTriangular slanted{.cut_fraction = 0.1, .ratio = 32}; // of 100 steps the cut is 10
        CHECK(slanted.factor(0, 100) == doctest::Approx(1 / 32.0));
        CHECK(slanted.factor(5, 100) == doctest::Approx((1 + 0.5 * 31) / 32));
        CHECK(slanted.factor(10, 100) == doctest::Approx(1));
        CHECK(slanted.factor(55, 100) == doctest::Approx((1 + 0.5 * 31) / 32)); // 45 of the 90 steps down
        CHECK(slanted.factor(100, 100) == doctest::Approx(1 / 32.0));
    }

    TEST_CASE("a trainer multiplies its rate by the schedule's factor of each step") {
        small::MlpModel<Cpu<float>> model(small::mlp_config());
        model.add_head({.num_labels = 3});
        Trainer trainer(model, optimizer::Sgd{.learning_rate = 0.3}, schedule::Linear{.warmup = 0.25});
        struct {
            std::vector<double> rates;
            void step(const report::StepReport& report) { rates.push_back(report.learning_rate); }
        } seen;
        // Two experiences, each with a schedule of its own.
        const TaskData data{.train = small::vectors("train", 16, 5, 3, 1)};
        trainer.fit(Stream{{.name = "one", .tasks = {data}}, {.name = "two", .tasks = {data}}},
                    {.epochs = 2, .batch_size = 4, .threads = 1}, seen);
        REQUIRE(seen.rates.size() == 16);
        for (std::size_t k = 0; k < 16; ++k)
            CHECK(seen.rates[k] == doctest::Approx(0.3 * (k % 8 < 2 ? double(k % 8) / 2 : double(8 - k % 8) / 6)));
    }
}

}
