#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <span>
#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace didact {

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four random words from a
/// counter and a key. Stateless, so the numbers do not depend on who draws them or when.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t(0xD2511F53u) * counter[0];
        const std::uint64_t b = std::uint64_t(0xCD9E8D57u) * counter[2];
        counter = {std::uint32_t(b >> 32) ^ counter[1] ^ key[0], std::uint32_t(b),
                   std::uint32_t(a >> 32) ^ counter[3] ^ key[1], std::uint32_t(a)};
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return counter;
}

/// As many words as a vector register holds, by name: a compiler makes half of such a loop scalar where it has to find
/// the vectors, and all of it where they are longer than a register.
#if defined(__AVX512F__)
inline constexpr std::size_t word_lanes = 16;
#elif defined(__AVX2__)
inline constexpr std::size_t word_lanes = 8;
#else
inline constexpr std::size_t word_lanes = 4;
#endif
typedef std::uint32_t WordVector __attribute__((vector_size(word_lanes * sizeof(std::uint32_t))));
typedef std::uint64_t ProductVector __attribute__((vector_size(word_lanes * sizeof(std::uint32_t))));

/// The even words of x times `factor`, 64 bits each: one instruction on x86, of which GCC makes three by itself, or
/// with AVX-512 the product of whole 64 bit words, three times as slow on Intel.
inline ProductVector even_products(const ProductVector& x, std::uint32_t factor) {
#if defined(__AVX512F__)
    return ProductVector(_mm512_mul_epu32(__m512i(x), _mm512_set1_epi64(factor)));
#elif defined(__AVX2__)
    return ProductVector(_mm256_mul_epu32(__m256i(x), _mm256_set1_epi64x(factor)));
#elif defined(__SSE2__)
    return ProductVector(_mm_mul_epu32(__m128i(x), _mm_set1_epi64x(factor)));
#else
    return (x & 0xFFFFFFFFu) * factor;
#endif
}

/// The high halves as the low ones. A shuffle, as a shift waits for the same part of a processor as a product.
inline ProductVector high_halves(const ProductVector& x) {
    return [&]<std::size_t... i>(std::index_sequence<i...>) {
        return ProductVector(__builtin_shufflevector(WordVector(x), WordVector(x), int(i | 1)...));
    }
    (std::make_index_sequence<word_lanes>());
}

/// The same for several counters side by side: word i of all counters is x[i], before and after. Even and odd counters
/// go through the rounds apart, as the low halves of 64 bits, of which the high halves never matter.
template <std::size_t parts>
void philox_lanes(std::array<std::array<WordVector, parts>, 4>& x, std::array<std::uint32_t, 2> key) {
    for (std::size_t part = 0; part < parts; ++part) {
        ProductVector w[2][4];
        for (std::size_t i = 0; i < 4; ++i) {
            w[0][i] = ProductVector(x[i][part]);
            w[1][i] = high_halves(w[0][i]);
        }
        for (std::uint32_t round = 0; round < 10; ++round) {
            for (auto& word : w) {
                const ProductVector a = even_products(word[0], 0xD2511F53u), b = even_products(word[2], 0xCD9E8D57u);
                word[0] = high_halves(b) ^ word[1] ^ std::uint64_t(key[0] + round * 0x9E3779B9u);
                word[1] = b;
                word[2] = high_halves(a) ^ word[3] ^ std::uint64_t(key[1] + round * 0xBB67AE85u);
                word[3] = a;
            }
        }
        for (std::size_t i = 0; i < 4; ++i) x[i][part] = WordVector((w[0][i] & 0xFFFFFFFFu) | (w[1][i] << 32));
    }
}

/// What a stream of random numbers is for. Streams of different purposes are independent.
enum class RandomPurpose : std::uint32_t {
    initialization,
    order,
    dropout,
    masking,
    curriculum,
    sharing,
    reservoir,
    rehearsal,
    fisher,
    bootstrap,
    data,
    user
};

/// Mixes 64 bits (the finalizer of SplitMix64; Steele, Lea and Flood 2014).
constexpr std::uint64_t mix_bits(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
}

/// What a random number depends on: every draw of a run is a function of these and of nothing else.
struct RandomKey {
    std::uint64_t seed = 0;
    RandomPurpose purpose = RandomPurpose::user;
    std::uint64_t experience = 0, epoch = 0, step = 0, sample = 0;

    constexpr std::uint64_t bits() const {
        std::uint64_t h = mix_bits(~seed); // the complement, or seed n and purpose n would cancel out
        for (const std::uint64_t part : {std::uint64_t(purpose), experience, epoch, step, sample})
            h = mix_bits(h ^ mix_bits(part));
        return h;
    }
};

/// A sequence of random numbers that belongs to one key. Copyable; position() and seek() are all its state.
class Random {
  public:
    explicit Random(const RandomKey& key) : Random(key.bits()) {}
    explicit Random(std::uint64_t key) : key_{std::uint32_t(key), std::uint32_t(key >> 32)} {}

    std::uint32_t bits() {
        const std::uint64_t block = position_ / 4;
        if (block != cached_block_) {
            cached_ = philox({std::uint32_t(block), std::uint32_t(block >> 32), 0, 0}, key_);
            cached_block_ = block;
        }
        return cached_[position_++ % 4];
    }

    /// Uniform in [0, 1) with 53 bits.
    double uniform() {
        const std::uint64_t high = bits();
        return double(((high << 32) | bits()) >> 11) * 0x1.0p-53;
    }

    /// Uniform in [0, bound) without bias (Lemire 2019, arXiv 1805.10941); bound > 0.
    std::uint64_t below(std::uint64_t bound) {
        while (true) {
            const std::uint64_t high = bits();
            const std::uint64_t x = (high << 32) | bits();
            __extension__ using Wide = unsigned __int128;
            const Wide product = Wide(x) * bound;
            if (std::uint64_t(product) >= bound || std::uint64_t(product) >= (0 - bound) % bound)
                return std::uint64_t(product >> 64);
        }
    }

    /// Standard normal, by Box and Muller.
    double normal() {
        const double u = 1.0 - uniform();
        return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * uniform());
    }

    /// A uniform permutation in place (Fisher and Yates).
    template <class T>
    void shuffle(std::span<T> items) {
        for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
    }

    std::uint64_t position() const { return position_; }
    void seek(std::uint64_t position) { position_ = position; }

  private:
    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 4> cached_{};
    std::uint64_t cached_block_ = ~std::uint64_t(0);
    std::uint64_t position_ = 0;
};

}
