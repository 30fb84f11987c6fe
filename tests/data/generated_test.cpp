#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include <Eigen/Core>

#include "didact/data/generated.hpp"

namespace generated_test {

using namespace didact;

namespace {

std::vector<std::string> lower_words(const GeneratedText& text) {
    std::vector<std::string> words;
    for (const TaggedWord& w : text.words) {
        words.push_back(w.word);
        for (char& c : words.back()) c = char(std::tolower(static_cast<unsigned char>(c)));
    }
    return words;
}

/// The words of a text, each once: a linear reader of these cannot see what a "no" belongs to.
std::vector<std::string> bag_of_words(const GeneratedText& text) {
    std::vector<std::string> words = lower_words(text);
    std::ranges::sort(words);
    words.erase(std::unique(words.begin(), words.end()), words.end());
    return words;
}

/// What the text says of this patient: the symptoms, each with its polarity.
std::vector<std::string> findings(const GeneratedText& text) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < clinical::symptoms.size(); ++i) {
        if (text.findings.affirmed >> i & 1) names.push_back("+" + std::string(clinical::symptoms[i].name));
        if (text.findings.denied >> i & 1) names.push_back("-" + std::string(clinical::symptoms[i].name));
    }
    return names;
}

/// Multinomial logistic regression on sets of named features, by AdaGrad.
class SoftmaxClassifier {
  public:
    using Features = std::vector<std::string> (*)(const GeneratedText&);

    SoftmaxClassifier(Features features, const std::vector<GeneratedText>& texts, int epochs) : features_(features) {
        std::vector<std::vector<int>> samples;
        for (const GeneratedText& text : texts) {
            samples.emplace_back();
            for (const std::string& name : features(text))
                samples.back().push_back(numbers_.try_emplace(name, int(numbers_.size())).first->second);
        }
        const auto classes = Eigen::Index(ClinicalGrammar::labels().size());
        weight_ = Eigen::MatrixXf::Zero(classes, Eigen::Index(numbers_.size()));
        Eigen::MatrixXf squares = Eigen::MatrixXf::Constant(classes, weight_.cols(), 1e-4f);
        for (int epoch = 0; epoch < epochs; ++epoch)
            for (std::size_t i = 0; i < samples.size(); ++i) {
                Eigen::VectorXf p = scores(samples[i]);
                p = (p.array() - p.maxCoeff()).exp();
                p /= p.sum();
                p(texts[i].label) -= 1;
                for (const int f : samples[i]) {
                    squares.col(f).array() += p.array().square();
                    weight_.col(f).array() -= 0.3f * p.array() / squares.col(f).array().sqrt();
                }
            }
    }

    std::int32_t predict(const GeneratedText& text) const {
        std::vector<int> sample;
        for (const std::string& name : features_(text))
            if (const auto found = numbers_.find(name); found != numbers_.end()) sample.push_back(found->second);
        Eigen::Index best;
        scores(sample).maxCoeff(&best);
        return std::int32_t(best);
    }

    double accuracy(const std::vector<GeneratedText>& texts) const {
        double right = 0;
        for (const GeneratedText& text : texts) right += predict(text) == text.true_label;
        return right / double(texts.size());
    }

  private:
    Eigen::VectorXf scores(const std::vector<int>& sample) const {
        Eigen::VectorXf sum = Eigen::VectorXf::Zero(weight_.rows());
        for (const int f : sample) sum += weight_.col(f);
        return sum;
    }

    Features features_;
    std::unordered_map<std::string, int> numbers_;
    Eigen::MatrixXf weight_;
};

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
    const auto a = Eigen::Map<const Eigen::ArrayXd>(x.data(), Eigen::Index(x.size()));
    const auto b = Eigen::Map<const Eigen::ArrayXd>(y.data(), Eigen::Index(y.size()));
    const Eigen::ArrayXd u = a - a.mean(), v = b - b.mean();
    return (u * v).sum() / std::sqrt(u.square().sum() * v.square().sum());
}

const ClinicalGrammar first_period, later_period({.period = ClinicalPeriod::later});

/// Whether k of n differs from the share p by less than five standard deviations.
bool near_share(double k, double n, double p) { return std::abs(k - n * p) < 5 * std::sqrt(n * p * (1 - p)); }

}

TEST_SUITE("unit") {
    TEST_CASE(
        "clinical knowledge: rivals share a symptom, name each other and each has a hallmark the other never has") {
        using namespace clinical;
        for (const Disease& disease : diseases) {
            CAPTURE(disease.name);
            CHECK(!disease.rivals[0].empty());
            for (const std::string_view name : disease.rivals) {
                if (name.empty()) continue;
                CAPTURE(name);
                REQUIRE(disease_number(name) < diseases.size());
                const Disease& rival = diseases[disease_number(name)];
                CHECK((disease.possible() & rival.possible()) != 0);
                CHECK((disease.hallmarks & ~rival.possible()) != 0);
                CHECK(std::ranges::find(rival.rivals, disease.name) != rival.rivals.end());
            }
        }
    }

    TEST_CASE("clinical knowledge: new diseases come last, and no wording of a symptom belongs to two of them") {
        using namespace clinical;
        bool later = false;
        for (const Disease& disease : diseases) {
            CHECK(disease.only_later >= later);
            later = disease.only_later;
        }
        CHECK(first_period.classes() == 16);
        CHECK(later_period.classes() == 20);
        std::map<std::string_view, std::string_view> owner;
        for (const Symptom& symptom : symptoms)
            for (std::string_view list : {symptom.lay, symptom.medical, symptom.notes})
                while (!list.empty()) {
                    const std::string_view phrase = list.substr(0, list.find('|'));
                    list.remove_prefix(std::min(phrase.size() + 1, list.size()));
                    CHECK_MESSAGE(owner.try_emplace(phrase, symptom.name).first->second == symptom.name, phrase);
                }
    }

    TEST_CASE("clinical grammar: options outside their range are an error that names them") {
        CHECK_THROWS_WITH_AS(ClinicalGrammar({.label_noise = 1.5}),
                             "ClinicalGrammarOptions: label_noise is 1.5, expected a share in [0, 1]", Error);
        CHECK_THROWS_AS(ClinicalGrammar({.negation = -0.1}), Error);
        CHECK_THROWS_AS(ClinicalGrammar({.max_distractors = 100}), Error);
    }
}

TEST_SUITE("property") {
    TEST_CASE("clinical grammar: text i depends on seed and i only") {
        const auto few = first_period.generate(7, 20), many = first_period.generate(7, 60),
                   tail = first_period.generate(7, 10, 10);
        for (std::size_t i = 0; i < 20; ++i) {
            CHECK(few[i].text == many[i].text);
            CHECK(few[i].words == many[i].words);
            CHECK(few[i].label == many[i].label);
            CHECK(few[i].difficulty == many[i].difficulty);
            if (i >= 10) CHECK(few[i].text == tail[i - 10].text);
        }
        CHECK(first_period.generate(8, 1)[0].text != few[0].text);
        std::set<std::string> texts;
        for (const GeneratedText& text : first_period.generate(7, 2000)) texts.insert(text.text);
        CHECK(texts.size() > 1990);
    }

    TEST_CASE("clinical grammar: the findings of every text leave its disease and no other") {
        for (const ClinicalGrammar* grammar : {&first_period, &later_period})
            for (const GeneratedText& text : grammar->generate(1, 3000)) {
                CAPTURE(text.text);
                CHECK(clinical::diagnosis(text.findings) == std::uint32_t(1) << text.true_label);
                CHECK((text.findings.affirmed & text.findings.denied) == 0);
                CHECK(std::popcount(text.findings.affirmed) <= 8);
                CHECK(text.label == text.true_label);
            }
    }

    TEST_CASE("clinical grammar: a text that negation decides names and denies a rival's hallmark, another does not") {
        std::size_t decided = 0;
        const auto texts = first_period.generate(2, 3000);
        for (const GeneratedText& text : texts) {
            const clinical::Disease& disease = clinical::diseases[std::size_t(text.true_label)];
            clinical::SymptomSet rivals = 0;
            for (const std::string_view name : disease.rivals)
                if (!name.empty()) rivals |= clinical::diseases[clinical::disease_number(name)].hallmarks;
            CHECK(((text.findings.denied & rivals & ~disease.possible()) != 0) == text.decided_by_negation);
            decided += text.decided_by_negation;
        }
        CHECK(near_share(double(decided), double(texts.size()), ClinicalGrammarOptions().negation));
        for (const GeneratedText& text : ClinicalGrammar({.negation = 0}).generate(2, 300))
            CHECK(!text.decided_by_negation);
    }

    TEST_CASE("clinical grammar: classes of the first period are equally frequent") {
        std::map<std::int32_t, double> counts;
        for (const GeneratedText& text : first_period.generate(3, 8000)) ++counts[text.label];
        CHECK(counts.size() == 16);
        for (const auto& [label, count] : counts) CHECK(near_share(count, 8000, 1.0 / 16));
    }

    TEST_CASE("clinical grammar: difficulty lies in [0, 1], falls with affirmed symptoms, rises with distractors and "
              "negation") {
        std::vector<double> difficulty, affirmed, distractors, negation;
        for (const GeneratedText& text : first_period.generate(4, 3000)) {
            CHECK(text.difficulty >= 0);
            CHECK(text.difficulty <= 1);
            difficulty.push_back(text.difficulty);
            affirmed.push_back(std::popcount(text.findings.affirmed));
            distractors.push_back(double(text.distractors));
            negation.push_back(text.decided_by_negation);
        }
        CHECK(correlation(difficulty, affirmed) < -0.1);
        CHECK(correlation(difficulty, distractors) > 0.1);
        CHECK(correlation(difficulty, negation) > 0.5);
    }

    TEST_CASE("clinical grammar: words and tags agree with the text, tags are BIO, all kinds of mention occur") {
        std::set<std::int32_t> seen;
        for (const ClinicalGrammar* grammar : {&first_period, &later_period})
            for (const GeneratedText& text : grammar->generate(5, 1000)) {
                CAPTURE(text.text);
                std::string squeezed, expected;
                for (const char c : text.text)
                    if (c != ' ') squeezed += c;
                std::int32_t before = 0, symptoms = 0;
                for (const TaggedWord& w : text.words) {
                    CHECK(!w.word.empty());
                    CHECK(w.word.find_first_of(" {}|") == std::string::npos);
                    expected += w.word;
                    REQUIRE(w.tag >= 0);
                    REQUIRE(w.tag < 7);
                    const bool inside = w.tag > 0 && w.tag % 2 == 0;
                    if (inside) CHECK((before == w.tag || before == w.tag - 1));
                    before = w.tag;
                    symptoms += w.tag == 1;
                    seen.insert(w.tag);
                }
                CHECK(squeezed == expected);
                CHECK(symptoms >= std::popcount(text.findings.affirmed) + std::popcount(text.findings.denied));
            }
        CHECK(seen.size() == ClinicalGrammar::tag_names().size());
    }

    TEST_CASE("clinical grammar: label noise comes at its rate, uniformly, and leaves the texts as they are") {
        const auto clean = first_period.generate(6, 8000);
        const auto noisy = ClinicalGrammar({.label_noise = 0.15}).generate(6, 8000);
        double wrong = 0, next = 0;
        for (std::size_t i = 0; i < clean.size(); ++i) {
            CHECK(noisy[i].text == clean[i].text);
            CHECK(noisy[i].true_label == clean[i].label);
            CHECK(noisy[i].label < 16);
            wrong += noisy[i].label != clean[i].label;
            next += noisy[i].label == (clean[i].label + 1) % 16;
        }
        CHECK(near_share(wrong, 8000, 0.15));
        CHECK(near_share(next, 8000, 0.15 / 15));
    }

    TEST_CASE("clinical grammar: the later period has new diseases, other frequencies and other words") {
        std::map<std::int32_t, double> counts;
        std::set<std::string> old_words, new_words;
        double unknown = 0, all = 0;
        for (const GeneratedText& text : first_period.generate(8, 3000))
            for (const std::string& word : lower_words(text)) old_words.insert(word);
        for (const GeneratedText& text : later_period.generate(8, 3000)) {
            ++counts[text.label];
            for (const std::string& word : lower_words(text)) unknown += !old_words.contains(word), ++all;
        }
        CHECK(counts.size() == 20);
        CHECK(counts[16] > 4 * counts[2]); // covid, weight 3, against allergic rhinitis, weight 0.5
        CHECK(unknown / all > 0.1);
        CHECK(unknown / all < 0.6);
    }

    TEST_CASE("clinical grammar: unlabelled texts are others than the labelled ones") {
        const auto unlabelled = first_period.unlabelled_text(9, 500);
        CHECK(unlabelled == first_period.unlabelled_text(9, 500));
        std::set<std::string> labelled;
        for (const GeneratedText& text : first_period.generate(9, 500)) labelled.insert(text.text);
        std::size_t common = 0;
        for (const std::string& text : unlabelled) common += labelled.contains(text);
        CHECK(common < 5);
    }
}

TEST_SUITE("slow") {
    TEST_CASE(
        "clinical grammar: a bag of words learns much but not rivals, and difficulty tells which texts it misses") {
        const auto train = first_period.generate(10, 8000), test = first_period.generate(11, 3000);
        const SoftmaxClassifier words(bag_of_words, train, 8), understood(findings, train, 8);
        std::vector<GeneratedText> easy, hard, plain, decided, later;
        for (const GeneratedText& text : later_period.generate(12, 3000))
            if (std::size_t(text.true_label) < first_period.classes()) later.push_back(text);
        for (const GeneratedText& text : test) {
            if (text.difficulty < 0.3f) easy.push_back(text);
            if (text.difficulty > 0.7f) hard.push_back(text);
            (text.decided_by_negation ? decided : plain).push_back(text);
        }
        const double by_words = words.accuracy(test), by_findings = understood.accuracy(test);
        MESSAGE("bag of words ", by_words, " (train ", words.accuracy(train), ", without negation ",
                words.accuracy(plain), ", decided by negation ", words.accuracy(decided), ", easy ",
                words.accuracy(easy), " of ", easy.size(), ", hard ", words.accuracy(hard), " of ", hard.size(),
                "); findings with polarity ", by_findings, "; bag of words on old diseases in the later period ",
                words.accuracy(later));
        CHECK(by_words > 0.5);
        CHECK(by_findings > 0.97);
        CHECK(by_words < by_findings - 0.15);
        CHECK(words.accuracy(easy) > words.accuracy(hard) + 0.2);
        CHECK(words.accuracy(plain) > words.accuracy(decided) + 0.1);
        CHECK(words.accuracy(decided) < 0.65);
        CHECK(words.accuracy(later) < by_words - 0.1);
        CHECK(understood.accuracy(later) > 0.95);
    }
}

}
