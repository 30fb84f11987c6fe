#include <algorithm>
#include <cmath>
#include <map>

#include "didact/eval/continual.hpp"
#include "didact/eval/significance.hpp"
#include "didact/io/folder.hpp"
#include "didact/report/html.hpp"
#include "didact/report/svg/heat_map.hpp"
#include "didact/report/svg/line_chart.hpp"
#include "didact/report/svg/scatter.hpp"
#include "results.hpp"

namespace clinical {

using namespace didact;

namespace {

double half_width(const std::vector<double>& values) {
    const eval::Interval interval = eval::t_interval(values);
    return std::isfinite(interval.high) ? interval.high - interval.mean : 0;
}

std::vector<const Row*> rows_of(const Results& results, const std::string& experiment) {
    std::vector<const Row*> rows;
    for (const Row& row : results.rows())
        if (row.experiment == experiment) rows.push_back(&row);
    return rows;
}

/// One table; settings and metrics have a column where there are several.
void add_table(report::HtmlReport& page, const Results& results, const std::vector<const Row*>& rows) {
    bool settings = false, metrics = false, forgets = false;
    for (const Row* row : rows) {
        settings = settings || row->setting != rows[0]->setting;
        metrics = metrics || row->metric != rows[0]->metric;
        forgets = forgets || !std::isnan(row->mean(&RunResult::forgetting));
    }
    std::vector<std::string> columns;
    if (settings) columns.push_back("setting");
    columns.push_back("strategy");
    if (metrics) columns.push_back("metric");
    columns.push_back(metrics ? "value" : rows[0]->metric);
    for (const char* name : {"difference", "p", "verdict", "n"}) columns.push_back(name);
    if (forgets) columns.push_back("forgetting");
    for (const char* name : {"CPU s", "peak MB"}) columns.push_back(name);
    report::Table table(columns);
    for (const Row* row : rows) {
        const Verdict verdict = results.verdict(*row);
        const bool compared = verdict.word != report::no_number;
        std::vector<report::Cell> cells;
        if (settings) cells.push_back(row->setting);
        cells.push_back(row->strategy);
        if (metrics) cells.push_back(row->metric);
        cells.push_back(with_half_width(eval::t_interval(row->values())));
        cells.push_back(compared ? with_sign(verdict.difference) : std::string(report::no_number));
        const double p = compared ? eval::compare_paired(row->values(), results.baseline_of(*row)->values()).p_t : NAN;
        cells.push_back(report::Cell(p, 3));
        cells.push_back(row->is_baseline() ? std::string("baseline") : verdict.word);
        cells.push_back(row->runs.size());
        if (forgets) cells.push_back(report::Cell(row->mean(&RunResult::forgetting), 3));
        cells.push_back(report::Cell(row->mean(&RunResult::cpu_seconds), 1));
        cells.push_back(report::Cell(row->mean(&RunResult::peak_memory_mb), 0));
        table.row(std::move(cells));
    }
    page.table(table);
}

/// What each strategy is made of, a policy a line.
void add_policies(report::HtmlReport& page, const Results& results) {
    page.heading("Strategies in full");
    report::Table table({"strategy", "learning rate", "policies"});
    std::vector<std::pair<std::string, std::string>> seen;
    for (const Row& row : results.rows()) {
        const std::pair<std::string, std::string> key(row.strategy, row.policies);
        if (row.policies.empty() || std::find(seen.begin(), seen.end(), key) != seen.end()) continue;
        seen.push_back(key);
        const std::string rate = report::scientific(row.mean(&RunResult::learning_rate));
        std::string_view rest = row.policies;
        for (bool first = true; !rest.empty(); first = false) {
            const std::size_t end = std::min(rest.find(" + "), rest.size());
            table.row({first ? row.strategy : "", first ? rate : "", rest.substr(0, end)});
            rest.remove_prefix(std::min(end + 3, rest.size()));
        }
    }
    page.table(table);
    page.paragraph("All others train everything, in random order, with AdamW alone.");
}

void add_curve(report::HtmlReport& page, const std::vector<const Row*>& rows) {
    std::vector<report::Series> series;
    for (const Row* row : rows) {
        auto found = std::find_if(series.begin(), series.end(), [&](const auto& s) { return s.name == row->strategy; });
        if (found == series.end()) found = series.insert(series.end(), {.name = row->strategy});
        found->x.push_back(std::stod(row->setting));
        found->y.push_back(eval::mean(row->values()));
        found->error.push_back(half_width(row->values()));
    }
    page.figure("Mean over seeds; the band is the 95 % t interval.",
                report::LineChart{.title = "Accuracy by the number of labelled texts",
                                  .description = "Learning curves of plain fine-tuning and of fine-tuning after "
                                                 "domain-adaptive pretraining",
                                  .x_label = "labelled texts",
                                  .y_label = "accuracy on the control set",
                                  .series = series}
                    .svg());
}

/// R, averaged over seeds, of every strategy with several experiences.
void add_matrices(report::HtmlReport& page, const std::vector<const Row*>& rows) {
    for (const Row* row : rows) {
        if (row->runs[0].matrix.empty()) continue;
        const std::size_t count = eval::ResultMatrix(row->runs[0].matrix).experiences();
        std::vector<double> mean(count * count, 0);
        for (const RunResult& run : row->runs)
            for (std::size_t i = 0; i < mean.size(); ++i)
                mean[i] += run.matrix[count + i] / double(row->runs.size()); // row 0 is the untrained model
        std::vector<std::string> columns, after;
        for (std::size_t j = 0; j < count; ++j) {
            columns.push_back("set " + std::to_string(j + 1));
            after.push_back("after set " + std::to_string(j + 1));
        }
        page.figure(row->setting + ". Mean accuracy over " + std::to_string(row->runs.size()) + " seeds.",
                    report::HeatMap{.title = row->strategy,
                                    .description = "Accuracy on each set after each set",
                                    .columns = columns,
                                    .rows = after,
                                    .values = mean,
                                    .low = 0,
                                    .high = 1}
                        .svg());
    }
}

void add_costs(report::HtmlReport& page, const Results& results, const std::string& experiment,
               const std::string& setting, const std::string& metric, std::vector<const Row*>& shown) {
    report::Scatter chart{.title = experiment + ": cost against quality",
                          .description = "Training time and " + metric + " of each strategy",
                          .x_label = "CPU seconds of training",
                          .y_label = metric + " on the control set",
                          .frontier = true};
    for (const Row& row : results.rows())
        if (row.experiment == experiment && row.setting == setting && row.metric == metric) {
            shown.push_back(&row);
            chart.points.push_back({.label = row.strategy,
                                    .x = row.mean(&RunResult::cpu_seconds),
                                    .y = eval::mean(row.values()),
                                    .y_error = half_width(row.values()),
                                    .group = row.is_baseline() ? "baseline" : "strategies"});
        }
    if (chart.points.size() > 1)
        page.figure(setting +
                        ". Bars are 95 % t intervals over seeds. The dashed line joins what nothing beats in both.",
                    chart.svg());
}

/// The control set class by class: plain fine-tuning against the strategy that validation prefers.
void add_control_set(report::HtmlReport& page, const StudyDescription& study, const Results& results) {
    const Row *plain = nullptr, *best = nullptr;
    for (const char* experiment : {"freezing", "curriculum", "curve"})
        for (const Row& row : results.rows())
            if (!plain && row.experiment == experiment && row.strategy == "plain") plain = &row;
    if (!plain) return;
    for (const Row& row : results.rows())
        if (row.metric == plain->metric && row.setting == plain->setting && !row.runs[0].classes.empty() &&
            (!best || row.mean(&RunResult::validation) > best->mean(&RunResult::validation)))
            best = &row;
    page.heading("Control set");
    page.paragraph("What plain fine-tuning and the best strategy by validation (" + best->experiment + ": " +
                   best->strategy + ") do to each class of the control set, at " + plain->setting +
                   ". The control set takes no part in any choice. Recall is the share of a class that is found; false "
                   "positives are texts of other classes that are given this one. Means over " +
                   std::to_string(plain->runs.size()) + " seeds.");
    report::Table table(
        {"diagnosis", "texts", "recall: plain", "recall: best", "false positives: plain", "false positives: best"});
    const auto mean = [](const Row& row, std::size_t c, auto of) {
        double sum = 0;
        for (const RunResult& run : row.runs) sum += of(run.classes[c]);
        return sum / double(row.runs.size());
    };
    const auto recall = [](const eval::ClassScores& c) { return c.recall(); };
    const auto false_positives = [](const eval::ClassScores& c) { return double(c.false_positives()); };
    for (std::size_t c = 0; c < study.classes.size(); ++c) {
        const std::size_t support = plain->runs[0].classes[c].support;
        const double plain_fp = mean(*plain, c, false_positives), best_fp = mean(*best, c, false_positives);
        if (support == 0 && plain_fp == 0 && best_fp == 0) continue;
        table.row({study.classes[c], support, report::Cell(support ? mean(*plain, c, recall) : NAN, 2),
                   report::Cell(support ? mean(*best, c, recall) : NAN, 2), report::Cell(plain_fp, 1),
                   report::Cell(best_fp, 1)});
    }
    page.table(table);
}

}

void write_report(const std::string& folder, const StudyDescription& study, const Results& results) {
    static const std::map<std::string, std::pair<const char*, const char*>> texts = {
        {"curve",
         {"Learning curve",
          "Plain fine-tuning at several numbers of labels, from the model as it came and after masked language "
          "modelling on the domain's unlabelled text. Every point has the same number of steps."}},
        {"freezing", {"Few labels: what trains", "What part of the model should train where labels are few."}},
        {"curriculum",
         {"Few labels: in which order",
          "Pacing by difficulty. The random order keeps the pacing and drops the difficulty, so only what beats it is "
          "owed to the order."}},
        {"sharing",
         {"Two tasks on one trunk",
          "Diagnosis and the tagging of mentions. The baseline is a model for each task; a task sees as many of its "
          "samples alone as beside the other."}},
        {"forgetting",
         {"A second set arrives later",
          "The mean accuracy over both sets at the end, and forgetting: how far the first set falls from its best. "
          "All at once is what could be had if the first set were still there."}},
        {"combination", {"All four kinds at once", "One strategy of each kind together against none of any."}}};
    report::HtmlReport page("Diagnosis from text", "Training strategies against plain fine-tuning on the same budget");
    page.heading("What was run");
    page.paragraph("Command: " + study.command + "\nModel: " + study.model + "\nData: " + study.data + "\nSeeds: " +
                   std::to_string(study.seeds) + "; didact 0.1.0; " + report::clock_time(study.seconds) + ", " +
                   report::fixed(study.cpu_seconds, 0) + " CPU seconds. The same command gives the same numbers.");
    page.paragraph("Budget of every strategy: " + study.budget);
    std::string cut;
    for (const std::string& note : study.notes) cut += (cut.empty() ? "What was cut:\n" : "\n") + note;
    if (!cut.empty()) page.paragraph(cut);
    page.paragraph(
        "Values are means over seeds with 95 % t intervals. A strategy is called better or worse where the 95 "
        "% t interval of its differences to the baseline, seed by seed, leaves out 0; with three seeds such "
        "an interval is wide, and no difference means none that three runs can show. Across many strategies "
        "one in twenty such verdicts is chance.");

    std::vector<std::string> order;
    for (const Row& row : results.rows())
        if (order.empty() || order.back() != row.experiment) order.push_back(row.experiment);
    for (const std::string& experiment : order) {
        const auto rows = rows_of(results, experiment);
        page.heading(texts.at(experiment).first).paragraph(texts.at(experiment).second);
        if (experiment == "curve") add_curve(page, rows);
        const bool one_table = experiment == "curve";
        for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
            while (end < rows.size() && (one_table || rows[end]->setting == rows[begin]->setting)) ++end;
            if (!one_table) page.subheading(rows[begin]->setting);
            add_table(page, results, {rows.begin() + std::ptrdiff_t(begin), rows.begin() + std::ptrdiff_t(end)});
        }
        std::vector<std::pair<std::string, std::string>> charts;
        for (const Row* row : rows)
            if (experiment != "curve" && experiment != "sharing" && experiment != "combination" &&
                std::find(charts.begin(), charts.end(), std::pair(row->setting, row->metric)) == charts.end())
                charts.emplace_back(row->setting, row->metric);
        std::vector<const Row*> shown;
        for (const auto& [setting, metric] : charts) add_costs(page, results, experiment, setting, metric, shown);
        add_matrices(page, rows);
    }
    add_control_set(page, study, results);
    add_policies(page, results);
    io::make_folder(folder);
    page.write(std::filesystem::path(folder) / "report.html");
}

}
