#pragma once
#include <cstddef>
#include <string_view>

namespace didact {

/// Calls `action(line, number)` for each line of a text, numbered from 1, without its line end ("\n" or "\r\n").
template <class Action>
void for_each_line(std::string_view text, Action&& action) {
    for (std::size_t begin = 0, number = 1; begin < text.size(); ++number) {
        const std::size_t end = text.find('\n', begin);
        std::string_view line = text.substr(begin, end == std::string_view::npos ? end : end - begin);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        action(line, number);
        begin = end == std::string_view::npos ? text.size() : end + 1;
    }
}

/// Whether a line holds spaces and tabs at most.
inline bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

}
