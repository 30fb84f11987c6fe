#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "didact/backend/cpu.hpp"

#include "didact/core/keep_trainable.hpp"
#include "didact/core/parameter_store.hpp"

namespace parameter_store_test {

using namespace didact;

namespace {

using Store = ParameterStore<Cpu<float>>;

}

TEST_SUITE("unit") {

    TEST_CASE("every slice begins on a cache line, and what lies between is zero") {
        Store store(1);
        const ParameterId a = store.add_matrix("a", 3, 5, Initializer::ones());
        const ParameterId b = store.add_vector("b", 17, Initializer::ones());
        const ParameterId c = store.add_matrix("c", 1, 1, Initializer::ones());
        CHECK(store.count() == 3);
        CHECK(store.total_parameters() == 15 + 17 + 1);
        for (const ParameterId id : {a, b, c})
            CHECK(reinterpret_cast<std::uintptr_t>(store.value(id).data) % memory_alignment == 0);
        CHECK(std::accumulate(store.values().begin(), store.values().end(), 0.0) == 33);
        CHECK(store.value(a).rows == 3);
        CHECK(store.value(a).cols == 5);
        CHECK(store[b].vector);
        CHECK(!store[b].decay);
        CHECK(store[a].decay);
        CHECK(store.find("b") == b);
        CHECK(store.find("none") == no_parameter);
    }

    TEST_CASE("two parameters of one name, or an empty one, are errors that name it") {
        Store store;
        store.add_matrix("w", 2, 2, Initializer::zeros());
        CHECK_THROWS_WITH_AS(store.add_vector("w", 3, Initializer::zeros()), "parameter 'w' is added twice", Error);
        CHECK_THROWS_WITH_AS(store.add_matrix("v", 0, 2, Initializer::zeros()), "parameter 'v' is empty", Error);
    }

    TEST_CASE("a parameter too large for memory is an error that names it, and the store stays as it is") {
        Store store;
        store.add_matrix("w", 2, 2, Initializer::ones());
        std::vector<std::pair<std::size_t, std::size_t>> shapes = {{std::size_t(1) << 40, std::size_t(1) << 30},
                                                                   {std::size_t(1) << 59, 16}};
#if !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) // AddressSanitizer, which clang has no macro for, would abort
        shapes.push_back({std::size_t(1) << 40, 1000});
        store.reserve(std::size_t(1) << 50);
#endif
        for (const auto& [rows, cols] : shapes) {
            const std::string shape = "(" + std::to_string(rows) + ", " + std::to_string(cols) + ")";
            CHECK_THROWS_WITH_AS(store.add_matrix("v", rows, cols, Initializer::zeros()),
                                 ("there is no memory for parameter 'v' of " + shape).c_str(), Error);
            CHECK(store.count() == 1);
            CHECK(store.find("v") == no_parameter);
            CHECK(store.value(0)(1, 1) == 1);
        }
        CHECK(store.add_matrix("v", 3, 3, Initializer::ones()) == 1);
    }

    TEST_CASE("initial values depend on the seed and the name, not on what else there is") {
        Store one(5), two(5), other(6);
        const ParameterId a = one.add_matrix("w", 20, 30, Initializer::normal(0.3));
        two.add_vector("before", 100, Initializer::uniform(1));
        const ParameterId b = two.add_matrix("w", 20, 30, Initializer::normal(0.3));
        const ParameterId c = other.add_matrix("w", 20, 30, Initializer::normal(0.3));
        const ParameterId d = one.add_matrix("x", 20, 30, Initializer::normal(0.3));
        const auto list = [](Store& store, ParameterId id) {
            const View<float> v = store.value(id);
            return std::vector<float>(v.data, v.data + v.size());
        };
        CHECK(list(one, a) == list(two, b));
        CHECK(list(one, a) != list(other, c));
        CHECK(list(one, a) != list(one, d));
        double squares = 0;
        for (const float w : list(one, a)) squares += double(w) * w;
        CHECK(std::sqrt(squares / 600) == doctest::Approx(0.3).epsilon(0.1));
        const View<float> u = two.value(0);
        for (std::size_t i = 0; i < 100; ++i) CHECK(std::abs(u.data[i]) <= 1);
    }

    TEST_CASE("gradients exist for what trains, one after another, and are zero after each plan") {
        Store store;
        const ParameterId a = store.add_matrix("a", 3, 5, Initializer::ones());
        const ParameterId b = store.add_matrix("b", 4, 8, Initializer::ones());
        const ParameterId c = store.add_vector("c", 7, Initializer::ones());
        CHECK(!store.planned());
        store.plan();
        CHECK(store.planned());
        CHECK(store.gradients().size() == 16 + 32 + 16);
        store.gradient(b)(0, 0) = 3;
        store.set_trainable(b, false);
        CHECK(!store.planned());
        const TrainableLayout before = store.plan();
        CHECK(before.size == 64);
        CHECK(store.gradients().size() == 32);
        CHECK(store.gradient(b).empty());
        CHECK(store.trains(a));
        CHECK(!store.trains(b));
        CHECK(!store.trains(no_parameter));
        CHECK(store.trainable_parameters() == 15 + 7);
        CHECK(store.layout().slices.size() == 2);
        CHECK(store[c].trainable_offset == 16);
        for (const float g : store.gradients()) CHECK(g == 0);
    }

    TEST_CASE("segments join neighbours that are updated alike, and only those") {
        Store store;
        store.add_matrix("w0", 4, 4, Initializer::ones());
        store.add_matrix("w1", 4, 4, Initializer::ones());
        store.add_vector("b1", 4, Initializer::ones()); // no decay
        const ParameterId frozen = store.add_matrix("w2", 4, 4, Initializer::ones());
        const ParameterId slow = store.add_matrix("w3", 4, 4, Initializer::ones());
        store.add_matrix("w4", 4, 4, Initializer::ones());
        store.set_trainable(frozen, false);
        store.set_trainable(slow, true, 0.5f);
        store.plan();
        const auto segments = store.segments();
        REQUIRE(segments.size() == 4);
        CHECK(segments[0].size == 32);
        CHECK(segments[0].decay);
        CHECK(segments[1].size == 16);
        CHECK(!segments[1].decay);
        CHECK(segments[2].learning_rate_multiple == 0.5f);
        CHECK(segments[2].offset == 64);           // after the frozen one in the values,
        CHECK(segments[2].trainable_offset == 48); // next to the bias in the gradients
        CHECK(segments[3].learning_rate_multiple == 1.0f);
    }

    TEST_CASE("what may write values makes another version of them, an update only of those that train") {
        Store store(1);
        const ParameterId trains = store.add_matrix("trains", 2, 2, Initializer::ones());
        const ParameterId frozen = store.add_matrix("frozen", 2, 2, Initializer::ones());
        store.set_trainable(frozen, false);
        store.plan();
        const auto changes = [&](const auto& act) {
            const ValueVersion before[] = {store.version(trains), store.version(frozen)};
            act();
            return std::pair(store.version(trains) != before[0], store.version(frozen) != before[1]);
        };
        const std::pair both(true, true), none(false, false), first(true, false);
        AlignedVector<float> other(store.snapshot());
        CHECK(changes([&] { store.value(trains)(0, 0) = 2; }) == both);
        CHECK(changes([&] { store.values()[0] = 3; }) == both);
        CHECK(changes([&] { store.swap_values(other); }) == both);
        CHECK(changes([&] { store.set_trainable(frozen, false); }) == both);
        CHECK(changes([&] { store.values(store.segments()[0])[0] = 3; }) == both); // not planned
        store.plan();
        CHECK(changes([&] { store.values(store.segments()[0])[0] = 3; }) == first);
        CHECK(changes([&] { CHECK(std::as_const(store).value(trains)(0, 0) == 3); }) == none);
        CHECK(changes([&] { CHECK(std::as_const(store).values()[0] == 3); }) == none);
        CHECK(changes([&] { store.gradient(trains)(0, 0) = 3; }) == none);
    }

    TEST_CASE("what is made of values is made again only when they are another version") {
        DerivedValues derived;
        std::size_t made = 0;
        const auto get = [&](ParameterId id, std::size_t form, const ValueVersion& version, std::size_t bytes) {
            return derived.get(id, form, version, bytes, [&](std::byte* data) { data[bytes - 1] = std::byte(++made); });
        };
        const ValueVersion one{1, 0, 0}, two{1, 0, 1};
        CHECK(derived.find(3, 0, one) == nullptr);
        CHECK(get(3, 0, one, 100)[99] == std::byte(1));
        CHECK(get(3, 1, one, 80)[79] == std::byte(2));
        CHECK(get(3, 0, one, 100)[99] == std::byte(1));
        CHECK(get(7, 0, one, 9)[8] == std::byte(3));
        CHECK(get(3, 0, two, 100)[99] == std::byte(4));
        CHECK(derived.find(3, 0, two)[99] == std::byte(4));
        CHECK(derived.find(3, 1, one)[79] == std::byte(2));
        CHECK(derived.find(3, 0, one) == nullptr); // and what was kept of the other version is gone
        CHECK(derived.find(3, 0, two) == nullptr);
        CHECK_THROWS(derived.get(3, 1, two, 80, [](std::byte*) { fail("no memory"); }));
        CHECK(derived.find(3, 1, one) == nullptr);
        CHECK(derived.find(3, 1, two) == nullptr);
        CHECK(derived.find(7, 0, one)[8] == std::byte(3));
        derived.clear();
        CHECK(derived.find(7, 0, one) == nullptr);
    }

    TEST_CASE("what is laid out as the gradients follows its parameters from one layout to the next") {
        Store store;
        const ParameterId a = store.add_matrix("a", 2, 8, Initializer::ones());
        const ParameterId b = store.add_matrix("b", 2, 8, Initializer::ones());
        const ParameterId c = store.add_matrix("c", 2, 8, Initializer::ones());
        store.set_trainable(a, false);
        store.plan();
        AlignedVector<float> moments(store.layout().size);
        std::iota(moments.begin(), moments.end(), 1.f); // b: 1 to 16, c: 17 to 32
        store.set_trainable(a, true);
        store.set_trainable(b, false);
        const TrainableLayout before = store.plan();
        const AlignedVector<float> now = store.layout().carry_over(before, moments);
        REQUIRE(now.size() == 32);
        for (std::size_t i = 0; i < 16; ++i) {
            CHECK(now[store[a].trainable_offset + i] == 0);
            CHECK(now[store[c].trainable_offset + i] == float(17 + i));
        }
        CHECK(store.layout().carry_over(before, AlignedVector<float>()) == AlignedVector<float>(32, 0.f));
    }

    TEST_CASE("cleared gradients are zero to whoever reads them, and the next to be computed takes their place") {
        Store store;
        const ParameterId a = store.add_matrix("a", 2, 8, Initializer::ones());
        const ParameterId b = store.add_matrix("b", 2, 8, Initializer::ones());
        const ParameterId c = store.add_matrix("c", 2, 8, Initializer::ones());
        const ParameterId frozen = store.add_matrix("frozen", 2, 8, Initializer::ones());
        store.set_trainable(frozen, false);
        store.plan();
        CHECK(!store.gradient_target(a).accumulate); // a plan clears
        std::ranges::fill(store.gradients(), 5.f);
        CHECK(store.gradient_target(a).accumulate);

        store.clear_gradients();
        const auto [first, accumulate] = store.gradient_target(a);
        CHECK(!accumulate);
        std::fill_n(first.data, first.size(), 1.f);
        CHECK(store.gradient_target(a).accumulate);
        store.gradient(b)(0, 0) += 2;
        CHECK(store.gradient_target(frozen).view.empty());
        const std::span<const float> all = std::as_const(store).gradients();
        REQUIRE(all.size() == 48);
        for (std::size_t i = 0; i < 16; ++i) {
            CHECK(all[store[a].trainable_offset + i] == 1);
            CHECK(all[store[b].trainable_offset + i] == (i == 0 ? 2 : 0));
            CHECK(all[store[c].trainable_offset + i] == 0);
        }
        CHECK(store.gradient_target(c).accumulate); // it was made zero

        store.clear_gradients();
        AlignedVector<float> other(48, 3.f);
        store.redirect_gradients(other);
        CHECK(store.gradient_target(a).accumulate); // what gradients are redirected to is added to
        CHECK(store.gradient(a)(0, 0) == 3);
        store.redirect_gradients({});
        CHECK(!store.gradient_target(a).accumulate);
        store.set_trainable(c, false);
        store.plan();
        for (const float g : store.gradients()) CHECK(g == 0);
    }

    TEST_CASE("gradients can go elsewhere for a while") {
        Store store;
        const ParameterId a = store.add_matrix("a", 2, 8, Initializer::ones());
        store.plan();
        AlignedVector<float> other(16, 0.f), wrong(15, 0.f);
        store.redirect_gradients(other);
        store.gradient(a)(1, 7) = 2;
        store.redirect_gradients({});
        store.gradient(a)(0, 0) = 1;
        CHECK(other[15] == 2);
        CHECK(other[0] == 0);
        CHECK(store.gradients()[0] == 1);
        CHECK(store.gradients()[15] == 0);
        CHECK_THROWS_WITH_AS(store.redirect_gradients(wrong),
                             "gradients are redirected to 15 elements, the trainable parameters have 16", Error);
    }

    TEST_CASE("values of another model stand in and go back") {
        Store store;
        const ParameterId a = store.add_matrix("a", 2, 8, Initializer::ones());
        AlignedVector<float> other(16, 4.f), wrong(3, 0.f);
        store.swap_values(other);
        CHECK(store.value(a)(0, 0) == 4);
        CHECK(other[0] == 1);
        store.swap_values(other);
        CHECK(store.value(a)(0, 0) == 1);
        CHECK_THROWS_WITH_AS(store.swap_values(wrong), "values of 3 elements cannot stand in for 16", Error);
    }

    TEST_CASE("what trains is as it was when the guard ends") {
        Store store;
        const ParameterId a = store.add_matrix("a", 2, 8, Initializer::ones());
        const ParameterId b = store.add_matrix("b", 2, 8, Initializer::ones());
        store.set_trainable(b, true, 0.25f);
        const std::uint64_t revision = store.revision();
        {
            const KeepTrainable<Cpu<float>> keep(store);
            store.set_trainable(a, false);
            store.set_trainable(b, false);
            store.add_vector("later", 3, Initializer::zeros());
        }
        CHECK(store[a].trainable);
        CHECK(store[b].trainable);
        CHECK(store[b].learning_rate_multiple == 0.25f);
        CHECK(store[2].trainable);
        CHECK(store.revision() > revision);
        CHECK(store.description() == "a (2, 8)\nb (2, 8)\nlater (1, 3)\n");
    }
}

}
