#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "didact/data/squad.hpp"

#include "../io/scratch.hpp"

namespace squad_test {

using namespace didact;

namespace {

/// A file with one paragraph about `context` and these questions.
std::string file_of(const std::vector<nlohmann::json>& questions,
                    const std::string& context = "caf\u00e9 \U0001F600 in Paris") {
    return nlohmann::json{{"version", "2.0"},
                          {"data", {{{"title", "t"}, {"paragraphs", {{{"context", context}, {"qas", questions}}}}}}}}
        .dump();
}

nlohmann::json question(const std::string& text, int start) {
    return {{"id", "q1"}, {"question", "Where?"}, {"answers", {{{"text", text}, {"answer_start", start}}}}};
}

std::string said(const std::vector<nlohmann::json>& questions) {
    return error_of([&] { parse_squad(file_of(questions), "dev.json"); });
}

}

TEST_SUITE("unit") {

    TEST_CASE("answers begin at code points in the file and at bytes in what is read") {
        const Squad squad = parse_squad(file_of({question("Paris", 10)}), "dev.json");
        REQUIRE(squad.questions.size() == 1);
        const SquadQuestion& q = squad.questions[0];
        CHECK(q.id == "q1");
        CHECK(q.question == "Where?");
        REQUIRE(q.answers.size() == 1);
        CHECK(q.answers[0].character == 10);
        CHECK(q.answers[0].begin == 14); // one character of two bytes and one of four stand before
        CHECK(q.answers[0].end == 19);
        CHECK(squad.contexts[q.context].substr(14, 5) == "Paris");
        CHECK(parse_squad(file_of({question("\U0001F600", 5)}), "x").questions[0].answers[0].end == 10);
    }

    TEST_CASE("version 2's questions without an answer have none, and questions share a context") {
        nlohmann::json impossible = {{"id", "q2"},
                                     {"question", "Who?"},
                                     {"answers", nlohmann::json::array()},
                                     {"is_impossible", true},
                                     {"plausible_answers", {{{"text", "x"}, {"answer_start", 0}}}}};
        const Squad squad = parse_squad(file_of({question("in", 7), impossible}), "dev.json");
        REQUIRE(squad.questions.size() == 2);
        CHECK(squad.contexts.size() == 1);
        CHECK(squad.questions[1].answers.empty());
        CHECK(squad.questions[1].context == 0);
    }

    TEST_CASE("an answer that does not stand where the file says is an error that names the question") {
        CHECK(said({question("Paris", 14)}) ==
              "dev.json: question 'q1': answer 'Paris' starts at 14, the context has there 's'");
        CHECK(said({question("Paris", 9)}) ==
              "dev.json: question 'q1': answer 'Paris' starts at 9, the context has there ' Pari'");
        CHECK(said({question("Paris", 99)}) ==
              "dev.json: question 'q1': answer 'Paris' starts at 99, its context has 15 characters");
        CHECK(said({question("", 0)}) == "dev.json: question 'q1': an answer is empty");
        CHECK(said({question("Paris", -1)}) ==
              "dev.json: question 'q1': 'answer_start' is -1, expected an integer from 0 to 18446744073709551615");
    }

    TEST_CASE("questions that contradict themselves or each other are errors") {
        nlohmann::json none = question("in", 7), both = question("in", 7), no_answers = question("in", 7);
        none["answers"] = nlohmann::json::array();
        both["is_impossible"] = true;
        no_answers.erase("answers");
        CHECK(said({none}) == "dev.json: question 'q1' has 0 answers and is not marked as impossible");
        CHECK(said({both}) == "dev.json: question 'q1' is impossible and has 1 answers");
        CHECK(said({no_answers}) == "dev.json: question 'q1': 'answers' is missing");
        CHECK(said({question("in", 7), question("in", 7)}) == "dev.json: question 'q1' stands twice");
    }

    TEST_CASE("a file that is no SQuAD file is an error that says where") {
        const ScratchFolder folder;
        const auto said = [](std::string_view text) { return error_of([&] { parse_squad(text, "dev.json"); }); };
        CHECK(error_of([&] { read_squad(folder.path / "dev.json"); }, folder.path) ==
              "dev.json: there is no such file");
        CHECK(said("{\"data\": [").find("dev.json:1:11: not valid JSON: ") == 0);
        CHECK(said("[]") == "dev.json: an array of 0 was found where an object with 'data' was expected");
        CHECK(said("{}") == "dev.json: 'data' is missing");
        CHECK(said("{\"data\": []}") == "dev.json: has no questions");
        CHECK(said("{\"data\": [{}]}") == "dev.json: data[0]: 'paragraphs' is missing");
        CHECK(said("{\"data\": [{\"paragraphs\": [{\"qas\": []}]}]}") ==
              "dev.json: data[0].paragraphs[0]: 'context' is missing");
        CHECK(said("{\"data\": [{\"paragraphs\": [{\"context\": \"\", \"qas\": []}]}]}") ==
              "dev.json: data[0].paragraphs[0]: 'context' is empty");
        CHECK(said("{\"data\": [{\"paragraphs\": [{\"context\": \"c\", \"qas\": {}}]}]}") ==
              "dev.json: data[0].paragraphs[0]: 'qas' is an object, expected an array");
    }
}

}
