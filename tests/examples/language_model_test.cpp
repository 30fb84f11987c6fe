#include <doctest/doctest.h>

#include "workplace.hpp"

namespace language_model_test {

TEST_SUITE("unit") {
    TEST_CASE("language_model refuses flags that are no numbers, empty, or outputs that cannot be written") {
        const Workplace here;
        const auto before = here.listing();
        const std::string flags = " (language_model --help lists the flags)\n";
        for (const auto& [arguments, message] : std::vector<std::pair<std::vector<std::string>, std::string>>{
                 {{"--temperature", "nan"},
                  "--temperature: 'nan' was found, a number from 0.001 to 1000 was expected" + flags},
                 {{"--lr", "nan"}, "--lr: 'nan' was found, a number above 0 was expected" + flags},
                 {{"--warmup", "2"}, "--warmup: '2' was found, a number from 0 to 1 was expected" + flags},
                 {{"--threads", "1000000"}, "--threads: Value 1000000 not in range 0 to 1024" + flags},
                 {{"--out", ""}, "--out: its value is empty\n"},
                 {{"--out", "train.tsv"}, "train.tsv: this folder cannot be made: Not a directory\n"}}) {
            CAPTURE(message);
            const Ended ended = Program(LANGUAGE_MODEL, arguments, here.path).wait();
            CHECK(ended.code == 1);
            CHECK(ended.err == message);
            CHECK(ended.out == "");
            CHECK(here.listing() == before);
        }
    }
}

}
