#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "didact/core/error.hpp"
#include "didact/data/generated/clinical_writer.hpp"

namespace didact {

/// A generated description of symptoms.
struct GeneratedText {
    std::string text;                 ///< English, a few sentences
    std::int32_t label = 0;           ///< what a data set would say, wrong at the rate of the label noise
    float difficulty = 0;             ///< in [0, 1], see ClinicalGrammar
    std::vector<TaggedWord> words;    ///< the text split, tags numbered as in ClinicalGrammar::tag_names()
    std::int32_t true_label = 0;      ///< what the findings say
    clinical::Findings findings;      ///< what the text says about this patient, by which true_label is determined
    std::size_t distractors = 0;      ///< sentences that say nothing about it
    bool decided_by_negation = false; ///< a hallmark of a rival disease is mentioned and denied
};

enum class ClinicalPeriod : std::uint8_t { first, later };

struct ClinicalGrammarOptions {
    double label_noise = 0;          ///< share of labels replaced by another of the period, uniformly
    double negation = 0.5;           ///< share of texts in which a denied hallmark of a rival decides
    std::size_t max_distractors = 2; ///< their number in a text is uniform in [0, max_distractors]
    ClinicalPeriod period = ClinicalPeriod::first;

    void check() const {
        require(label_noise >= 0 && label_noise <= 1, "ClinicalGrammarOptions: label_noise is ", label_noise,
                ", expected a share in [0, 1]");
        require(negation >= 0 && negation <= 1, "ClinicalGrammarOptions: negation is ", negation,
                ", expected a share in [0, 1]");
        require(max_distractors <= 20, "ClinicalGrammarOptions: max_distractors is ", max_distractors, ", at most 20");
    }
};

/// Descriptions of symptoms and the disease behind them, made from a small grammar, for examples, tests and benchmarks
/// that must run without any file. Two tasks in one: the disease (one label a text), and mentions of symptoms, diseases
/// and drugs (BIO tags, one a word).
///
/// The label follows from the text: it is the one disease that can cause every symptom the text affirms and none of
/// whose hallmarks the text denies (`clinical::diagnosis`). A reader who does not see what "denies", "no" or "without"
/// refer to cannot tell rivals apart where both their hallmarks are mentioned, and relatives' and past complaints
/// mislead.
///
/// Difficulty is 0.4 where a denied hallmark of a rival decides, + 0.15 min(denied, 3) / 3
/// + 0.2 (1 − min(affirmed − 1, 3) / 3) + 0.25 min(2 misleading + other distractors, 6) / 6.
///
/// The later period has other wording (triage notes), other frequencies and four new diseases. Labels have the same
/// numbers in both. Text i depends on the options, the seed and i alone, and label noise leaves the texts as they are.
class ClinicalGrammar {
  public:
    explicit ClinicalGrammar(const ClinicalGrammarOptions& options = {}) : options_(options) { options_.check(); }

    const ClinicalGrammarOptions& options() const { return options_; }

    /// The names of all classes, those of the later period's new diseases last.
    static std::vector<std::string> labels() {
        std::vector<std::string> names;
        for (const clinical::Disease& disease : clinical::diseases) names.emplace_back(disease.name);
        return names;
    }

    /// How many of the first labels occur in the period of the options.
    std::size_t classes() const {
        std::size_t count = clinical::diseases.size();
        while (options_.period == ClinicalPeriod::first && clinical::diseases[count - 1].only_later) --count;
        return count;
    }

    /// O, then B- and I- of SYMPTOM, DISEASE and DRUG.
    static std::vector<std::string> tag_names() {
        return {"O", "B-SYMPTOM", "I-SYMPTOM", "B-DISEASE", "I-DISEASE", "B-DRUG", "I-DRUG"};
    }

    /// Text i of this seed.
    GeneratedText sample(std::uint64_t seed, std::uint64_t i) const { return sample(seed, i, 0); }

    /// Texts first … first + count − 1 of this seed. Take different seeds for training and test data.
    std::vector<GeneratedText> generate(std::uint64_t seed, std::size_t count, std::uint64_t first = 0) const {
        std::vector<GeneratedText> texts;
        texts.reserve(count);
        for (std::size_t i = 0; i < count; ++i) texts.push_back(sample(seed, first + i));
        return texts;
    }

    /// Texts without labels, for masked language modelling. They are others than `generate` gives for any seed.
    std::vector<std::string> unlabelled_text(std::uint64_t seed, std::size_t count) const {
        std::vector<std::string> texts;
        texts.reserve(count);
        for (std::size_t i = 0; i < count; ++i) texts.push_back(sample(seed, i, 1).text);
        return texts;
    }

  private:
    using SymptomSet = clinical::SymptomSet;

    /// A sentence that is to be written.
    struct Sentence {
        std::string_view patterns;
        std::vector<std::size_t> affirmed = {}, denied = {};
        std::size_t other = 0;
    };

    GeneratedText sample(std::uint64_t seed, std::uint64_t i, std::uint64_t kind) const {
        const auto key = [&](std::uint64_t step) {
            return RandomKey{.seed = seed,
                             .purpose = RandomPurpose::data,
                             .experience = std::uint64_t(options_.period),
                             .epoch = kind,
                             .step = step,
                             .sample = i};
        };
        Random random(key(0)), noise(key(1));
        GeneratedText result;
        const std::size_t disease = draw_disease(random);
        result.label = result.true_label = std::int32_t(disease);
        if (noise.uniform() < options_.label_noise) {
            result.label = std::int32_t(noise.below(classes() - 1));
            result.label += result.label >= result.true_label;
        }
        result.findings = draw_findings(disease, random, result.decided_by_negation);
        write(result, random);
        return result;
    }

    std::size_t draw_disease(Random& random) const {
        if (options_.period == ClinicalPeriod::first) return random.below(classes());
        double total = 0;
        for (const clinical::Disease& disease : clinical::diseases) total += disease.later_weight;
        double left = random.uniform() * total;
        for (std::size_t d = 0; d < clinical::diseases.size(); ++d)
            if ((left -= clinical::diseases[d].later_weight) < 0) return d;
        return clinical::diseases.size() - 1;
    }

    /// One member of a set, 0 where it is empty.
    static SymptomSet draw(SymptomSet set, Random& random) {
        if (set == 0) return 0;
        for (std::uint64_t skip = random.below(std::uint64_t(std::popcount(set))); skip > 0; --skip) set &= set - 1;
        return set & (~set + 1);
    }

    clinical::Findings draw_findings(std::size_t number, Random& random, bool& decided_by_negation) const {
        using namespace clinical;
        const Disease& disease = diseases[number];
        const auto rivals = std::size_t(std::ranges::count_if(disease.rivals, [](auto name) { return !name.empty(); }));
        SymptomSet rival_hallmarks = 0;
        for (std::size_t r = 0; r < rivals; ++r)
            rival_hallmarks |= diseases[disease_number(disease.rivals[r])].hallmarks;
        rival_hallmarks &= ~disease.possible();

        Findings findings;
        decided_by_negation = random.uniform() < options_.negation;
        bool by_exclusion = false;
        if (decided_by_negation) {
            const Disease& rival = diseases[disease_number(disease.rivals[random.below(rivals)])];
            by_exclusion = random.below(3) == 0;
            for (std::uint64_t left = 1 + random.below(2); left > 0; --left)
                findings.affirmed |= draw(disease.possible() & rival.possible() & ~findings.affirmed, random);
            if (!by_exclusion) findings.affirmed |= draw(disease.hallmarks & ~rival.possible(), random);
            findings.denied |= draw(rival.hallmarks & ~disease.possible(), random);
        } else {
            if (random.below(5) != 0) findings.affirmed |= draw(disease.hallmarks, random);
            for (std::uint64_t left = 1 + random.below(3); left > 0; --left)
                findings.affirmed |= draw(disease.possible() & ~findings.affirmed, random);
        }
        for (std::uint64_t left = random.below(2); left > 0; --left) // denials that exclude nothing of interest
            findings.denied |= draw(all_symptoms() & ~disease.possible() & ~rival_hallmarks & ~findings.denied, random);

        // More findings, until one disease is left.
        const std::uint32_t own = std::uint32_t(1) << number;
        while (const std::uint32_t left = diagnosis(findings) & ~own) {
            SymptomSet telling = 0, excluding = 0;
            for (std::size_t d = 0; d < diseases.size(); ++d) {
                if (!(left >> d & 1)) continue;
                telling |= disease.possible() & ~diseases[d].possible();
                excluding |= diseases[d].hallmarks & ~disease.possible() &
                             (decided_by_negation ? ~SymptomSet(0) : ~rival_hallmarks);
            }
            const bool deny = excluding != 0 && (telling == 0 || (by_exclusion && std::popcount(findings.denied) < 3));
            (deny ? findings.denied : findings.affirmed) |= draw(deny ? excluding : telling, random);
        }
        return findings;
    }

    static constexpr SymptomSet all_symptoms() { return (SymptomSet(1) << clinical::symptoms.size()) - 1; }

    static std::vector<std::size_t> numbers(SymptomSet set, Random& random) {
        std::vector<std::size_t> list;
        for (; set != 0; set &= set - 1) list.push_back(std::size_t(std::countr_zero(set)));
        random.shuffle(std::span(list));
        return list;
    }

    /// The first members of a list, taken from it.
    static std::vector<std::size_t> take(std::vector<std::size_t>& list, std::size_t count) {
        const auto end = list.begin() + std::ptrdiff_t(std::min(count, list.size()));
        std::vector<std::size_t> taken(list.begin(), end);
        list.erase(list.begin(), end);
        return taken;
    }

    void write(GeneratedText& result, Random& random) const {
        using clinical::Register;
        const bool later = options_.period == ClinicalPeriod::later;
        const std::uint64_t draw_form = random.below(10);
        const Register form = later && draw_form < 6 ? Register::notes
                              : draw_form % 2        ? Register::lay
                                                     : Register::medical;
        const clinical::Wording& wording = clinical::wording(form);

        std::vector<std::size_t> affirmed = numbers(result.findings.affirmed, random);
        std::vector<std::size_t> denied = numbers(result.findings.denied, random);
        const Sentence opening{wording.opening, take(affirmed, 1 + random.below(2))};
        std::vector<Sentence> sentences;
        if (!affirmed.empty() && !denied.empty() && random.below(2) == 0) {
            std::vector<std::size_t> yes = take(affirmed, 1 + random.below(2)), no = take(denied, 1 + random.below(2));
            sentences.push_back({wording.contrast, std::move(yes), std::move(no)});
        }
        while (!affirmed.empty())
            sentences.push_back(
                {random.below(4) == 0 ? wording.persistent : wording.more, take(affirmed, 1 + random.below(3))});
        while (!denied.empty()) sentences.push_back({wording.denial, {}, take(denied, 1 + random.below(2))});

        result.distractors = random.below(options_.max_distractors + 1);
        std::size_t misleading = 0;
        for (std::size_t k = 0; k < result.distractors; ++k) {
            const bool misleads = random.below(3) == 0;
            misleading += misleads;
            const SymptomSet mentioned = result.findings.affirmed | result.findings.denied;
            const SymptomSet other = draw(all_symptoms() & ~mentioned, random);
            sentences.push_back(
                {misleads ? wording.misleading : wording.background, {}, {}, std::size_t(std::countr_zero(other))});
        }
        random.shuffle(std::span(sentences));
        sentences.insert(sentences.begin(), opening);

        clinical::Writer writer(random, form, later);
        for (const Sentence& s : sentences) writer.write(s.patterns, s.affirmed, s.denied, s.other);
        result.words = std::move(writer).words();
        result.text = clinical::joined(result.words);
        result.difficulty = difficulty(result, misleading);
    }

    static float difficulty(const GeneratedText& text, std::size_t misleading) {
        const double affirmed = std::popcount(text.findings.affirmed), denied = std::popcount(text.findings.denied);
        const double distraction = double(text.distractors + misleading);
        return float(0.4 * text.decided_by_negation + 0.15 * std::min(denied, 3.0) / 3 +
                     0.2 * (1 - std::min(affirmed - 1, 3.0) / 3) + 0.25 * std::min(distraction, 6.0) / 6);
    }

    ClinicalGrammarOptions options_;
};

}
