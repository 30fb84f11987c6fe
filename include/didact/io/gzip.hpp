#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>

#if DIDACT_WITH_ZLIB
#include <zlib.h>
#endif

#include "didact/core/error.hpp"
#include "didact/io/atomic_file.hpp"

namespace didact::io {

/// Most bytes that decompress accepts to come out of a file.
inline constexpr std::uint64_t decompressed_size_limit = std::uint64_t(1) << 32;

/// Whether these bytes begin as a gzip file does (RFC 1952).
inline bool is_gzip(std::string_view bytes) { return bytes.substr(0, 2) == "\x1F\x8B"; }

/// The content of a gzip file, checked by its CRC; several members one after another are one content. Throws Error that
/// names `source` where the file is damaged or cut off, or `limit` bytes are not enough.
inline std::string decompress([[maybe_unused]] std::string_view bytes, std::string_view source,
                              [[maybe_unused]] std::uint64_t limit = decompressed_size_limit) {
#if DIDACT_WITH_ZLIB
    struct Stream : z_stream {
        Stream() : z_stream() {}
        ~Stream() { inflateEnd(this); }
    } stream;
    constexpr int gzip_only = 16 + MAX_WBITS; // as zlib.h says of inflateInit2
    require(inflateInit2(&stream, gzip_only) == Z_OK, source, ": zlib cannot start");
    std::string content;
    std::string part(1 << 18, '\0');
    std::size_t given = 0;
    for (bool more = true; more;) {
        const std::size_t feed = std::min(bytes.size() - given, std::size_t(1) << 30); // zlib counts in 32 bits
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + given));
        stream.avail_in = static_cast<uInt>(feed);
        stream.next_out = reinterpret_cast<Bytef*>(part.data());
        stream.avail_out = static_cast<uInt>(part.size());
        const int result = inflate(&stream, Z_NO_FLUSH);
        given += feed - stream.avail_in;
        content.append(part, 0, part.size() - stream.avail_out);
        require(content.size() <= limit, source, ": holds more than the limit of ", limit, " bytes");
        require(result != Z_BUF_ERROR, source, ": is cut off after ", content.size(), " bytes of content");
        require(result == Z_OK || result == Z_STREAM_END, source,
                ": is damaged: ", stream.msg ? stream.msg : "zlib gives no reason");
        if (result != Z_STREAM_END) continue;
        more = given < bytes.size();
        if (more) inflateReset(&stream);
    }
    return content;
#else
    fail(source, ": is compressed by gzip, and this program was built without zlib (DIDACT_WITH_ZLIB)");
#endif
}

/// The bytes of a file, decompressed where it is a gzip file.
inline std::string read_maybe_compressed(const std::filesystem::path& path) {
    std::string bytes = read_file(path);
    return is_gzip(bytes) ? decompress(bytes, path.string()) : bytes;
}

}
