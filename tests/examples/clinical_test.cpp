#include <doctest/doctest.h>

#include "workplace.hpp"

namespace clinical_test {

namespace {

const Workplace& workplace() {
    static const Workplace made;
    return made;
}

Ended clinical(const std::string& arguments) { return run(CLINICAL, arguments, workplace().path); }

}

TEST_SUITE("unit") {
    TEST_CASE("clinical ends with 2 and one line that says why where a flag or a file is wrong, and writes nothing") {
        const Workplace& here = workplace();
        here.copy_model("clinical-no-vocabulary", {"vocab.txt", "tokenizer.json"});
        const std::vector<std::pair<std::string, std::string>> cases = {
            {"--unknown", "clinical: The following argument was not expected: --unknown (clinical --help lists the "
                          "flags)"},
            {"--seeds 0", "clinical: --seeds: Value 0 not in range 1 to 100 (clinical --help lists the flags)"},
            {"--size huge", "clinical: --size: huge not in {small,full} (clinical --help lists the flags)"},
            {"--model missing", "clinical: missing: there is no such folder"},
            {"--model clinical-no-vocabulary",
             "clinical: clinical-no-vocabulary: has neither tokenizer.json nor vocab.txt"},
            {"--data missing", "clinical: missing/symptom-to-disease/train.tsv: there is no such file"},
            {"--model model --size full", "clinical: model: the model has 48 positions, the study takes texts of 128"},
            {"--model model --json missing/numbers.json",
             "clinical: missing/numbers.json: cannot be written: there is no folder 'missing'"},
        };
        const auto before = here.listing();
        for (const auto& [arguments, message] : cases) {
            CAPTURE(arguments);
            const Ended ended = clinical(arguments + " --out .");
            CHECK(ended.code == 2);
            CHECK(ended.err == message + "\n");
            CHECK(ended.out == "");
            CHECK(here.listing() == before);
        }
        const Ended experiments = clinical("--experiments freezing,all");
        CHECK(experiments.code == 2);
        CHECK(experiments.err.find("--experiments: all not in {curve,freezing,") != std::string::npos);
        const Ended below = clinical("--model model --out train.tsv/below");
        CHECK(below.code == 2);
        CHECK(below.err == "clinical: train.tsv/below: this folder cannot be made: Not a directory\n");
    }

    TEST_CASE("clinical --help ends with 0 and names every flag") {
        const Ended help = clinical("--help");
        CHECK(help.code == 0);
        CHECK(help.err == "");
        for (const char* flag :
             {"--model", "--data", "--seeds", "--size", "--experiments", "--threads", "--out", "--json"})
            CHECK_MESSAGE(help.out.find(std::string("  ") + flag) != std::string::npos, flag);
    }

    TEST_CASE("clinical writes a report and numbers, the same with one thread and with two") {
        std::vector<nlohmann::json> numbers;
        for (const std::string threads : {"1", "2"}) {
            const Ended ended = clinical("--model model --experiments freezing --seeds 1 --out study --json numbers" +
                                         threads + ".json --threads " + threads);
            CHECK(ended.code == 0);
            CHECK(ended.out.find("AllButHead") != std::string::npos);
            CHECK(didact::io::read_file(workplace().path / "study/report.html").find("</html>") != std::string::npos);
            numbers.push_back(workplace().json("numbers" + threads + ".json"));
        }
        REQUIRE(numbers[0]["rows"].size() > 0);
        REQUIRE(numbers[0]["rows"].size() == numbers[1]["rows"].size());
        for (std::size_t i = 0; i < numbers[0]["rows"].size(); ++i)
            CHECK(numbers[0]["rows"][i]["runs"][0]["value"] == numbers[1]["rows"][i]["runs"][0]["value"]);
    }

    TEST_CASE("clinical's learning curve runs once a set that is smaller than its sizes") {
        const std::filesystem::path& here = workplace().path;
        for (const char* set : {"symptom-to-disease", "medical-abstracts", "ncbi-disease"}) {
            std::filesystem::create_directories(here / "few" / set);
            for (const char* part : {"train", "valid", "test"})
                for (const char* extension : {".tsv", ".conll"})
                    std::filesystem::copy_file(here / (part + std::string(extension)),
                                               here / "few" / set / (part + std::string(extension)));
        }
        const Ended ended =
            clinical("--model model --data few --experiments curve --seeds 2 --out study --json few.json");
        CHECK(ended.code == 0);
        const nlohmann::json rows = workplace().json("few.json")["rows"];
        REQUIRE(rows.size() > 0);
        for (const auto& row : rows) {
            CHECK(row["setting"] == "24 labels");
            CHECK(row["runs"].size() == 2);
        }
    }
}

}
