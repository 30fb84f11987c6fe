#include <doctest/doctest.h>

#include <string>

#include "didact/io/crc32c.hpp"

namespace crc32c_test {

using namespace didact::io;

TEST_SUITE("unit") {
    TEST_CASE("crc32c: gives the values of RFC 3720 appendix B.4") {
        std::string rising, falling;
        for (int i = 0; i < 32; ++i) rising += char(i), falling += char(31 - i);
        CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);
        CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43u);
        CHECK(crc32c(rising) == 0x46DD794Eu);
        CHECK(crc32c(falling) == 0x113FDB5Cu);
        CHECK(crc32c("123456789") == 0xE3069283u);
        CHECK(crc32c("") == 0);
        static_assert(crc32c("123456789") == 0xE3069283u);
        // The definition, bit by bit, at every length around the eight bytes that are taken at once.
        for (std::size_t length = 0; length <= 32; ++length) {
            std::uint32_t crc = 0xFFFFFFFFu;
            for (std::size_t i = 0; i < length; ++i) {
                crc ^= static_cast<unsigned char>(falling[i]);
                for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0u);
            }
            CHECK(crc32c(std::string_view(falling).substr(0, length)) == ~crc);
        }
    }
}

}
