#pragma once
#include <algorithm>
#include <nlohmann/json.hpp>

#include "program.hpp"

/// A folder with a small model and a little data of every kind: what the programs are started in.
struct Workplace : ScratchFolder {
    Workplace() {
        std::vector<std::string> texts{"model", "what is it [ ] , . ?"};
        for (std::size_t i = 0; i < 64; ++i) texts.push_back(text(i));
        const Ended made = Program(DIDACT_TEST_PROGRAMS "/make_small_model", texts, path).wait();
        didact::require(made.code == 0, "make_small_model: ", made.err);
        std::size_t row = 0;
        for (const auto& [name, rows] : {std::pair("train", 24), {"valid", 8}, {"test", 12}}) {
            const std::string stem = name;
            std::string tsv = "text\tlabel\n", csv = "label,text\n", jsonl, conll;
            nlohmann::json paragraphs;
            for (std::size_t end = row + std::size_t(rows); row < end; ++row) {
                tsv += text(row) + "\t" + label(row) + "\n";
                csv += label(row) + ",\"" + text(row) + "\"\r\n";
                jsonl += nlohmann::json{{"text", text(row)}, {"label", label(row)}}.dump() + "\n";
                for (const std::string& word : words(text(row)))
                    conll += word + (word == noun(row) ? " B-Thing\n" : word == "the" ? " O\n" : " I-Thing\n");
                conll += "\n";
                const nlohmann::json answer{{"text", noun(row)}, {"answer_start", 4}};
                const nlohmann::json question{
                    {"id", "q" + std::to_string(row)}, {"question", "what is it ?"}, {"answers", {answer}}};
                paragraphs.push_back({{"context", text(row)}, {"qas", {question}}});
            }
            file(stem + ".tsv", tsv), file(stem + ".csv", csv), file(stem + ".jsonl", jsonl);
            file(stem + ".conll", conll);
            file(stem + ".json", nlohmann::json{{"data", {{{"paragraphs", paragraphs}}}}}.dump());
        }
    }

    static std::string noun(std::size_t i) {
        return std::vector<std::string>{"film", "house", "dinner", "weather", "journey"}[i % 5];
    }
    static std::string label(std::size_t i) { return i % 3 == 0 ? "bad" : "good"; }
    static std::string text(std::size_t i) {
        const std::vector<std::string> bad{"dull", "cold", "awful"}, good{"lovely", "bright", "warm", "splendid"};
        const std::string adjective = i % 3 == 0 ? bad[i % bad.size()] : good[i % good.size()];
        return "the " + noun(i) + (i % 2 ? " of today" : "") + " is " + adjective;
    }

    /// The names of what lies in the folder, in it and below.
    std::vector<std::string> listing() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
            names.push_back(entry.path().lexically_relative(path).string());
        std::sort(names.begin(), names.end());
        return names;
    }
    /// A copy of the model's folder without one of its files.
    void copy_model(const std::string& name, const std::vector<std::string>& without) const {
        std::filesystem::copy(path / "model", path / name);
        for (const std::string& file : without) std::filesystem::remove(path / name / file);
    }
    nlohmann::json json(const std::string& name) const {
        return nlohmann::json::parse(didact::io::read_file(path / name));
    }
};
