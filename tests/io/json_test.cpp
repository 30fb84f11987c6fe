#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "didact/io/json.hpp"

#include "scratch.hpp"

namespace json_test {

using namespace didact;
using namespace didact::io;

namespace {

std::string said(std::string_view text) {
    return error_of([&] { parse_json(text, "config.json"); });
}

}

TEST_SUITE("unit") {

    TEST_CASE("a JSON file that was written is read back equal") {
        const ScratchFolder folder;
        const nlohmann::json value = {{"hidden_size", 768}, {"name", "caf\u00e9 \"x\"\n"},
                                      {"rate", 1e-5},       {"layers", {1, 2, 3}},
                                      {"none", nullptr},    {"on", true}};
        write_json(folder.path / "run.json", value);
        CHECK(read_json(folder.path / "run.json") == value);
        CHECK(read_file(folder.path / "run.json").back() == '\n');
        CHECK(folder.entries() == 1);
    }

    TEST_CASE("a byte order mark before JSON is passed over, and the largest integers are kept") {
        CHECK(parse_json("\xEF\xBB\xBF{\"a\": 18446744073709551615}", "x")["a"].get<std::uint64_t>() == UINT64_MAX);
    }

    TEST_CASE("what is not JSON is an error with file, line and column") {
        CHECK(said("") ==
              "config.json:1:1: not valid JSON: while parsing value - unexpected end of input; expected '[', "
              "'{', or a literal");
        CHECK(said("{\n  \"a\": 1,\n  \"b\" 2\n}")
                  .find("config.json:3:7: not valid JSON: while parsing object separator") == 0);
        CHECK(said("{\"a\": 1,}").find("config.json:1:9: not valid JSON: while parsing object key") == 0);
        CHECK(said("{\"a\": 1} x").find("config.json:1:10: not valid JSON") == 0);
        CHECK(said("{\"a\": 1").find("config.json:1:8: not valid JSON") == 0);
        CHECK(said("{\"a\": NaN}").find("config.json:1:7: not valid JSON") == 0);
        CHECK(said("{'a': 1}").find("config.json:1:2: not valid JSON") == 0);
        CHECK(said("[1, 2] // two").find("config.json:1:8: not valid JSON") == 0);
        CHECK(said("\"tab\there\"").find("config.json:1:5: not valid JSON") == 0);
        CHECK(said("[\"\\ud800\"]").find("config.json:1:9: not valid JSON") == 0);
        CHECK(said("{\"\u00e9\u00e9\": [1 2]}").find("config.json:1:11: not valid JSON") ==
              0); // columns are code points
    }

    TEST_CASE("a number that no double holds is an error with its place") {
        CHECK(said("{\n\"a\": 1e999}") == "config.json:2:11: not valid JSON: number overflow parsing '1e999'");
    }

    TEST_CASE("invalid UTF-8 and zero bytes are errors with their place, also outside of strings") {
        CHECK(said("{\n \"na\xEFve\": 1}") == "config.json:2:5: not valid UTF-8: byte 0xEF");
        CHECK(said("{}\xFF") == "config.json:1:3: not valid UTF-8: byte 0xFF");
        CHECK(said(std::string_view("{}\0garbage", 10)) == "config.json:1:3: a zero byte; this is not a text file");
    }

    TEST_CASE("a key that stands twice in one object is an error, in two objects it is none") {
        CHECK(said("{\"a\": 1,\n \"b\": {\"a\": 2}, \"a\": 3}") ==
              "config.json:2:19: key 'a' stands twice in one object");
        CHECK(said("{\"a\": [{\"a\": 1}, {\"a\": 2}]}") == "no error");
    }

    TEST_CASE("nesting has a limit") {
        const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
        CHECK(said(nested(256)) == "no error");
        CHECK(said(nested(257)) == "config.json:1:257: nested deeper than 256 levels");
        CHECK(said(std::string(3000000, '[')) == "config.json:1:257: nested deeper than 256 levels");
        std::string objects;
        for (int i = 0; i < 300; ++i) objects += "{\"a\":";
        CHECK(said(objects) == "config.json:1:1281: nested deeper than 256 levels");
    }

    TEST_CASE("a missing file, a folder and a text that JSON cannot hold are errors") {
        const ScratchFolder folder;
        CHECK(error_of([&] { read_json(folder.path / "config.json"); }, folder.path) ==
              "config.json: there is no such file");
        CHECK(error_of([&] { read_json(folder.path / "."); }, folder.path) == ".: is a folder, a file was expected");
        CHECK(error_of(
                  [&] {
                      write_json(folder.path / "x.json", nlohmann::json{{"a", "\xFF"}});
                  },
                  folder.path)
                  .find("x.json: cannot be written as JSON: invalid UTF-8 byte") == 0);
        CHECK(folder.entries() == 0);
    }

    TEST_CASE("a field is read as the type that is asked for") {
        const auto config = parse_json(R"({"size": 768, "rate": 1e-3, "whole": 2, "name": "bert", "on": false,
        "shape": [2, 3], "minus": -5, "nothing": null, "inner": {"x": 1}})",
                                       "config.json");
        CHECK(field<std::size_t>(config, "size", "c") == 768);
        CHECK(field<int>(config, "minus", "c") == -5);
        CHECK(field<double>(config, "rate", "c") == 1e-3);
        CHECK(field<float>(config, "whole", "c") == 2.0f);
        CHECK(field<std::string>(config, "name", "c") == "bert");
        CHECK(field<bool>(config, "on", "c") == false);
        CHECK(field<std::vector<int>>(config, "shape", "c") == std::vector{2, 3});
        CHECK(field<int>(field<nlohmann::json>(config, "inner", "c"), "x", "c") == 1);
        CHECK(field_or<int>(config, "absent", 7, "c") == 7);
        CHECK(field_or<int>(config, "nothing", 7, "c") == 7);
        CHECK(field_or<int>(config, "size", 7, "c") == 768);
    }

    TEST_CASE("a field that is missing or of another type is an error that names file and field") {
        const auto config =
            parse_json(R"({"size": "768", "layers": -1, "heads": 12.0, "on": 1, "name": null, "big": 300,
        "list": [1, "x"], "inner": {}})",
                       "config.json");
        const auto said = [&]<class T>(const char* name, T) {
            return error_of([&] { field<T>(config, name, "config.json"); });
        };
        CHECK(said("hidden_size", 1) == "config.json: 'hidden_size' is missing");
        CHECK(said("size", std::uint32_t()) ==
              "config.json: 'size' is the string \"768\", expected an integer from 0 to 4294967295");
        CHECK(said("layers", std::uint8_t()) == "config.json: 'layers' is -1, expected an integer from 0 to 255");
        CHECK(said("heads", std::uint8_t()) == "config.json: 'heads' is 12.0, expected an integer from 0 to 255");
        CHECK(said("big", std::int8_t()) == "config.json: 'big' is 300, expected an integer from -128 to 127");
        CHECK(said("on", true) == "config.json: 'on' is 1, expected true or false");
        CHECK(said("name", std::string()) == "config.json: 'name' is null, expected a string");
        CHECK(said("size", 1.0) == "config.json: 'size' is the string \"768\", expected a number");
        CHECK(said("list", std::vector<float>()) == "config.json: 'list[1]' is the string \"x\", expected a number");
        CHECK(said("inner", std::vector<float>()) == "config.json: 'inner' is an object, expected an array");
        CHECK(error_of([&] { field<int>(parse_json("[1]", "x"), "a", "config.json"); }) ==
              "config.json: an array of 1 was found where an object with 'a' was expected");
        CHECK(error_of([&] { field_or<int>(parse_json("3", "x"), "a", 1, "config.json"); }) ==
              "config.json: 3 was found where an object was expected");
    }
}

}
