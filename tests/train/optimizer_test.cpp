#include <doctest/doctest.h>

#include "../model/small_models.hpp"

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
