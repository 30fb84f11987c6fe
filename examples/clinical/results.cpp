#include "results.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "didact/eval/significance.hpp"
#include "didact/io/json.hpp"
#include "didact/report/table.hpp"

namespace clinical {

using namespace didact;

std::vector<double> Row::values() const {
    std::vector<double> all;
    for (const RunResult& run : runs) all.push_back(run.value);
    return all;
}

double Row::mean(double RunResult::*field) const {
    double sum = 0;
    for (const RunResult& run : runs) sum += run.*field;
    return sum / double(runs.size());
}

void Results::add(const Row& key, const RunResult& run) {
    for (Row& row : rows_)
        if (row.experiment == key.experiment && row.setting == key.setting && row.strategy == key.strategy &&
            row.metric == key.metric) {
            row.runs.push_back(run);
            return;
        }
    rows_.push_back(key);
    rows_.back().runs = {run};
}

const Row* Results::baseline_of(const Row& row) const {
    for (const Row& other : rows_)
        if (other.experiment == row.experiment && other.setting == row.setting && other.metric == row.metric &&
            other.strategy == row.baseline)
            return &other;
    return nullptr;
}

Verdict Results::verdict(const Row& row) const {
    const Row* baseline = baseline_of(row);
    if (!baseline || row.is_baseline() || row.runs.size() != baseline->runs.size() || row.runs.size() < 2)
        return {{}, report::no_number};
    const eval::Interval difference = eval::compare_paired(row.values(), baseline->values()).difference;
    return {difference, difference.low > 0 ? "better" : difference.high < 0 ? "worse" : "no difference"};
}

std::string with_half_width(const eval::Interval& interval) {
    return report::plus_minus(interval.mean, std::isfinite(interval.high) ? interval.high - interval.mean : NAN);
}

std::string with_sign(const eval::Interval& interval) {
    std::string text = interval.mean >= 0 ? "+" : "";
    text += with_half_width(interval);
    return text;
}

std::string terminal_table(const Results& results) {
    report::Table table({"strategy", "metric", "value (95 %)", "against", "difference (95 %)", "verdict", "n",
                         "forgetting", "train s", "peak MB"});
    std::string last;
    for (const Row& row : results.rows()) {
        const std::string title = row.experiment + ": " + row.setting;
        if (title != last) {
            if (!last.empty()) table.rule();
            table.row({title, "", "", "", "", "", "", "", "", ""});
        }
        last = title;
        const Verdict verdict = results.verdict(row);
        const bool compared = verdict.word != report::no_number;
        table.row({"  " + row.strategy, row.metric, with_half_width(eval::t_interval(row.values())),
                   row.is_baseline() ? report::no_number : row.baseline.c_str(),
                   compared ? with_sign(verdict.difference) : report::no_number, verdict.word, row.runs.size(),
                   report::Cell(row.mean(&RunResult::forgetting), 3), report::Cell(row.mean(&RunResult::seconds), 1),
                   report::Cell(row.mean(&RunResult::peak_memory_mb), 0)});
    }
    return table.str();
}

void write_numbers(const std::string& file, const StudyDescription& study, const Results& results) {
    nlohmann::ordered_json json;
    json["command"] = study.command;
    json["data"] = study.data;
    json["model"] = study.model;
    json["budget"] = study.budget;
    json["notes"] = study.notes;
    json["seconds"] = study.seconds;
    json["cpu_seconds"] = study.cpu_seconds;
    for (const Row& row : results.rows()) {
        nlohmann::ordered_json entry;
        entry["experiment"] = row.experiment;
        entry["setting"] = row.setting;
        entry["strategy"] = row.strategy;
        entry["policies"] = row.policies;
        entry["baseline"] = row.baseline;
        entry["metric"] = row.metric;
        const Verdict verdict = results.verdict(row);
        if (verdict.word != report::no_number) {
            entry["difference"] = {
                {"mean", verdict.difference.mean}, {"low", verdict.difference.low}, {"high", verdict.difference.high}};
            entry["verdict"] = verdict.word;
        }
        for (const RunResult& run : row.runs) {
            nlohmann::ordered_json one;
            one["seed"] = run.seed;
            one["value"] = run.value;
            one["validation"] = run.validation;
            if (!std::isnan(run.forgetting)) one["forgetting"] = run.forgetting;
            one["learning_rate"] = run.learning_rate;
            one["seconds"] = run.seconds;
            one["cpu_seconds"] = run.cpu_seconds;
            one["peak_memory_mb"] = run.peak_memory_mb;
            one["tokens"] = run.tokens;
            if (!run.matrix.empty()) one["matrix"] = run.matrix; // NaN (not evaluated) becomes null
            for (const eval::ClassScores& c : run.classes)
                one["classes"].push_back(
                    {{"support", c.support}, {"predicted", c.predicted}, {"true_positives", c.true_positives}});
            entry["runs"].push_back(one);
        }
        json["rows"].push_back(entry);
    }
    io::write_json(file, json);
}

}
