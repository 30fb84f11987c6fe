#pragma once
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#if __has_include(<sys/ioctl.h>)
#include <sys/ioctl.h>
#include <unistd.h>
#endif

namespace didact::report {

/// What is at the other end of a standard stream.
namespace terminal {

/// 1 for std::cout, 2 for std::cerr and std::clog, -1 for any other stream.
inline int descriptor_of(const std::ostream& stream) {
    if (&stream == &std::cout) return 1;
    return &stream == &std::cerr || &stream == &std::clog ? 2 : -1;
}

/// True where the stream shows its text to a person and a line can be written over.
inline bool is_terminal(const std::ostream& stream) {
#if __has_include(<sys/ioctl.h>)
    const char* kind = std::getenv("TERM");
    const int descriptor = descriptor_of(stream);
    return descriptor > 0 && ::isatty(descriptor) == 1 && kind && std::string_view(kind) != "dumb";
#else
    return static_cast<void>(stream), false;
#endif
}

/// Columns of the terminal; 80 where it does not say.
inline std::size_t width_of(const std::ostream& stream) {
#if __has_include(<sys/ioctl.h>)
    winsize size{};
    const int descriptor = descriptor_of(stream);
    if (descriptor > 0 && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
#else
    static_cast<void>(stream);
#endif
    return 80;
}

/// True where the environment says that text is UTF-8 (LC_ALL before LC_CTYPE before LANG).
inline bool shows_utf8() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* value = std::getenv(name);
        if (!value || !*value) continue;
        std::string lower;
        for (const char c : std::string_view(value)) lower += char(std::tolower(static_cast<unsigned char>(c)));
        return lower.find("utf-8") != std::string::npos || lower.find("utf8") != std::string::npos;
    }
    return false;
}

}

}
