#pragma once
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>

#include "didact/io/hugging_face.hpp"
#include "didact/text/wordpiece.hpp"
#include "options.hpp"

namespace finetune {

/// Set by SIGINT: training stops after the step that it is in.
inline volatile std::sig_atomic_t interrupted = 0;

/// What is known before the strategies are.
struct Job {
    const Options& options;
    const didact::io::ModelConfig& config;
    const didact::text::WordPieceTokenizer& tokenizer;
    /// Set once all that was asked for is known to fit together and the output can be written.
    bool& training;
};

/// Each runs the job, and gives the object that --json writes, if --freeze names one of its strategies. The pairs of
/// strategies are compiled in several files because they take most of the time.
std::optional<nlohmann::ordered_json> run_partly_frozen(const Job& job);
std::optional<nlohmann::ordered_json> run_whole(const Job& job);
std::optional<nlohmann::ordered_json> run_bf16(const Job& job);

}
