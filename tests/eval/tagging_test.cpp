#include <doctest/doctest.h>

#include "didact/eval/tagging.hpp"

namespace tagging_test {

using namespace didact;
using namespace didact::eval;
using doctest::Approx;

namespace {

using Tags = std::vector<std::string>;
using Entities = std::vector<Entity>;

}

TEST_SUITE("unit") {
    TEST_CASE("entities: B- begins, I- of the same type continues, O ends") {
        CHECK(entities(Tags{"B-PER", "I-PER", "O", "B-LOC"}) == Entities{{"PER", 0, 2}, {"LOC", 3, 4}});
        CHECK(entities(Tags{"B-PER", "B-PER", "I-PER"}) == Entities{{"PER", 0, 1}, {"PER", 1, 3}});
        CHECK(entities(Tags{"O", "O"}).empty());
        CHECK(entities(Tags{}).empty());
    }

    TEST_CASE("entities: I- begins a mention after O, at the start and after another type") {
        CHECK(entities(Tags{"I-PER", "O", "I-LOC", "I-LOC"}) == Entities{{"PER", 0, 1}, {"LOC", 2, 4}});
        CHECK(entities(Tags{"B-PER", "I-LOC", "I-LOC"}) == Entities{{"PER", 0, 1}, {"LOC", 1, 3}});
        CHECK(entities(Tags{"I-PER", "I-LOC"}) == Entities{{"PER", 0, 1}, {"LOC", 1, 2}});
    }

    TEST_CASE("entities: E- and S- end a mention at once") {
        CHECK(entities(Tags{"S-LOC", "I-LOC", "E-LOC", "E-LOC"}) ==
              Entities{{"LOC", 0, 1}, {"LOC", 1, 3}, {"LOC", 3, 4}});
    }

    TEST_CASE("entities: types may hold hyphens or be absent") {
        CHECK(entities(Tags{"B-BRAND-NEW", "I-BRAND-NEW", "B", "I"}) == Entities{{"BRAND-NEW", 0, 2}, {"_", 2, 4}});
    }

    TEST_CASE("entities: what is no tag is an error that shows it") {
        CHECK_THROWS_WITH_AS(entities(Tags{"LABEL_0"}),
                             "tag 'LABEL_0': expected O, or B, I, E or S followed by '-' and a type", Error);
        CHECK_THROWS_AS(entities(Tags{""}), Error);
        CHECK_THROWS_AS(entities(Tags{"BPER"}), Error);
    }

    TEST_CASE("entity scores: a mention counts where type and both ends are right") {
        EntityScores scores;
        // Right: PER. Wrong end: MISC. Wrong type: LOC for ORG.
        scores.add(Tags{"B-PER", "I-PER", "O", "B-MISC", "O", "B-LOC"},
                   Tags{"B-PER", "I-PER", "O", "B-MISC", "I-MISC", "B-ORG"});
        scores.add(Tags{"O", "B-PER"}, Tags{"B-PER", "O"});
        const ClassScores micro = scores.micro();
        CHECK(micro.support == 4);
        CHECK(micro.predicted == 4);
        CHECK(micro.true_positives == 1);
        CHECK(scores.f1() == Approx(0.25));
        REQUIRE(scores.types().size() == 4);
        CHECK(scores.types().at("PER").f1() == Approx(0.5));
        CHECK(scores.types().at("LOC").support == 0);
        CHECK(scores.types().at("ORG").recall() == 0);
        CHECK(scores.macro_f1() == Approx(0.5 / 4));
        CHECK(scores.weighted_f1() == Approx(0.5 * 2 / 4));
    }

    TEST_CASE("entity scores: no mention spans two sentences") {
        const std::vector<Tags> gold = {{"O", "B-PER"}, {"I-PER", "O"}};
        CHECK(entity_f1(gold, gold) == 1);
        EntityScores scores;
        scores.add(gold[0], gold[0]);
        scores.add(gold[1], gold[1]);
        CHECK(scores.micro().support == 2);
    }

    TEST_CASE("entity scores: labels below 0 are left out") {
        const Tags names = {"O", "B-X", "I-X"};
        const std::vector<std::int32_t> gold = {-100, 1, -100, 2, 0, -100}, predicted = {2, 1, 0, 2, 0, 1};
        EntityScores scores;
        scores.add(predicted, gold, names);
        CHECK(scores.micro().support == 1);
        CHECK(scores.f1() == 1);
        CHECK_THROWS_AS(scores.add(std::vector<std::int32_t>{3}, std::vector<std::int32_t>{0}, names), Error);
        CHECK_THROWS_AS(scores.add(Tags{"O"}, Tags{"O", "O"}), Error);
    }

    TEST_CASE("entity scores: without any mention all scores are 0") {
        EntityScores scores;
        scores.add(Tags{"O"}, Tags{"O"});
        CHECK(scores.f1() == 0);
        CHECK(scores.macro_f1() == 0);
        CHECK(scores.weighted_f1() == 0);
    }
}

}
