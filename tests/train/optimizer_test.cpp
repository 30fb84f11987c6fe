#include <doctest/doctest.h>

#include "../model/small_models.hpp"

namespace optimizer_test {

using namespace didact;

namespace {

using M = small::MlpModel<Cpu<double>>;

/// A model and the moments of one AdamW, for steps whose gradients are all 0.3.
struct Setting {
    static constexpr double rate = 0.01;
    M model{small::mlp_config(), 3};
    ParameterStore<Cpu<double>>& store = model.parameters();
    ThreadPool pool{2};
    Arena arena;
    optimizer::AdamW::State<double> adamw{optimizer::AdamW{.weight_decay = 0}};

    void train(ParameterId id, bool trains) {
        store.set_trainable(id, trains);
        const TrainableLayout before = store.plan();
        adamw.layout_changed(before, store.layout());
    }

    /// How far each parameter's first element moves in `steps` steps, in learning rates.
    std::vector<double> moves(std::size_t steps) {
        const auto before = small::values_of(model);
        for (std::size_t i = 0; i < steps; ++i) {
            std::fill(store.gradients().begin(), store.gradients().end(), 0.3);
            Context<Cpu<double>> context{store, pool, arena};
            adamw.step_begins();
            const None<Family::freeze>::State<M> freeze({}, model);
            None<Family::forgetting>::State<M> forgetting({}, model);
            update_parameters<M>(context, rate, 1, adamw, freeze, forgetting);
        }
        std::vector<double> result;
        for (const Parameter& p : store.parameters())
            result.push_back((before[p.offset] - store.values()[p.offset]) / rate);
        return result;
    }
};

}

TEST_SUITE("property") {
    TEST_CASE("AdamW counts the steps of each parameter, so that one thawed late moves like one of a fresh run") {
        Setting setting;
        const std::size_t last = setting.store.count() - 1;
        for (const ParameterId late : {ParameterId(0), ParameterId(1), ParameterId(last)}) {
            CAPTURE(late);
            Setting one;
            one.train(late, false);
            // With one slope for ever both moments are that of the slope, and a step is one learning rate long.
            for (const double move : one.moves(1000)) CHECK((move == 0 || move == doctest::Approx(1000).epsilon(1e-6)));
            one.train(late, true);
            for (const double move : one.moves(5)) CHECK(move == doctest::Approx(5).epsilon(1e-6));
            // Frozen for a while and thawed again, it begins anew, as its moments do.
            one.train(late, false);
            CHECK(one.moves(3)[late] == 0);
            one.train(late, true);
            CHECK(one.moves(1)[late] == doctest::Approx(1).epsilon(1e-6));
        }
    }

    TEST_CASE("AdamW counts only the steps that a parameter took part in") {
        optimizer::AdamW::State<double> state({.learning_rate = 1});
        TrainableLayout layout{.slices = {{0, 0, 8}, {1, 8, 8}, {2, 16, 8}}, .size = 24};
        state.layout_changed({}, layout);
        const auto steps = [&](std::size_t element) {
            const double step_size = state.rule(1, false, element).step_size; // 1 / (1 - 0.9^t)
            return int(std::lround(std::log(1 - 1 / step_size) / std::log(0.9)));
        };
        for (int step = 0; step < 5; ++step) {
            state.step_begins();
            if (step > 1) state.skip(8, 8);
        }
        CHECK(steps(0) == 5);
        CHECK(steps(8) == 2);
        CHECK(steps(15) == 2);
        CHECK(steps(16) == 5);
        CHECK(state.one_rule_until(0) == 8);
        CHECK(state.one_rule_until(8) == 16);
        state.layout_changed(layout, {.slices = {{1, 0, 8}, {2, 8, 8}}, .size = 16});
        CHECK(steps(0) == 2);
        CHECK(steps(8) == 5);
    }

    TEST_CASE("hyper-parameters that cannot work are refused, each by its name") {
        const auto refused = [](const auto& policy) {
            small::MlpModel<Cpu<float>> model(small::mlp_config(), 3);
            model.add_head({.num_labels = 3});
            try {
                Trainer trainer(model, policy);
            } catch (const Error& error) {
                return std::string(error.what());
            }
            return std::string("taken");
        };
        using optimizer::AdamW, optimizer::Sgd;
        CHECK(refused(AdamW{.learning_rate = -1}) == "AdamW: learning_rate is -1, it must be finite and not negative");
        CHECK(refused(AdamW{.learning_rate = std::nan("")}) ==
              "AdamW: learning_rate is nan, it must be finite and not negative");
        CHECK(refused(AdamW{.learning_rate = HUGE_VAL}) ==
              "AdamW: learning_rate is inf, it must be finite and not negative");
        CHECK(refused(AdamW{.beta1 = 1}) == "AdamW: beta1 is 1, it must lie in [0, 1)");
        CHECK(refused(AdamW{.beta2 = 1.5}) == "AdamW: beta2 is 1.5, it must lie in [0, 1)");
        CHECK(refused(AdamW{.epsilon = 0}) == "AdamW: epsilon is 0, it must be above 0");
        CHECK(refused(AdamW{.weight_decay = -0.1}) ==
              "AdamW: weight_decay is -0.1, it must be finite and not negative");
        CHECK(refused(Sgd{.momentum = 1}) == "Sgd: momentum is 1, it must lie in [0, 1)");
        CHECK(refused(Sgd{.nesterov = true}) == "Sgd: nesterov needs a momentum above 0");
        CHECK(refused(schedule::Linear{.warmup = 1.5}) ==
              "schedule::Linear: warmup is 1.5, it is the part of the steps that rise, in [0, 1]");
        CHECK(refused(schedule::Cosine{.floor = 2}) == "schedule::Cosine: floor is 2, it must lie in [0, 1]");
        CHECK(refused(schedule::SlantedTriangular{.cut_fraction = 0}) ==
              "schedule::SlantedTriangular: cut_fraction is 0, it must lie in (0, 1)");
        CHECK(refused(freeze::L2Sp{.alpha = -1}) == "freeze::L2Sp: alpha is -1, it must be finite and not negative");
        CHECK(refused(forgetting::LearningWithoutForgetting{.strength = -1}) ==
              "forgetting::LearningWithoutForgetting: strength is -1, it must be finite and not negative");
        CHECK(refused(sharing::UncertaintyWeighting{.learning_rate = -1}) ==
              "sharing::UncertaintyWeighting: learning_rate is -1, it must be finite and not negative");
    }

    TEST_CASE("AdamW's step counts come back from an archive, and a reset forgets them") {
        Setting one, two;
        one.train(1, false);
        two.train(1, false);
        one.moves(7);
        one.train(1, true);
        one.moves(2);
        Archive out;
        out("adamw", one.adamw);
        two.train(1, true);
        Archive in(std::string(out.bytes()), "archive");
        in("adamw", two.adamw);
        const std::vector<double> moves_of_one = one.moves(3), moves_of_two = two.moves(3);
        for (std::size_t i = 0; i < moves_of_one.size(); ++i)
            CHECK(moves_of_two[i] == doctest::Approx(moves_of_one[i]).epsilon(1e-9));
        one.adamw.reset();
        for (const double move : one.moves(1)) CHECK(move == doctest::Approx(1).epsilon(1e-6));
    }
}

}
