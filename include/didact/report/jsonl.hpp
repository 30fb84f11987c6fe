#pragma once
#include <fstream>
#include <nlohmann/json.hpp>

#include "didact/report/append_file.hpp"
#include "didact/report/step_report.hpp"

namespace didact::report {

/// A trainer's callback that writes one JSON object a line for each step and each epoch:
///
///     {"event":"step","experience":0,"epoch":0,"step":1,"total_steps":9,"tokens":512,"loss":0.7,...}
///     {"event":"epoch","experience":0,"epoch":0,"split":"validation","metrics":{"loss":0.6,...},"seconds":3.5}
///
/// What JSON cannot say (NaN, infinity) is null. Keep `offset()` and `seconds()` in a checkpoint and hand them to the
/// constructor when a run goes on: the lines written after that checkpoint are dropped, for they will be written again.
class JsonLines {
  public:
    /// How far a file reaches that a run goes on with.
    struct Place {
        std::uint64_t offset = 0; ///< bytes
        double seconds = 0;       ///< of the last line before it
    };

    JsonLines(const std::filesystem::path& path, Place resumed) : JsonLines(path, resumed.offset, resumed.seconds) {}
    explicit JsonLines(const std::filesystem::path& path, std::uint64_t resume_offset = 0, double seconds_before = 0)
        : file_(open(path, resume_offset)), seconds_before_(seconds_before), seconds_(seconds_before),
          flushed_(seconds_before) {}

    void step(const StepReport& report) {
        write({{"event", "step"},
               {"experience", report.experience},
               {"epoch", report.epoch},
               {"step", report.step},
               {"total_steps", report.total_steps},
               {"tokens", report.tokens},
               {"loss", report.loss},
               {"learning_rate", report.learning_rate},
               {"gradient_norm", report.gradient_norm}},
              report.seconds);
        if (seconds_ - flushed_ >= 1) flush();
    }

    void epoch(const EpochReport& report) {
        nlohmann::ordered_json metrics = nlohmann::ordered_json::object();
        for (const auto& [name, value] : report.metrics) metrics[name] = value;
        nlohmann::ordered_json line = {
            {"event", "epoch"}, {"experience", report.experience}, {"epoch", report.epoch}, {"split", report.split}};
        if (!report.task.empty()) line["task"] = report.task;
        line["metrics"] = std::move(metrics);
        write(std::move(line), report.seconds);
        flush();
    }

    void finish() { file_.close(); }

    /// The place after the first `steps` steps of the run whose lines are in a file, and after what follows the last of
    /// them, for a run that goes on from there and has no offset kept. A file that does not exist ends at its
    /// beginning.
    static Place place_after(const std::filesystem::path& path, std::uint64_t steps) {
        std::ifstream file(path, std::ios::binary);
        Place place;
        std::uint64_t seen = 0;
        for (std::string line; std::getline(file, line) && !file.eof();) {
            const auto json = nlohmann::json::parse(line, nullptr, false);
            if (!json.is_object()) break;
            seen += json.value("event", "") == "step";
            if (seen > steps) break;
            place.offset += line.size() + 1;
            if (json.contains("seconds") && json["seconds"].is_number()) place.seconds = json["seconds"];
        }
        return place;
    }

    /// Bytes up to here; they are on the disk when this returns.
    std::uint64_t offset() {
        file_.sync();
        return file_.offset();
    }
    /// Seconds of the last line, those before the run was resumed included.
    double seconds() const { return seconds_; }

  private:
    static AppendFile open(const std::filesystem::path& path, std::uint64_t offset) {
        if (offset > 0) {
            std::ifstream before(path, std::ios::binary);
            before.seekg(std::streamoff(offset - 1));
            const int last = before.get();
            require(!before || last == '\n', path.string(), ": byte ", offset, " is not the end of a line");
        }
        return AppendFile(path, offset);
    }

    void write(nlohmann::ordered_json line, double seconds) {
        seconds_ = seconds_before_ + seconds;
        line["seconds"] = seconds_;
        file_.write(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n');
    }

    void flush() {
        file_.flush();
        flushed_ = seconds_;
    }

    AppendFile file_;
    double seconds_before_, seconds_, flushed_;
};

}
