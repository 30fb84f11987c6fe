#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace didact::report {

/// CRC-32C (Castagnoli) of `bytes`: reflected polynomial 0x82F63B78, RFC 3720 appendix B.4.
constexpr std::uint32_t crc32c(std::string_view bytes) {
    constexpr auto table = [] {
        std::array<std::uint32_t, 256> entries{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0u);
            entries[i] = value;
        }
        return entries;
    }();
    std::uint32_t crc = 0xFFFFFFFFu;
    for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ crc >> 8;
    return ~crc;
}

/// The checksum as TensorFlow's record files store it, rotated and shifted by a constant so that the checksum of data
/// that contain checksums stays a good one (tensorflow/core/lib/hash/crc32c.h).
constexpr std::uint32_t masked_crc32c(std::string_view bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

}
