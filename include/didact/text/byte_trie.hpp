#pragma once
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "didact/core/error.hpp"

namespace didact::text {

/// Strings with a number each, for the question "which is the longest that this text starts with?". The edges of all
/// nodes lie in one table with open addressing, so a step costs one probe and nothing is allocated in a look-up.
class ByteTrie {
  public:
    static constexpr std::int32_t absent = -1;

    struct Match {
        std::int32_t value = absent;
        std::size_t length = 0;
    };

    ByteTrie() : values_(1, absent), edges_(64) {}

    /// Gives `key` the number `value` (not negative). Returns the number it had before, or `absent`.
    std::int32_t insert(std::string_view key, std::int32_t value) {
        std::uint32_t node = 0;
        for (const char c : key) {
            const std::uint32_t next = child(node, c);
            node = next == 0 ? add_child(node, c) : next;
        }
        return std::exchange(values_[node], value);
    }

    /// The number of exactly `key`, or `absent`.
    std::int32_t find(std::string_view key) const {
        std::uint32_t node = 0;
        for (const char c : key)
            if ((node = child(node, c)) == 0) return absent;
        return values_[node];
    }

    /// The longest key that `text` starts with; value `absent` where there is none. The empty key is never a match.
    Match longest_prefix(std::string_view text) const {
        Match best;
        std::uint32_t node = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if ((node = child(node, text[i])) == 0) break;
            if (values_[node] != absent) best = {values_[node], i + 1};
        }
        return best;
    }

  private:
    /// `key` is node * 256 + byte; `child` 0 marks an empty place, for the root is nobody's child.
    struct Edge {
        std::uint32_t key = 0, child = 0;
    };

    static std::uint32_t key_of(std::uint32_t node, char byte) { return node << 8 | static_cast<unsigned char>(byte); }

    /// The edge, or the empty place where it belongs.
    std::size_t place_of(std::uint32_t key) const {
        const std::size_t mask = edges_.size() - 1;
        std::size_t place = key * 0x9E3779B97F4A7C15ull >> 32 & mask; // Fibonacci hashing, Knuth volume 3, 6.4
        while (edges_[place].child != 0 && edges_[place].key != key) place = (place + 1) & mask;
        return place;
    }

    std::uint32_t child(std::uint32_t node, char byte) const { return edges_[place_of(key_of(node, byte))].child; }

    std::uint32_t add_child(std::uint32_t node, char byte) {
        require(values_.size() < (1u << 24), "a vocabulary with more than ", 1u << 24, " prefixes is not supported");
        if (values_.size() * 2 > edges_.size()) {
            std::vector<Edge> old(edges_.size() * 2);
            old.swap(edges_);
            for (const Edge& edge : old)
                if (edge.child != 0) edges_[place_of(edge.key)] = edge;
        }
        const auto created = static_cast<std::uint32_t>(values_.size());
        values_.push_back(absent);
        const std::uint32_t key = key_of(node, byte);
        edges_[place_of(key)] = {key, created};
        return created;
    }

    std::vector<std::int32_t> values_;
    std::vector<Edge> edges_;
};

}
