#pragma once
#include <algorithm>
#include <optional>
#include <ostream>

#include "didact/report/escape.hpp"
#include "didact/report/format_number.hpp"
#include "didact/report/step_report.hpp"
#include "didact/report/terminal.hpp"

namespace didact::report {

/// Where and how often progress is shown.
struct ProgressOptions {
    std::ostream* stream = &std::cerr;
    std::optional<bool> terminal = {};        ///< a bar that is written over; by default asked of the stream
    std::optional<double> every_seconds = {}; ///< between two lines; by default 0.1 on a terminal, 10 elsewhere
    std::optional<std::size_t> width = {};    ///< columns; by default asked of the terminal at every line
    std::optional<bool> unicode = {};         ///< block characters in the bar; by default asked of the environment
};

/// A trainer's callback that shows how far a run is: a bar on a terminal, a line now and then in a log. Loss and speed
/// are means over the last steps, exponentially weighed (factor 0.98 a step); the time left is that of the experience,
/// at its mean pace so far. A stream that fails is no error: a run outlives the terminal that it was started from.
class Progress {
  public:
    explicit Progress(const ProgressOptions& options = {})
        : stream_(*options.stream), terminal_(options.terminal.value_or(terminal::is_terminal(stream_))),
          unicode_(options.unicode.value_or(terminal::shows_utf8())),
          every_(options.every_seconds.value_or(terminal_ ? 0.1 : 10)), width_(options.width) {}
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress() {
        if (bar_shown_) stream_ << std::endl;
    }

    void step(const StepReport& report) {
        const bool again = report.step_of_run > 0 && report.step_of_run <= last_.step_of_run;
        if (steps_ > 0 && (again || report.seconds < seconds_)) { // another run
            steps_ = tokens_ = 0;
            shown_.reset();
        }
        if (steps_ == 0 || report.experience != last_.experience) begin_experience(report);
        const double elapsed = steps_ ? report.seconds - seconds_ : 0;
        ++steps_;
        tokens_ += report.tokens;
        seconds_ = report.seconds;
        recent_.add(report.loss, elapsed > 0 ? double(report.tokens) : 0, elapsed);
        last_ = report;
        const bool over = report.step == report.total_steps;
        if (shown_ && !over && report.seconds - *shown_ < every_) return;
        shown_ = report.seconds;
        show();
    }

    void epoch(const EpochReport& report) {
        std::string line = place(report.experience, report.epoch) + " " + single_line(report.split) +
                           (report.task.empty() ? "" : " of " + single_line(report.task)) + ":";
        for (const auto& [name, value] : report.metrics)
            line += (line.back() == ':' ? " " : ", ") + single_line(name) + " " + significant(value);
        write_line(line + " (" + clock_time(report.seconds) + ")");
        seconds_ = std::max(seconds_, report.seconds); // the time of an evaluation is none of the next step's
    }

    void finish() {
        std::string line =
            std::to_string(steps_) + " steps, " + with_prefix(double(tokens_)) + " tokens in " + clock_time(seconds_);
        if (seconds_ > 0) line += ", " + with_prefix(double(tokens_) / seconds_) + " tokens/s";
        if (bar_shown_) stream_ << '\n';
        bar_shown_ = false;
        write_line(line);
    }

  private:
    /// Means over the last steps.
    struct Recent {
        double weight = 0, loss = 0, tokens = 0, seconds = 0;
        void add(double step_loss, double step_tokens, double step_seconds) {
            constexpr double keep = 0.98;
            weight = keep * weight + 1;
            loss = keep * loss + step_loss;
            tokens = keep * tokens + step_tokens;
            seconds = keep * seconds + step_seconds;
        }
    };

    void begin_experience(const StepReport& report) {
        recent_ = {};
        // The first step of a run has no beginning that is known: pace is counted from its end.
        first_step_ = steps_ ? report.step - 1 : report.step;
        first_seconds_ = steps_ ? seconds_ : report.seconds;
    }

    static std::string place(std::size_t experience, std::size_t epoch) {
        return "experience " + std::to_string(experience) + " epoch " + std::to_string(epoch);
    }

    std::string numbers() const {
        std::string text =
            "loss " + fixed(recent_.loss / recent_.weight, 4) + "  lr " + scientific(last_.learning_rate);
        if (recent_.seconds > 0) text += "  " + with_prefix(recent_.tokens / recent_.seconds) + " tokens/s";
        if (last_.step > first_step_ && last_.total_steps > last_.step && last_.seconds > first_seconds_) {
            const double pace = (last_.seconds - first_seconds_) / double(last_.step - first_step_);
            text += "  " + clock_time(pace * double(last_.total_steps - last_.step)) + " left";
        }
        return text;
    }

    double done() const {
        return last_.total_steps ? std::min(1.0, double(last_.step) / double(last_.total_steps)) : 0.0;
    }

    void show() {
        const std::string before = place(last_.experience, last_.epoch) + " ";
        const std::string count = std::to_string(last_.step) + "/" + std::to_string(last_.total_steps);
        if (!terminal_) {
            write_line(before + "step " + count + "  " + numbers());
            return;
        }
        // The last column stays free, for some terminals go to the next line when it is written.
        const std::size_t width = std::max<std::size_t>(2, width_ ? *width_ : terminal::width_of(stream_)) - 1;
        const std::string percent = fixed(std::floor(100 * done()), 0) + "%";
        const std::string after =
            " " + std::string(4 - percent.size(), ' ') + percent + "  " + count + "  " + numbers();
        const std::size_t used = display_width(before) + display_width(after);
        constexpr std::size_t shortest = 8, longest = 40;
        const std::string line = used + shortest <= width
                                     ? before + bar(std::min(longest, width - used)) + after
                                     : shortened(count + "  " + numbers(), width); // narrow: what matters most first
        stream_ << '\r' << line << "\x1b[K" << std::flush;
        bar_shown_ = true;
    }

    std::string bar(std::size_t cells) const {
        std::string text;
        const std::size_t full = std::size_t(done() * double(cells));
        for (std::size_t i = 0; i < cells; ++i) text += i < full ? (unicode_ ? "█" : "#") : unicode_ ? "░" : ".";
        return text;
    }

    /// A line that stays; a bar is drawn anew below it at the next step.
    void write_line(const std::string& line) {
        if (bar_shown_) stream_ << "\r\x1b[K";
        bar_shown_ = false;
        stream_ << line << '\n' << std::flush;
    }

    std::ostream& stream_;
    bool terminal_, unicode_, bar_shown_ = false;
    double every_;
    std::optional<std::size_t> width_;
    Recent recent_;
    StepReport last_;
    std::size_t steps_ = 0, tokens_ = 0, first_step_ = 0;
    double seconds_ = 0, first_seconds_ = 0;
    std::optional<double> shown_;
};

}
