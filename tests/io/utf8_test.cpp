#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "didact/io/utf8.hpp"

#include "scratch.hpp"

namespace utf8_test {

using namespace didact::io;

TEST_SUITE("unit") {

    TEST_CASE("exactly the code points that are no surrogates have UTF-8, and only in its shortest form") {
        const auto encode = [](unsigned long code, int length) {
            std::string text;
            for (int i = length - 1; i > 0; --i)
                text.insert(text.begin(), char(0x80 | (code >> 6 * (length - 1 - i) & 63)));
            const unsigned long first = code >> 6 * (length - 1);
            return char(length == 1 ? first : (0xF00 >> length & 0xFF) | first) + text;
        };
        for (unsigned long code = 0; code < 0x200000; code += code < 0x12000 ? 1 : 61) {
            const bool valid = code < 0xD800 || (code > 0xDFFF && code < 0x110000);
            const int shortest = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
            for (int length = shortest; length <= 4; ++length) {
                const std::string text = encode(code, length);
                REQUIRE(utf8_length(text) == (valid && length == shortest ? std::size_t(length) : 0));
                REQUIRE(invalid_utf8("1234567" + text + "x") == (valid && length == shortest ? std::string::npos : 7));
                for (int cut = 1; cut < length; ++cut) REQUIRE(utf8_length(text.substr(0, std::size_t(cut))) == 0);
            }
        }
        for (const char* never : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xF5\x80\x80\x80", "\xFE", "\xFF"})
            CHECK(utf8_length(never) == 0);
        CHECK(utf8_length("") == 0);
    }

    TEST_CASE("positions count lines and code points from 1") {
        const std::string text = "ab\n\u00e9\u20ac\U0001F600x\n";
        CHECK(TextPosition(text, 0).line == 1);
        CHECK(TextPosition(text, 2).column == 3);
        CHECK(TextPosition(text, text.find('x')).line == 2);
        CHECK(TextPosition(text, text.find('x')).column == 4);
        CHECK(TextPosition(text, text.size()).line == 3);
        CHECK(TextPosition(text, text.size(), 10).line == 12);
        CHECK(code_points(text) == 8);
    }

    TEST_CASE("what a message shows of a text is always UTF-8 and never too long") {
        CHECK(printable("caf\u00e9") == "caf\u00e9");
        CHECK(printable("a\tb\n\x7F\xFF\xC3") == "a?b????");
        CHECK(printable("123456", 6) == "123456");
        CHECK(printable("1234567", 6) == "123456...");
        CHECK(printable("12345\u00e9", 6) == "12345...");
        CHECK(printable("1234\u00e9", 6) == "1234\u00e9");
    }

    TEST_CASE("a byte order mark is left out, once") {
        CHECK(without_byte_order_mark("\xEF\xBB\xBF\xEF\xBB\xBFx") == "\xEF\xBB\xBFx");
        CHECK(without_byte_order_mark("x") == "x");
        CHECK(without_byte_order_mark("").empty());
    }
}

}
