#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/text/normalizer.hpp"

namespace didact::text {

struct VocabularyOptions {
    std::size_t vocab_size = 30000;    ///< special tokens and characters included; fewer where the texts give no more
    std::uint64_t min_frequency = 2;   ///< a pair that occurs less often is not joined
    std::size_t limit_alphabet = 1000; ///< so many of the most frequent characters are kept
    BertNormalizer normalizer = {};    ///< `lowercase` and its other options as the tokenizer will have them
    std::vector<std::string> special_tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}; ///< these come first
    std::string continuing_subword_prefix = "##";
};

/// Learns the vocabulary of a WordPiece tokenizer from texts by what Hugging Face's `WordPieceTrainer` does: not the
/// likelihood of Schuster and Nakajima 2012, but byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909, algorithm
/// 1) over characters, with "##" before all but a word's first. The pair of neighbours that occurs most often becomes
/// one token, and so on. There the order of words, and with it of ids and of equally frequent pairs, is that of a hash
/// table; here words are taken in the order of their bytes, so the same texts give the same vocabulary, in whatever
/// order.
class VocabularyTrainer {
  public:
    explicit VocabularyTrainer(VocabularyOptions options = {}) : options_(std::move(options)) {}

    /// Counts the words of a text. Error where it is not UTF-8.
    void add(std::string_view text) {
        normalized_.clear();
        options_.normalizer.normalize(text, 0, text.size(), normalized_);
        const std::string_view bytes = normalized_.bytes;
        for_each_word(bytes, [&](std::size_t begin, std::size_t end) {
            const std::string_view word = bytes.substr(begin, end - begin);
            const auto known = counts_.find(word);
            if (known != counts_.end())
                ++known->second;
            else
                counts_.emplace(word, 1);
        });
    }

    /// The vocabulary, token by id. Error where there are no words, or where `vocab_size` has no room for the special
    /// tokens and characters.
    std::vector<std::string> train() const {
        require(!counts_.empty(), "a vocabulary cannot be trained on texts without words");
        Training training(options_);
        training.take(counts_);
        require(training.tokens.size() <= options_.vocab_size, "vocab_size ", options_.vocab_size, " is less than the ",
                training.tokens.size(), " special tokens and characters; limit_alphabet is ", options_.limit_alphabet);
        training.merge();
        return std::move(training.tokens);
    }

  private:
    using Pair = std::pair<std::int32_t, std::int32_t>;
    using Counts = std::map<std::string, std::uint64_t, std::less<>>;

    struct PairHash {
        std::size_t operator()(Pair pair) const {
            const auto joined = static_cast<std::uint64_t>(static_cast<std::uint32_t>(pair.first)) << 32 |
                                static_cast<std::uint32_t>(pair.second);
            return static_cast<std::size_t>(joined * 0x9E3779B97F4A7C15ull >> 7);
        }
    };

    struct Training {
        /// A pair and how often it occurred when it was put in the queue.
        struct Candidate {
            std::uint64_t count;
            Pair pair;

            /// The most frequent first, then the one made of older tokens.
            bool operator<(const Candidate& other) const {
                return std::tie(count, other.pair) < std::tie(other.count, pair);
            }
        };

        /// Words as lists of tokens; the words that a pair occurs in may list some where it occurs no more.
        struct Occurrences {
            std::uint64_t count = 0;
            std::vector<std::uint32_t> words = {};
        };

        explicit Training(const VocabularyOptions& options) : options(options) {
            for (const std::string& token : options.special_tokens) id_of(token);
        }

        std::int32_t id_of(const std::string& token) {
            const auto [found, added] = ids.try_emplace(token, static_cast<std::int32_t>(tokens.size()));
            if (added) tokens.push_back(token);
            return found->second;
        }

        template <class Each>
        static void for_each_character(std::string_view word, Each&& each) {
            for (std::size_t i = 0; i < word.size();) {
                const auto [c, length] = unicode::decode(word, i);
                each(c, word.substr(i, length), i == 0);
                i += length;
            }
        }

        /// Characters in the order of their code points, then, word by word, characters that continue one.
        void take(const Counts& counts) {
            std::map<char32_t, std::uint64_t> frequency;
            for (const auto& entry : counts)
                for_each_character(entry.first,
                                   [&](char32_t c, std::string_view, bool) { frequency[c] += entry.second; });
            std::vector<std::pair<std::uint64_t, char32_t>> rare;
            for (const auto& [c, count] : frequency) rare.emplace_back(count, c);
            std::ranges::sort(
                rare, [](auto a, auto b) { return a.first != b.first ? a.first < b.first : a.second > b.second; });
            rare.resize(rare.size() - std::min(rare.size(), options.limit_alphabet));
            for (const auto& [count, c] : rare) frequency.erase(c);
            for (const auto& [c, count] : frequency) {
                std::string character;
                unicode::append(character, c);
                id_of(character);
            }
            for (const auto& [word, count] : counts) {
                std::vector<std::int32_t> parts;
                for_each_character(word, [&](char32_t c, std::string_view bytes, bool first) {
                    if (!frequency.contains(c)) return;
                    parts.push_back(
                        id_of(first ? std::string(bytes) : options.continuing_subword_prefix + std::string(bytes)));
                });
                words.push_back(std::move(parts));
                word_counts.push_back(count);
            }
        }

        /// Adds `count` for each pair of the word. Unsigned, so that taking away is adding the negative.
        void count_pairs(std::uint32_t word, std::uint64_t count, bool list) {
            const auto& parts = words[word];
            for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
                Occurrences& occurrences = pairs[{parts[i], parts[i + 1]}];
                occurrences.count += count;
                if (list && (occurrences.words.empty() || occurrences.words.back() != word))
                    occurrences.words.push_back(word);
            }
        }

        void merge() {
            for (std::uint32_t word = 0; word < words.size(); ++word) count_pairs(word, word_counts[word], true);
            std::priority_queue<Candidate> queue;
            for (const auto& [pair, occurrences] : pairs) queue.push({occurrences.count, pair});
            while (tokens.size() < options.vocab_size && !queue.empty()) {
                const Candidate best = queue.top();
                queue.pop();
                const auto found = pairs.find(best.pair);
                if (found == pairs.end() || found->second.count == 0) continue;
                if (found->second.count != best.count) {
                    if (found->second.count < best.count) queue.push({found->second.count, best.pair});
                    continue; // one that grew has been put in the queue when it did
                }
                if (best.count < std::max<std::uint64_t>(options.min_frequency, 1)) break;
                std::string_view second = tokens[static_cast<std::size_t>(best.pair.second)];
                if (second.starts_with(options.continuing_subword_prefix))
                    second.remove_prefix(options.continuing_subword_prefix.size());
                const std::int32_t joined =
                    id_of(tokens[static_cast<std::size_t>(best.pair.first)] + std::string(second));
                const std::vector<std::uint32_t> affected = std::move(found->second.words);
                std::vector<Pair> grown;
                for (const std::uint32_t word : affected) join(word, best.pair, joined, grown);
                pairs.erase(best.pair);
                std::ranges::sort(grown);
                grown.erase(std::unique(grown.begin(), grown.end()), grown.end());
                for (const Pair& pair : grown)
                    if (const auto now = pairs.find(pair); now != pairs.end()) queue.push({now->second.count, pair});
            }
        }

        /// Puts `joined` for every occurrence of the pair in the word, from the left; notes pairs with the new token.
        void join(std::uint32_t word, Pair pair, std::int32_t joined, std::vector<Pair>& grown) {
            auto& parts = words[word];
            bool occurs = false;
            for (std::size_t i = 0; i + 1 < parts.size() && !occurs; ++i) occurs = Pair{parts[i], parts[i + 1]} == pair;
            if (!occurs) return;
            count_pairs(word, 0 - word_counts[word], false);
            std::size_t kept = 0;
            for (std::size_t i = 0; i < parts.size(); ++kept) {
                const bool joins = i + 1 < parts.size() && Pair{parts[i], parts[i + 1]} == pair;
                parts[kept] = joins ? joined : parts[i];
                i += joins ? 2 : 1;
            }
            parts.resize(kept);
            count_pairs(word, word_counts[word], false);
            for (std::size_t i = 0; i + 1 < parts.size(); ++i)
                if (parts[i] == joined || parts[i + 1] == joined) {
                    const Pair made{parts[i], parts[i + 1]};
                    auto& listed = pairs[made].words;
                    if (listed.empty() || listed.back() != word) listed.push_back(word);
                    grown.push_back(made);
                }
        }

        const VocabularyOptions& options;
        std::vector<std::string> tokens;
        std::unordered_map<std::string, std::int32_t> ids;
        std::vector<std::vector<std::int32_t>> words;
        std::vector<std::uint64_t> word_counts;
        std::unordered_map<Pair, Occurrences, PairHash> pairs;
    };

    VocabularyOptions options_;
    Counts counts_;
    NormalizedText normalized_;
};

/// The vocabulary learnt from a range of texts; see VocabularyTrainer.
template <class Texts>
std::vector<std::string> train_wordpiece(const Texts& texts, VocabularyOptions options = {}) {
    VocabularyTrainer trainer(std::move(options));
    for (const auto& text : texts) trainer.add(text);
    return trainer.train();
}

}
