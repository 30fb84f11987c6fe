#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/text/added_tokens.hpp"
#include "didact/text/byte_trie.hpp"
#include "didact/text/encoding.hpp"
#include "didact/text/normalizer.hpp"
#include "didact/text/template.hpp"
#include "didact/text/truncation.hpp"

namespace didact::text {

/// Everything of a WordPiece tokenizer but its vocabulary. The defaults are those of BERT uncased.
struct WordPieceOptions {
    BertNormalizer normalizer = {};
    std::string unk_token = "[UNK]", cls_token = "[CLS]", sep_token = "[SEP]", pad_token = "[PAD]",
                mask_token = "[MASK]";
    std::string continuing_subword_prefix = "##";
    std::size_t max_input_chars_per_word = 100; ///< a longer word is unknown as a whole
    /// Tokens found in the text itself. Where not given: the five above, as far as the vocabulary has them.
    std::optional<std::vector<AddedToken>> added_tokens = std::nullopt;
    /// What is put around texts. Where not given: BERT's [CLS] A [SEP] and [CLS] A [SEP] B [SEP].
    std::optional<Template> single = std::nullopt, pair = std::nullopt;
    bool clean_up_tokenization_spaces = true; ///< `decode` takes out the space before punctuation
    std::size_t model_max_length = 512; ///< what the model takes at most; 0 where unknown. For the user; no limit here

    friend bool operator==(const WordPieceOptions&, const WordPieceOptions&) = default;
};

struct EncodeOptions {
    std::size_t max_length = 0; ///< tokens, those of the template too; 0 is no limit
    Truncation truncation = Truncation::longest_first;
    bool add_special_tokens = true;
};

/// BERT's tokenizer (Devlin et al. 2018, arXiv 1810.04805; WordPiece: Wu et al. 2016, arXiv 1609.08144, section 4.1):
/// text is normalized, split at whitespace and punctuation, and each word becomes the longest vocabulary entries from
/// left to right, or [UNK] where that fails. Ids, offsets, word ids equal those of Hugging Face's BertTokenizerFast;
/// tests/parity/tokenizer_ids.py compares them. Immutable; any number of threads may use one.
class WordPieceTokenizer {
  public:
    /// `vocabulary[id]` is the token with that id; an empty string leaves the id unused. Error where a token is there
    /// twice or is not UTF-8, where the unknown token is missing, or where a template has not the texts that it is for.
    explicit WordPieceTokenizer(std::vector<std::string> vocabulary, WordPieceOptions options = {})
        : tokens_(std::move(vocabulary)), options_(std::move(options)), vocabulary_size_(tokens_.size()) {
        require(!tokens_.empty(), "the vocabulary is empty");
        for (std::size_t i = 0; i < tokens_.size(); ++i) add_to_tries(i);
        unk_id_ = ids_.find(options_.unk_token);
        require(unk_id_ != ByteTrie::absent, "the vocabulary of ", tokens_.size(), " tokens has no unknown token '",
                options_.unk_token, "'");
        if (!options_.added_tokens) options_.added_tokens = special_tokens_of_the_vocabulary();
        for (const AddedToken& token : *options_.added_tokens) add(token);
        before_normalization_ = AddedTokenFinder(*options_.added_tokens, false, options_.normalizer);
        after_normalization_ = AddedTokenFinder(*options_.added_tokens, true, options_.normalizer);
        if (!options_.single || !options_.pair) {
            const std::int32_t cls = cls_id(), sep = sep_id();
            if (!options_.single) options_.single = Template::bert_single(cls, sep);
            if (!options_.pair) options_.pair = Template::bert_pair(cls, sep);
        }
        check(*options_.single, "single texts", 0);
        check(*options_.pair, "pairs", 1);
    }

    /// One text. Error where it is not UTF-8, or where `max_length` leaves no room for it.
    Encoding encode(std::string_view text, const EncodeOptions& options = {}) const {
        Pieces pieces;
        Scratch scratch;
        append_pieces(text, {}, pieces, scratch);
        return encode_single(pieces, options);
    }

    /// Two texts in one encoding, the tokens of each with its type id.
    Encoding encode_pair(std::string_view first, std::string_view second, const EncodeOptions& options = {}) const {
        std::array<Pieces, 2> pieces;
        Scratch scratch;
        append_pieces(first, {}, pieces[0], scratch);
        append_pieces(second, {}, pieces[1], scratch);
        auto lengths = std::pair{pieces[0].size(), pieces[1].size()};
        const Template& around = template_of(true, options.add_special_tokens);
        if (options.max_length > 0)
            lengths =
                truncated_lengths(lengths.first, lengths.second, room(around, options.max_length), options.truncation);
        Encoding encoding =
            around.apply(std::array{PieceRange(pieces[0], 0, lengths.first), PieceRange(pieces[1], 0, lengths.second)});
        encoding.cut = pieces[0].size() - lengths.first + pieces[1].size() - lengths.second;
        return encoding;
    }

    /// A text that is split into words already, for tagging: `word_ids` tells each token's word (a word of which
    /// nothing is left after cleaning has no token), offsets count from the beginning of the word.
    template <class Words>
    Encoding encode_words(const Words& words, const EncodeOptions& options = {}) const {
        Pieces pieces;
        Scratch scratch;
        std::int32_t index = 0;
        for (const auto& word : words) append_pieces(word, index++, pieces, scratch);
        return encode_single(pieces, options);
    }

    /// Question and context as in extractive question answering: as many encodings of at most `max_length` tokens as
    /// the context needs, each with the whole question and a window of the context; a window repeats the last `stride`
    /// tokens of the one before. Error where the question leaves no more than `stride` tokens for the context.
    std::vector<Encoding> encode_windows(std::string_view question, std::string_view context, std::size_t max_length,
                                         std::size_t stride) const {
        std::array<Pieces, 2> pieces;
        Scratch scratch;
        append_pieces(question, {}, pieces[0], scratch);
        append_pieces(context, {}, pieces[1], scratch);
        const std::size_t limit = room(*options_.pair, max_length), asked = pieces[0].size(), all = pieces[1].size();
        const std::size_t width = limit > asked ? limit - asked : 0;
        require(asked + all <= limit || width > stride, "max_length ", max_length, " leaves ", width,
                " tokens for the context beside a question of ", asked, " tokens; a stride of ", stride, " needs more");
        std::vector<Encoding> windows;
        for (std::size_t begin = 0, end = 0; windows.empty() || end < all; begin += width - stride) {
            end = std::min(begin + width, all);
            windows.push_back(
                options_.pair->apply(std::array{PieceRange(pieces[0]), PieceRange(pieces[1], begin, end)}));
        }
        return windows;
    }

    /// The text of ids: tokens joined by spaces, continuations without. An added token comes back as it was added (so
    /// it does in tokenizers before 0.23, in its normalized form since). Error where an id is no token's.
    std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens = true) const {
        std::string text;
        bool first = true;
        for (const std::int32_t id : ids) {
            std::string_view token = token_of(id);
            if (skip_special_tokens && is_special(id)) continue;
            const std::string& prefix = options_.continuing_subword_prefix;
            if (!first && token.starts_with(prefix))
                token.remove_prefix(prefix.size());
            else if (!first && !(options_.clean_up_tokenization_spaces && token.size() == 1 &&
                                 std::string_view(".?!,").find(token) != std::string_view::npos))
                text += ' ';
            text += token;
            first = false;
        }
        return text;
    }

    /// The id of a token, or nothing.
    std::optional<std::int32_t> id_of(std::string_view token) const {
        const std::int32_t id = ids_.find(token);
        return id == ByteTrie::absent ? std::nullopt : std::optional(id);
    }

    /// The token with an id. Error where there is none.
    const std::string& token_of(std::int32_t id) const {
        require(id >= 0 && static_cast<std::size_t>(id) < tokens_.size() &&
                    !tokens_[static_cast<std::size_t>(id)].empty(),
                "no token has the id ", id, "; the vocabulary has ", tokens_.size());
        return tokens_[static_cast<std::size_t>(id)];
    }

    /// Ids of the special tokens. Error where the vocabulary does not have the one asked for.
    std::int32_t unk_id() const { return unk_id_; }
    std::int32_t cls_id() const { return special_id(options_.cls_token); }
    std::int32_t sep_id() const { return special_id(options_.sep_token); }
    std::int32_t pad_id() const { return special_id(options_.pad_token); }
    std::int32_t mask_id() const { return special_id(options_.mask_token); }

    /// Whether `decode` leaves the token out.
    bool is_special(std::int32_t id) const { return std::ranges::find(special_ids_, id) != special_ids_.end(); }

    /// The largest id plus 1, added tokens included: the rows that an embedding needs.
    std::size_t size() const { return tokens_.size(); }

    /// The tokens by id, without added tokens that were given ids after them.
    std::span<const std::string> vocabulary() const { return {tokens_.data(), vocabulary_size_}; }

    /// All options, with added tokens and templates as they are used.
    const WordPieceOptions& options() const { return options_; }

  private:
    struct Scratch {
        NormalizedText normalized = {};
    };

    void add_to_tries(std::size_t i) {
        const std::string& token = tokens_[i];
        if (token.empty()) return;
        const auto id = static_cast<std::int32_t>(i);
        try {
            unicode::require_valid(token);
        } catch (const Error& error) {
            fail("vocabulary entry ", i, ": ", error.what());
        }
        const std::int32_t before = ids_.insert(token, id);
        require(before == ByteTrie::absent, "vocabulary entries ", before, " and ", i, " are both '", excerpt(token),
                "'");
        words_.insert(token, id);
        if (token.starts_with(options_.continuing_subword_prefix))
            continuations_.insert(std::string_view(token).substr(options_.continuing_subword_prefix.size()), id);
    }

    std::vector<AddedToken> special_tokens_of_the_vocabulary() const {
        std::vector<AddedToken> tokens;
        for (const std::string& token :
             {options_.pad_token, options_.unk_token, options_.cls_token, options_.sep_token, options_.mask_token})
            if (const std::int32_t id = ids_.find(token);
                id != ByteTrie::absent && std::ranges::find(tokens, id, &AddedToken::id) == tokens.end())
                tokens.push_back({token, id});
        std::ranges::sort(tokens, {}, &AddedToken::id);
        return tokens;
    }

    void add(const AddedToken& token) {
        unicode::require_valid(token.content);
        require(!token.content.empty() && token.id >= 0, "added token '", token.content, "' with id ", token.id,
                " is empty or has a negative id");
        const auto place = static_cast<std::size_t>(token.id);
        require(place < vocabulary_size_ + options_.added_tokens->size(), "added token '", excerpt(token.content),
                "' has id ", token.id, ", beyond a vocabulary of ", vocabulary_size_, " and ",
                options_.added_tokens->size(), " added tokens");
        if (place >= tokens_.size()) tokens_.resize(place + 1);
        require(tokens_[place].empty() || tokens_[place] == token.content, "added token '", excerpt(token.content),
                "' has id ", token.id, ", which is that of '", excerpt(tokens_[place]), "'");
        tokens_[place] = token.content;
        const std::int32_t before = ids_.insert(token.content, token.id);
        require(before == ByteTrie::absent || before == token.id, "added token '", excerpt(token.content), "' has ids ",
                before, " and ", token.id);
        if (token.special) special_ids_.push_back(token.id);
    }

    /// A template stands for the first text once, for the second `seconds` times, and adds tokens that there are.
    void check(const Template& around, const char* of, std::size_t seconds) const {
        using enum TemplatePart::Kind;
        const std::size_t a = around.count(first), b = around.count(second);
        require(a == 1 && b == seconds, "the template of ", of, " has text A ", a, " times and text B ", b,
                " times, expected 1 and ", seconds);
        for (const TemplatePart& part : around.parts)
            if (part.kind == added) token_of(part.id);
    }

    std::int32_t special_id(const std::string& token) const {
        const std::int32_t id = ids_.find(token);
        require(id != ByteTrie::absent, "the vocabulary of ", tokens_.size(), " tokens has no '", token, "'");
        return id;
    }

    const Template& template_of(bool pair, bool add_special_tokens) const {
        using enum TemplatePart::Kind;
        static const Template bare_single{{{first, 0}}}, bare_pair{{{first, 0}, {second, 1}}};
        if (!add_special_tokens) return pair ? bare_pair : bare_single;
        return pair ? *options_.pair : *options_.single;
    }

    /// Tokens that the texts themselves may have.
    static std::size_t room(const Template& around, std::size_t max_length) {
        require(max_length > around.added(), "max_length ", max_length, " leaves no room for text beside ",
                around.added(), " special tokens");
        return max_length - around.added();
    }

    Encoding encode_single(const Pieces& pieces, const EncodeOptions& options) const {
        const Template& around = template_of(false, options.add_special_tokens);
        std::size_t length = pieces.size();
        if (options.max_length > 0) {
            require(options.truncation != Truncation::only_second, "only_second needs a second text");
            length = std::min(length, room(around, options.max_length));
        }
        Encoding encoding = around.apply(std::array{PieceRange(pieces, 0, length)});
        encoding.cut = pieces.size() - length;
        return encoding;
    }

    /// Appends the tokens of `text`; their word is `word`, or counted where it is not given.
    void append_pieces(std::string_view text, std::optional<std::int32_t> word, Pieces& pieces,
                       Scratch& scratch) const {
        std::int32_t next_word = 0;
        const auto word_index = [&] { return word ? *word : next_word++; };
        NormalizedText& normalized = scratch.normalized;
        const auto normalize_and_split = [&](std::size_t begin, std::size_t end) {
            normalized.clear();
            options_.normalizer.normalize(text, begin, end, normalized);
            after_normalization_.split(
                normalized.bytes,
                [&](std::size_t from, std::size_t to) {
                    for_each_word(std::string_view(normalized.bytes).substr(from, to - from),
                                  [&](std::size_t first, std::size_t last) {
                                      append_word(normalized, from + first, from + last, word_index(), pieces);
                                  });
                },
                [&](std::size_t from, std::size_t to, const AddedToken& token) {
                    pieces.append(token.id, normalized.source_of(from, to), word_index());
                });
        };
        before_normalization_.split(
            text, normalize_and_split, [&](std::size_t begin, std::size_t end, const AddedToken& token) {
                pieces.append(token.id, {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)},
                              word_index());
            });
    }

    /// Appends the longest entries that make up the bytes [begin, end), or the unknown token.
    void append_word(const NormalizedText& text, std::size_t begin, std::size_t end, std::int32_t word,
                     Pieces& pieces) const {
        const std::string_view bytes = std::string_view(text.bytes).substr(0, end);
        const std::size_t pieces_before = pieces.size();
        bool known = end - begin <= options_.max_input_chars_per_word || // fewer bytes than characters there are not
                     static_cast<std::size_t>(std::count_if(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                                            bytes.end(), [](char c) { return (c & 0xC0) != 0x80; })) <=
                         options_.max_input_chars_per_word;
        for (std::size_t at = begin; known && at < end;) {
            const auto match = (at == begin ? words_ : continuations_).longest_prefix(bytes.substr(at));
            known = match.value != ByteTrie::absent;
            if (known) pieces.append(match.value, text.source_of(at, at + match.length), word);
            at += match.length;
        }
        if (known) return;
        pieces.ids.resize(pieces_before);
        pieces.offsets.resize(pieces_before);
        pieces.word_ids.resize(pieces_before);
        pieces.append(unk_id_, text.source_of(begin, end), word);
    }

    std::vector<std::string> tokens_;
    WordPieceOptions options_;
    std::size_t vocabulary_size_;
    ByteTrie ids_, words_, continuations_;
    std::int32_t unk_id_ = ByteTrie::absent;
    std::vector<std::int32_t> special_ids_;
    AddedTokenFinder before_normalization_, after_normalization_;
};

}
