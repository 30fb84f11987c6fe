#include <doctest/doctest.h>

#include "didact/eval/span.hpp"

namespace span_test {

using namespace didact;
using namespace didact::eval;
using doctest::Approx;

namespace {

using Texts = std::vector<std::string>;

}

TEST_SUITE("unit") {
    TEST_CASE("normalized answer: lower case, no punctuation, no articles, split at white space") {
        CHECK(normalized_answer("The  Cat, (sat).") == Texts{"cat", "sat"});
        CHECK(normalized_answer("U.S.") == Texts{"us"});
        CHECK(normalized_answer("an apple a day the") == Texts{"apple", "day"});
        CHECK(normalized_answer("theory of ants") == Texts{"theory", "of", "ants"});
        CHECK(normalized_answer("the/a x_y") == Texts{"thea", "xy"});
        CHECK(normalized_answer("\u00a0Two\u2003words ") == Texts{"two", "words"});
        CHECK(normalized_answer("").empty());
        CHECK(normalized_answer("the -- a").empty());
    }

    TEST_CASE("normalized answer: an article between symbols that are no ASCII punctuation is one") {
        CHECK(normalized_answer("x–a–y") == Texts{"x–", "–y"});
    }

    TEST_CASE("normalized answer: bytes that are no UTF-8 stay as they are") {
        CHECK(normalized_answer("\xff\xc3 x") == Texts{"\xff\xc3", "x"});
        CHECK(normalized_answer("x\xe2\x80") == Texts{"x\xe2\x80"});
    }

    TEST_CASE("answer F1: words that both have, as often as both have them") {
        CHECK(exact_match("the cat", "Cat!") == 1);
        CHECK(exact_match("cat sat", "sat cat") == 0);
        CHECK(answer_f1("cat sat", "sat cat") == 1);
        // Common: 2 of 3 predicted, 2 of 4 gold.
        CHECK(answer_f1("cat cat dog", "cat cat mouse bird") == Approx(4.0 / 7));
        CHECK(answer_f1("cat cat", "cat") == Approx(2.0 / 3));
        CHECK(answer_f1("cat", "dog") == 0);
        CHECK(answer_f1("", "") == 1);
        CHECK(answer_f1("", "dog") == 0);
    }

    TEST_CASE("answer scores: the best gold answer counts, exact match and F1 each by itself") {
        AnswerScores scores;
        scores.add("red car", Texts{"blue car", "a red car in town"});
        CHECK(scores.all().exact_match == 0);
        CHECK(scores.all().f1 == Approx(2 * 2.0 / 6));
        scores.add("The red car", Texts{"x", "red car"});
        CHECK(scores.all().exact_match == Approx(0.5));
        CHECK(scores.all().count == 2);
    }

    TEST_CASE("answer scores: a question without answers wants the empty text") {
        AnswerScores scores;
        scores.add("", Texts{});
        scores.add("car", Texts{});
        scores.add("", Texts{"the"});
        scores.add("", Texts{"car"});
        CHECK(scores.without_answer().count == 3);
        CHECK(scores.without_answer().exact_match == Approx(2.0 / 3));
        CHECK(scores.with_answer().f1 == 0);
        CHECK(scores.all().f1 == Approx(0.5));
        CHECK(AnswerScores().all().exact_match == 0);
    }
}

}
