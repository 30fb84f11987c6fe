// Computes the metrics of didact/eval on the data in a JSON object from standard input and prints them as one JSON
// object. tests/parity/metrics.py compares them with the numbers of other libraries.
#include <exception>
#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

#include "didact/eval/calibration.hpp"
#include "didact/eval/classification.hpp"
#include "didact/eval/evaluation.hpp"
#include "didact/eval/regression.hpp"
#include "didact/eval/significance.hpp"
#include "didact/eval/span.hpp"
#include "didact/eval/tagging.hpp"

using namespace didact::eval;
using nlohmann::json;

namespace {

using Integers = std::vector<std::int32_t>;
using Reals = std::vector<double>;

json scores_of(const ClassScores& scores) {
    return {{"precision", scores.precision()},
            {"recall", scores.recall()},
            {"f1", scores.f1()},
            {"support", scores.support},
            {"false_positives", scores.false_positives()}};
}

json interval_of(const Interval& interval) { return {interval.mean, interval.low, interval.high}; }

json classification(const json& in) {
    const auto predicted = in.at("predicted").get<Integers>(), gold = in.at("gold").get<Integers>();
    const ConfusionMatrix matrix(predicted, gold);
    json out = {{"accuracy", accuracy(predicted, gold)},
                {"macro_f1", macro_f1(predicted, gold)},
                {"micro_f1", micro_f1(predicted, gold)},
                {"weighted_f1", weighted_f1(predicted, gold)},
                {"balanced_accuracy", balanced_accuracy(predicted, gold)},
                {"matthews_correlation", matthews_correlation(predicted, gold)},
                {"classes", json::array()},
                {"confusion", json::array()}};
    for (const ClassScores& scores : class_scores(predicted, gold)) out["classes"].push_back(scores_of(scores));
    for (std::size_t g = 0; g < matrix.classes(); ++g) {
        json row = json::array();
        for (std::size_t p = 0; p < matrix.classes(); ++p) row.push_back(matrix(g, p));
        out["confusion"].push_back(row);
    }
    return out;
}

json multi_label(const json& in) {
    didact::Evaluation result;
    result.predicted = in.at("predicted").get<Integers>();
    result.gold = in.at("gold").get<Integers>();
    add_multi_label_metrics(result, in.at("labels"));
    json out = json::object();
    for (const auto& [name, value] : result.metrics) out[name] = value;
    return out;
}

json tagging(const json& in) {
    const auto predicted = in.at("predicted").get<std::vector<std::vector<std::string>>>();
    const auto gold = in.at("gold").get<std::vector<std::vector<std::string>>>();
    EntityScores scores;
    for (std::size_t i = 0; i < gold.size(); ++i) scores.add(predicted[i], gold[i]);
    json out = {{"micro", scores_of(scores.micro())},
                {"macro_f1", scores.macro_f1()},
                {"weighted_f1", scores.weighted_f1()},
                {"types", json::object()},
                {"entities", json::array()}};
    for (const auto& [type, part] : scores.types()) out["types"][type] = scores_of(part);
    for (const auto& sentence : predicted)
        for (const Entity& e : entities(sentence)) out["entities"].push_back({e.type, e.begin, e.end});
    return out;
}

json answers(const json& in) {
    AnswerScores scores;
    json out = {{"normalized", json::array()}};
    for (const json& question : in) {
        const auto predicted = question.at("predicted").get<std::string>();
        scores.add(predicted, question.at("gold").get<std::vector<std::string>>());
        out["normalized"].push_back(normalized_answer(predicted));
    }
    const auto put = [&](const char* name, const SpanScores& part) {
        out[name] = {part.exact_match, part.f1, part.count};
    };
    put("all", scores.all()), put("with_answer", scores.with_answer()), put("without", scores.without_answer());
    return out;
}

json regression(const json& in) {
    const auto predicted = in.at("predicted").get<Reals>(), gold = in.at("gold").get<Reals>();
    return {{"mean_squared_error", mean_squared_error(predicted, gold)},
            {"mean_absolute_error", mean_absolute_error(predicted, gold)},
            {"r_squared", r_squared(predicted, gold)},
            {"pearson", pearson(predicted, gold)},
            {"spearman", spearman(predicted, gold)}};
}

json calibration(const json& in) {
    const auto probabilities = in.at("probabilities").get<Reals>();
    const auto gold = in.at("gold").get<Integers>();
    return {{"expected_calibration_error", expected_calibration_error(probabilities, gold, in.at("bins"))},
            {"brier_score", brier_score(probabilities, gold)},
            {"negative_log_likelihood", negative_log_likelihood(probabilities, gold)}};
}

json significance(const json& in) {
    const auto a = in.at("a").get<Reals>(), b = in.at("b").get<Reals>();
    const double confidence = in.at("confidence");
    const ResamplingOptions options{.resamples = in.at("resamples"), .seed = in.at("seed")};
    const PairedComparison paired = compare_paired(a, b, confidence, options);
    return {{"standard_deviation", standard_deviation(a)},
            {"t_interval", interval_of(t_interval(a, confidence))},
            {"bootstrap_means", bootstrap_means(a, options)},
            {"bootstrap_percentile", interval_of(bootstrap_percentile(a, confidence, options))},
            {"bootstrap_bca", interval_of(bootstrap_bca(a, confidence, options))},
            {"difference", interval_of(paired.difference)},
            {"p_t", paired.p_t},
            {"p_permutation", paired.p_permutation},
            {"holm", holm(in.at("p_values").get<Reals>())}};
}

json distributions(const json& in) {
    json out = {{"t", json::array()}, {"t_quantile", json::array()}, {"normal", json::array()}};
    for (const json& x : in.at("t")) out["t"].push_back(student_t_two_sided(x[0], x[1]));
    for (const json& x : in.at("t_quantile")) out["t_quantile"].push_back(student_t_quantile(x[0], x[1]));
    for (const json& p : in.at("normal")) out["normal"].push_back(normal_quantile(p));
    return out;
}

}

int main() {
    try {
        const std::map<std::string, json (*)(const json&)> parts = {{"classification", classification},
                                                                    {"multi_label", multi_label},
                                                                    {"tagging", tagging},
                                                                    {"answers", answers},
                                                                    {"regression", regression},
                                                                    {"calibration", calibration},
                                                                    {"significance", significance},
                                                                    {"distributions", distributions}};
        json out = json::array();
        for (const json& request : json::parse(std::cin))
            out.push_back(parts.at(request.at("part").get<std::string>())(request.at("data")));
        std::cout << out.dump() << '\n';
    } catch (const std::exception& error) {
        std::cerr << "metrics_dump: " << error.what() << '\n';
        return 1;
    }
}
