#pragma once
#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "didact/eval/classification.hpp"

namespace didact::eval {

/// A mention: tags [begin, end) of a sentence.
struct Entity {
    std::string type;
    std::size_t begin = 0, end = 0;
    auto operator<=>(const Entity&) const = default;
};

namespace detail {

struct Tag {
    char prefix;
    std::string_view type;
};

inline Tag parse_tag(std::string_view tag) {
    if (tag == "O") return {'O', "_"};
    const bool known = !tag.empty() && std::string_view("BIES").find(tag[0]) != std::string_view::npos;
    require(known && (tag.size() == 1 || tag[1] == '-'), "tag '", excerpt(tag),
            "': expected O, or B, I, E or S followed by '-' and a type");
    return {tag[0], tag.size() > 2 ? tag.substr(2) : "_"};
}

inline bool entity_ends(Tag before, Tag now) {
    if (before.prefix == 'O') return false;
    if (before.prefix == 'E' || before.prefix == 'S') return true;
    return now.prefix == 'B' || now.prefix == 'S' || now.prefix == 'O' || before.type != now.type;
}

inline bool entity_begins(Tag before, Tag now) {
    if (now.prefix == 'O') return false;
    if (now.prefix == 'B' || now.prefix == 'S') return true;
    return before.prefix == 'E' || before.prefix == 'S' || before.prefix == 'O' || before.type != now.type;
}

}

/// The mentions of one sentence by the rules of conlleval.pl (Tjong Kim Sang 2002), those of seqeval's default mode:
/// lenient, so an I- after O or after another type begins a mention. Tags are BIO (IOB1 and IOB2) or BIOES. A tag
/// without a type has the type "_". Throws Error for a tag of another form.
inline std::vector<Entity> entities(std::span<const std::string> tags) {
    std::vector<Entity> found;
    detail::Tag before{'O', "_"};
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= tags.size(); ++i) {
        const detail::Tag now = i < tags.size() ? detail::parse_tag(tags[i]) : detail::Tag{'O', "_"};
        if (detail::entity_ends(before, now)) found.push_back({std::string(before.type), begin, i});
        if (detail::entity_begins(before, now)) begin = i;
        before = now;
    }
    return found;
}

/// Precision, recall and F1 of mentions: a mention counts where type, begin and end are all right (Tjong Kim Sang and
/// De Meulder 2003). Equals seqeval 1.2 in its default mode with zero_division=0.
class EntityScores {
  public:
    /// One sentence. Throws Error where the lengths differ or a tag is no BIO or BIOES tag.
    void add(std::span<const std::string> predicted, std::span<const std::string> gold) {
        require(predicted.size() == gold.size(), "entity scores: ", predicted.size(), " predicted tags for ",
                gold.size(), " gold tags");
        const std::vector<Entity> guesses = entities(predicted), truths = entities(gold);
        for (const Entity& e : truths) ++types_[e.type].support;
        for (const Entity& e : guesses) {
            ClassScores& scores = types_[e.type];
            ++scores.predicted;
            const auto same_begin = std::ranges::lower_bound(truths, e.begin, {}, &Entity::begin);
            scores.true_positives += same_begin != truths.end() && *same_begin == e;
        }
    }

    /// One sentence as label numbers, `names[l]` being the tag of label l. Positions whose gold label is below 0
    /// (padding, later pieces of a word) are left out.
    void add(Labels predicted, Labels gold, std::span<const std::string> names) {
        require(predicted.size() == gold.size(), "entity scores: ", predicted.size(), " predicted labels for ",
                gold.size(), " gold labels");
        std::vector<std::string> guesses, truths;
        for (std::size_t i = 0; i < gold.size(); ++i) {
            if (gold[i] < 0) continue;
            for (const std::int32_t label : {predicted[i], gold[i]})
                require(label >= 0 && std::size_t(label) < names.size(), "entity scores: label ", label,
                        " at position ", i, ", expected one of ", names.size(), " tags");
            guesses.push_back(names[std::size_t(predicted[i])]);
            truths.push_back(names[std::size_t(gold[i])]);
        }
        add(guesses, truths);
    }

    /// By type, sorted by name; only types that occur.
    const std::map<std::string, ClassScores>& types() const { return types_; }

    /// The counts summed over types: its precision(), recall() and f1() are the usual "entity F1".
    ClassScores micro() const {
        ClassScores sum;
        for (const auto& [type, scores] : types_) {
            sum.support += scores.support;
            sum.predicted += scores.predicted;
            sum.true_positives += scores.true_positives;
        }
        return sum;
    }

    double f1() const { return micro().f1(); }
    double macro_f1() const { return eval::macro_f1(list()); }
    double weighted_f1() const { return eval::weighted_f1(list()); }

  private:
    std::vector<ClassScores> list() const {
        std::vector<ClassScores> all;
        for (const auto& [type, scores] : types_) all.push_back(scores);
        return all;
    }

    std::map<std::string, ClassScores> types_;
};

/// Micro F1 over all sentences.
inline double entity_f1(std::span<const std::vector<std::string>> predicted,
                        std::span<const std::vector<std::string>> gold) {
    require(predicted.size() == gold.size(), "entity F1: ", predicted.size(), " predicted sentences for ", gold.size(),
            " gold sentences");
    EntityScores scores;
    for (std::size_t i = 0; i < gold.size(); ++i) scores.add(predicted[i], gold[i]);
    return scores.f1();
}

}
