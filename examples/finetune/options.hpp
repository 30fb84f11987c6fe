#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "didact/train/options.hpp"

namespace finetune {

/// What the command line asks for.
struct Options {
    std::string model, task = "classify";
    std::string train, valid, test;
    std::string text_column = "text", second_text_column, label_column = "label", difficulty_column;
    std::string freeze = "none", curriculum = "none", precision = "fp32";
    std::size_t epochs = 3, batch = 32, accumulation = 1, max_length = 128, stride = 64, limit = 0, patience = 0;
    std::size_t threads = 0, checkpoint_every = 0;
    double learning_rate = 5e-5, weight_decay = 0.01, warmup = 0.1, clip = 1, label_smoothing = 0;
    double valid_share = 0;
    std::uint64_t seed = 1;
    bool class_weights = false, tensorboard = false, resume = false, quiet = false;
    std::string out, json, prefix_cache;

    didact::TrainingOptions training() const {
        didact::TrainingOptions options;
        options.epochs = double(epochs);
        options.batch_size = batch;
        options.accumulation = accumulation;
        options.max_gradient_norm = clip;
        options.seed = seed;
        options.threads = threads;
        options.patience = patience;
        options.prefix_cache = prefix_cache;
        return options;
    }
};

/// Reads the command line. Ends the process after --help; throws didact::Error where a flag is wrong.
Options parse(int argc, const char* const* argv);

}
