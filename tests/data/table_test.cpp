#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "didact/data/table.hpp"

#include "../io/scratch.hpp"

namespace table_test {

using namespace didact;

namespace {

using Row = std::vector<std::string>;

std::string said(std::string_view name, std::string_view text) {
    return error_of([&] { parse_table(text, std::string(name)); });
}

const std::filesystem::path shared = DIDACT_SOURCE_DIR "/../shared/data";

}

TEST_SUITE("unit") {

    TEST_CASE("tab-separated values stand as they are between tabs") {
        const Table table = parse_table("label\ttext\npos\t\"quoted\" and \\n, kept\r\n\n \t \nneg\t\n", "x.tsv");
        CHECK(table.columns == Row{"label", "text"});
        REQUIRE(table.rows.size() == 2);
        CHECK(table.rows[0] == Row{"pos", "\"quoted\" and \\n, kept"});
        CHECK(table.rows[1] == Row{"neg", ""});
        CHECK(table.line_of_row == std::vector<std::size_t>{2, 5});
        CHECK(table.column("text") == 1);
        CHECK(table.has("label"));
        CHECK_FALSE(table.has("id"));
    }

    TEST_CASE("comma-separated values follow RFC 4180: quotes, commas and line ends within, doubled quotes") {
        const Table table =
            parse_table("\xEF\xBB\xBFid,text\r\n1,\"a, b\r\nc \"\"d\"\"\"\r\n\"2\",plain\r\n\r\n3,\"\"", "x.csv");
        CHECK(table.columns == Row{"id", "text"});
        REQUIRE(table.rows.size() == 3);
        CHECK(table.rows[0] == Row{"1", "a, b\r\nc \"d\""});
        CHECK(table.rows[1] == Row{"2", "plain"});
        CHECK(table.rows[2] == Row{"3", ""});
        CHECK(table.line_of_row == std::vector<std::size_t>{2, 4, 6});
        CHECK(parse_table("text\n\"\"\n\n", "x.CSV").rows == std::vector<Row>{{""}});
        CHECK(parse_table("a,b\n,\n", "x.csv").rows == std::vector<Row>{{"", ""}});
    }

    TEST_CASE("JSON lines give strings as they are and other values as JSON, columns in the file's order") {
        const Table table =
            parse_table("{\"text\": \"caf\\u00e9\", \"label\": 3, \"tags\": [\"a\", 1], \"on\": true}\n\n"
                        "{\"label\": 4.5, \"on\": false, \"text\": \"\", \"tags\": {}, \"extra\": 1}\n",
                        "x.jsonl");
        CHECK(table.columns == Row{"text", "label", "tags", "on"});
        REQUIRE(table.rows.size() == 2);
        CHECK(table.rows[0] == Row{"caf\u00e9", "3", "[\"a\",1]", "true"});
        CHECK(table.rows[1] == Row{"", "4.5", "{}", "false"});
        CHECK(table.line_of_row == std::vector<std::size_t>{1, 3});
        CHECK(error_of([&] { table.column("extra"); }) ==
              "x.jsonl:1: 'extra' is missing in this line, other lines have it");
    }

    TEST_CASE("a column that is not there is an error that says which there are") {
        const Table table = parse_table("label,text\na,b\n", "train.csv");
        CHECK(error_of([&] { table.column("Text"); }) ==
              "train.csv: there is no column 'Text'; there are 'label', 'text'");
        const Table lines = parse_table("{\"a\": 1, \"b\": null}\n{\"a\": 2, \"b\": 1}\n", "x.jsonl");
        CHECK(error_of([&] { lines.column("b"); }) == "x.jsonl:1: 'b' is missing in this line, other lines have it");
        CHECK(error_of([&] { lines.column("c"); }) == "x.jsonl: there is no column 'c'; there are 'a'");
    }

    TEST_CASE("a row with another number of fields is an error with its line") {
        CHECK(said("x.tsv", "label\ttext\na\tb\nc\n") == "x.tsv:3: has 1 fields, expected 2 as in the first line");
        CHECK(said("x.tsv", "label\ttext\na\tb\tc\n") == "x.tsv:2: has 3 fields, expected 2 as in the first line");
        CHECK(said("x.csv", "label,text\n\"a\nb\",c\nd\n") == "x.csv:4: has 1 fields, expected 2 as in the first line");
        CHECK(said("x.csv", "label,text\na,b,\n") == "x.csv:2: has 3 fields, expected 2 as in the first line");
    }

    TEST_CASE("quotes that do not follow RFC 4180 are errors with their line") {
        CHECK(said("x.csv", "a,b\n1,2\n3,\"open\n4,5\n") == "x.csv:3: a quote is opened and never closed");
        CHECK(said("x.csv", "a,b\n1,\"") == "x.csv:2: a quote is opened and never closed");
        CHECK(said("x.csv", "a,b\n1,\"x\" y\n") ==
              "x.csv:2: text follows a closing quote; within quotes a quote is written as two");
        CHECK(said("x.csv", "a,b\n1,5\" pipe\n") == "x.csv:2: a quote within a field that is not in quotes");
    }

    TEST_CASE("text that is not UTF-8 or holds zero bytes is an error with its line") {
        CHECK(said("x.tsv", "label\ttext\na\tna\xEFve\n") == "x.tsv:2:5: not valid UTF-8: byte 0xEF");
        CHECK(said("x.csv", "\xFF\xFEl\0a\0") == "x.csv:1:1: not valid UTF-8: byte 0xFF");
        CHECK(said("x.csv", "a,b\n\xC0\xAF,1\n") == "x.csv:2:1: not valid UTF-8: byte 0xC0");     // overlong
        CHECK(said("x.csv", "a,b\n1,\xED\xA0\x80\n") == "x.csv:2:3: not valid UTF-8: byte 0xED"); // a surrogate
        CHECK(said("x.csv", "a\n\xF4\x90\x80\x80\n") == "x.csv:2:1: not valid UTF-8: byte 0xF4"); // above U+10FFFF
        CHECK(said("x.csv", "a\n\u00e9\xE2\x82") == "x.csv:2:2: not valid UTF-8: byte 0xE2");     // cut off
        CHECK(said("x.tsv", std::string_view("a\tb\n1\t\0\n", 9)) == "x.tsv:2:3: a zero byte; this is not a text file");
    }

    TEST_CASE("empty files, files without rows, doubled columns and unknown endings are errors") {
        const ScratchFolder folder;
        folder.file("empty.tsv", "");
        CHECK(error_of([&] { read_table(folder.path / "empty.tsv"); }, folder.path) == "empty.tsv: is empty");
        CHECK(said("x.csv", "\xEF\xBB\xBF") == "x.csv: is empty");
        CHECK(said("x.csv", "a,b\n") == "x.csv: has no rows");
        CHECK(said("x.tsv", "\n\n") == "x.tsv: has no rows");
        CHECK(said("x.jsonl", "\n") == "x.jsonl: has no rows");
        CHECK(said("x.csv", "a,b,a\n1,2,3\n") == "x.csv:1: column 'a' stands twice");
        CHECK(said("x.txt", "a") == "x.txt: its name ends in '.txt', a table's in .tsv, .csv or .jsonl");
        CHECK(said("table", "a") == "table: its name ends in '', a table's in .tsv, .csv or .jsonl");
        CHECK(error_of([&] { read_table(folder.path / "no.tsv"); }, folder.path) == "no.tsv: there is no such file");
        CHECK(error_of([&] { read_table(folder.path); }, folder.path.parent_path()) ==
              folder.path.filename().string() + ": is a folder, a file was expected");
    }

    TEST_CASE("JSON lines that are none are errors with their line and column") {
        CHECK(said("x.jsonl", "{\"a\": 1}\n{\"a\": }\n").find("x.jsonl:2:7: not valid JSON: ") == 0);
        CHECK(said("x.jsonl", "{\"a\": 1}\n[1]\n") == "x.jsonl:2: holds JSON of type array, expected an object");
        CHECK(said("x.jsonl", "{\"a\": 1, \"a\": 2}\n") == "x.jsonl:1:12: key 'a' stands twice in one object");
        CHECK(said("x.jsonl", "{\"a\":\n1}\n").find("x.jsonl:1:6: not valid JSON: ") == 0);
        CHECK(said("x.jsonl", "{\"a\": 1} {\"a\": 2}\n").find("x.jsonl:1:10: not valid JSON: ") == 0);
    }
}

TEST_SUITE("data") {

    TEST_CASE("the tables of the shared data have as many rows as their descriptions say, and no empty field") {
        struct Expected {
            const char* file;
            std::size_t rows;
            Row columns;
        };
        const Row labelled = {"label", "text"}, domains = {"domain", "label", "text"};
        const Row summaries = {"id", "text", "summary", "document"};
        const Row questions = {"id", "question", "context", "answer", "label", "mesh"};
        for (const Expected& expected : std::vector<Expected>{{"banking77/train.tsv", 9003, labelled},
                                                              {"banking77/valid.tsv", 1000, labelled},
                                                              {"banking77/test.tsv", 2500, labelled},
                                                              {"clinc150/train.tsv", 15000, domains},
                                                              {"clinc150/valid.tsv", 3000, domains},
                                                              {"clinc150/test.tsv", 4500, domains},
                                                              {"clinc150/oos_test.tsv", 1000, domains},
                                                              {"cuad-clauses/train.tsv", 5096, labelled},
                                                              {"cuad-clauses/valid.tsv", 686, labelled},
                                                              {"cuad-clauses/test.tsv", 1276, labelled},
                                                              {"medical-abstracts/train.tsv", 1738, labelled},
                                                              {"medical-abstracts/test.tsv", 500, labelled},
                                                              {"symptom-to-disease/train.tsv", 643, labelled},
                                                              {"symptom-to-disease/test.tsv", 240, labelled},
                                                              {"sentiment-sentences/amazon.train.tsv", 619, labelled},
                                                              {"sentiment-sentences/yelp.test.tsv", 250, labelled},
                                                              {"contract-summaries/train.jsonl", 320, summaries},
                                                              {"contract-summaries/valid.jsonl", 46, summaries},
                                                              {"contract-summaries/test.jsonl", 80, summaries},
                                                              {"pubmedqa/train.jsonl", 450, questions},
                                                              {"pubmedqa/test.jsonl", 350, questions}}) {
            if (!std::filesystem::exists(shared / expected.file)) {
                MESSAGE("skipped: no " << expected.file);
                continue;
            }
            INFO(std::string(expected.file));
            const Table table = read_table(shared / expected.file);
            CHECK(table.rows.size() == expected.rows);
            CHECK(table.columns == expected.columns);
            for (const Row& row : table.rows)
                for (const std::string& field : row) REQUIRE_FALSE(field.empty());
        }
    }
}

}
