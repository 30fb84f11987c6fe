#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "didact/report/table.hpp"

#include <limits>

namespace table_test {

using namespace didact::report;

TEST_SUITE("unit") {
    TEST_CASE("numbers: are written the same in every locale, without signs of zero") {
        CHECK(fixed(0.5, 2) == "0.50");
        CHECK(fixed(-0.001, 2) == "0.00");
        CHECK(fixed(-1.5, 0) == "-2"); // halves to even
        CHECK(significant(0.25) == "0.25");
        CHECK(significant(1.23456e-5) == "1.235e-05");
        CHECK(significant(123456) == "123456");
        CHECK(significant(std::numeric_limits<double>::quiet_NaN()) == "–");
        CHECK(significant(-std::numeric_limits<double>::infinity()) == "-∞");
        CHECK(scientific(3e-5) == "3.0e-05");
        CHECK(with_prefix(0) == "0");
        CHECK(with_prefix(950) == "950");
        CHECK(with_prefix(999.7) == "1.00k");
        CHECK(with_prefix(12345) == "12.3k");
        CHECK(with_prefix(4.56e6) == "4.56M");
        CHECK(with_prefix(-2e9) == "-2.00G");
        CHECK(plus_minus(0.9123, 0.004) == "0.912 ± 0.004");
        CHECK(plus_minus(0.9123, std::numeric_limits<double>::quiet_NaN()) == "0.912");
        CHECK(clock_time(7.4) == "0:07");
        CHECK(clock_time(59.6) == "1:00");
        CHECK(clock_time(3723) == "1:02:03");
        CHECK(clock_time(180000) == "2d 02:00:00");
        CHECK(clock_time(-1) == "–");
        CHECK(fixed(std::numeric_limits<double>::max(), 40).size() == 350);
    }

    TEST_CASE("table: numbers stand right, text left, and every character takes its own width") {
        const std::string text = Table({"strategy", "accuracy", "time"})
                                     .row({"None", 0.5, "12 ms"})
                                     .row({"Größe", Cell(0.25, 3), "3.5 ms"})
                                     .rule()
                                     .row({"漢字", "–", ""})
                                     .str();
        CHECK(text == "strategy  accuracy    time\n"
                      "--------  --------  ------\n"
                      "None           0.5   12 ms\n"
                      "Größe        0.250  3.5 ms\n"
                      "--------  --------  ------\n"
                      "漢字             –\n");
    }

    TEST_CASE("table: a column is one of numbers only if every cell that is there is a number") {
        const auto right = [](const std::vector<const char*>& cells) {
            Table table({"a"});
            for (const char* cell : cells) table.row({cell});
            return table.right_aligned(0);
        };
        CHECK(right({"1", "-2.5", "1e-05", "0.91 ± 0.02", "12.3k", "45 %", "< 0.001", ".5", "3 GiB", "1:02:03"}));
        CHECK(right({"–", "1", ""}));
        CHECK_FALSE(right({"1", "one"}));
        CHECK_FALSE(right({"3-layer"}));
        CHECK_FALSE(right({"–", ""}));
        CHECK_FALSE(right({}));
        CHECK_FALSE(right({"-"}));
    }

    TEST_CASE("table: Markdown keeps its columns whatever the cells hold") {
        CHECK(Table({"a|b", "n"}).row({"x\ny", 1}).rule().row({"c|d", std::size_t(20)}).markdown() ==
              "| a\\|b | n |\n"
              "| --- | ---: |\n"
              "| x y | 1 |\n"
              "| c\\|d | 20 |\n");
    }

    TEST_CASE("table: a row with too few or too many cells is an error that counts them") {
        Table table({"a", "b"});
        CHECK(error_of([&] { table.row({1}); }) == "Table: row 0 has 1 cells, there are 2 columns");
        CHECK(error_of([&] { table.row({1, 2, 3}); }) == "Table: row 0 has 3 cells, there are 2 columns");
        CHECK(error_of([] { Table none({}); }) == "Table: there is no column");
        CHECK(table.str() == "a  b\n-  -\n");
    }
}

}
