#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace didact::io {

/// CRC-32C (Castagnoli) of `bytes`: reflected polynomial 0x82F63B78, RFC 3720 appendix B.4. Eight bytes at a time, each
/// by a table of its own (Kounavis and Berry 2008, "Novel table lookup-based algorithms for high-performance CRC
/// generation"), for checkpoints are large.
constexpr std::uint32_t crc32c(std::string_view bytes) {
    constexpr auto tables = [] {
        std::array<std::array<std::uint32_t, 256>, 8> entries{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0u);
            entries[0][i] = value;
        }
        for (std::size_t k = 1; k < 8; ++k)
            for (std::size_t i = 0; i < 256; ++i)
                entries[k][i] = entries[k - 1][i] >> 8 ^ entries[0][entries[k - 1][i] & 0xFF];
        return entries;
    }();
    const auto byte = [&](std::size_t i) { return std::uint32_t(static_cast<unsigned char>(bytes[i])); };
    std::uint32_t crc = 0xFFFFFFFFu;
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
        crc ^= byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
        crc = tables[7][crc & 0xFF] ^ tables[6][crc >> 8 & 0xFF] ^ tables[5][crc >> 16 & 0xFF] ^ tables[4][crc >> 24] ^
              tables[3][byte(i + 4)] ^ tables[2][byte(i + 5)] ^ tables[1][byte(i + 6)] ^ tables[0][byte(i + 7)];
    }
    for (; i < bytes.size(); ++i) crc = tables[0][(crc ^ byte(i)) & 0xFF] ^ crc >> 8;
    return ~crc;
}

}
