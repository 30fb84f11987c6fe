#pragma once
#include <sstream>
#include <string>

#include "didact/data/stream.hpp"
#include "didact/train/options.hpp"

namespace didact {

/// Throws Error where a model with so many tasks could not train on this stream.
inline void check_setup(const Stream& stream, const TrainingOptions& options, std::size_t tasks) {
    options.check();
    require(!stream.empty(), "there is nothing to train on: the stream has no experience");
    bool validates = false;
    for (const Experience& experience : stream) {
        require(experience.train_size() > 0, "experience '", experience.name, "' has no training samples");
        for (const TaskData& data : experience.tasks) {
            require(data.task < tasks, "experience '", experience.name, "' has data for task ", data.task,
                    ", the model has ", tasks, " heads");
            if (data.masking) data.masking->check("experience '" + experience.name + "'");
            validates |= !data.validation.empty();
        }
    }
    require(options.patience == 0 || validates, "TrainingOptions: patience is ", options.patience,
            " and no experience has validation data to stop by");
}

/// What a run must have in common with the checkpoint that it goes on from, one thing a line: its data, the backend and
/// the options that decide which sample comes when. Its length, the threads and how it evaluates may change.
inline std::string describe_run(const Stream& stream, const TrainingOptions& options, const char* backend) {
    std::ostringstream text;
    text << "seed " << options.seed << "\nbatch_size " << options.batch_size << "\naccumulation "
         << options.accumulation << "\nmicro_batch_tokens " << options.micro_batch_tokens << "\nmax_gradient_norm "
         << options.max_gradient_norm << "\nreset_optimizer " << options.reset_optimizer << "\nbackend " << backend
         << '\n';
    for (const Experience& experience : stream)
        for (const TaskData& data : experience.tasks)
            text << "in experience '" << experience.name << "' for task " << data.task << ' ' << data.train.size()
                 << " training samples of digest " << std::hex << data.train.digest() << std::dec << '\n';
    return text.str();
}

/// The first line in which two descriptions differ: "<before>LINE OF a<between>LINE OF b".
inline std::string first_difference(const std::string& before, const std::string& a, const std::string& between,
                                    const std::string& b) {
    const std::string end = "nothing more";
    std::istringstream lines_a(a), lines_b(b);
    std::string line_a, line_b;
    do {
        if (!std::getline(lines_a, line_a)) line_a = end;
        if (!std::getline(lines_b, line_b)) line_b = end;
    } while (line_a == line_b && line_a != end);
    return before + line_a + between + line_b;
}

}
