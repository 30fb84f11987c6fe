#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "didact/text/encoding.hpp"

namespace didact::text {

/// The tokens of one text before any are added around them.
struct Pieces {
    std::vector<std::int32_t> ids = {};
    std::vector<ByteRange> offsets = {};
    std::vector<std::int32_t> word_ids = {};

    std::size_t size() const { return ids.size(); }

    void append(std::int32_t id, ByteRange offset, std::int32_t word) {
        ids.push_back(id);
        offsets.push_back(offset);
        word_ids.push_back(word);
    }
};

/// Some tokens of a text, [begin, end).
struct PieceRange {
    const Pieces* pieces;
    std::size_t begin, end;

    PieceRange(const Pieces& all) : PieceRange(all, 0, all.size()) {}
    PieceRange(const Pieces& all, std::size_t begin, std::size_t end) : pieces(&all), begin(begin), end(end) {}
};

/// One part of a template: a token that is added, or the tokens of the first or second text.
struct TemplatePart {
    enum class Kind : std::uint8_t { added, first, second } kind;
    std::int32_t type_id;
    std::int32_t id = 0; ///< of the token added

    friend bool operator==(const TemplatePart&, const TemplatePart&) = default;
};

/// What is put around one text or a pair: Hugging Face's `TemplateProcessing`.
struct Template {
    std::vector<TemplatePart> parts = {};

    friend bool operator==(const Template&, const Template&) = default;

    std::size_t count(TemplatePart::Kind kind) const {
        return static_cast<std::size_t>(std::ranges::count(parts, kind, &TemplatePart::kind));
    }
    /// How many tokens it adds.
    std::size_t added() const { return count(TemplatePart::Kind::added); }

    /// `texts` has one range, or two where the template has a part for the second text.
    Encoding apply(std::span<const PieceRange> texts) const {
        Encoding encoding;
        std::size_t size = added();
        for (const PieceRange& text : texts) size += text.end - text.begin;
        encoding.reserve(size);
        for (const TemplatePart& part : parts) {
            if (part.kind == TemplatePart::Kind::added) {
                encoding.ids.push_back(part.id);
                encoding.offsets.push_back({});
                encoding.word_ids.push_back(-1);
            } else {
                const PieceRange& text = texts[part.kind == TemplatePart::Kind::first ? 0 : 1];
                const auto copy = [&](auto& to, const auto& from) {
                    to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(text.begin),
                              from.begin() + static_cast<std::ptrdiff_t>(text.end));
                };
                copy(encoding.ids, text.pieces->ids);
                copy(encoding.offsets, text.pieces->offsets);
                copy(encoding.word_ids, text.pieces->word_ids);
            }
            const bool adds = part.kind == TemplatePart::Kind::added;
            encoding.type_ids.resize(encoding.ids.size(), part.type_id);
            encoding.special_mask.resize(encoding.ids.size(), adds);
            encoding.sequence_index.resize(
                encoding.ids.size(), static_cast<std::int8_t>(adds ? -1 : part.kind == TemplatePart::Kind::second));
        }
        return encoding;
    }

    /// [CLS] A [SEP].
    static Template bert_single(std::int32_t cls, std::int32_t sep) {
        using enum TemplatePart::Kind;
        return {{{added, 0, cls}, {first, 0}, {added, 0, sep}}};
    }
    /// [CLS] A [SEP] B [SEP], the second text and its [SEP] of type 1.
    static Template bert_pair(std::int32_t cls, std::int32_t sep) {
        using enum TemplatePart::Kind;
        return {{{added, 0, cls}, {first, 0}, {added, 0, sep}, {second, 1}, {added, 1, sep}}};
    }
};

}
