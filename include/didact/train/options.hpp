#pragma once
#include <cmath>
#include <functional>
#include <vector>

#include "didact/train/archive.hpp"

namespace didact {

/// How long and in what portions a run trains. Policies say the rest.
struct TrainingOptions {
    double epochs = 3;                     ///< of each experience
    std::size_t steps = 0;                 ///< optimizer steps of each experience; 0: by epochs
    std::size_t batch_size = 32;           ///< samples a micro-batch
    std::size_t accumulation = 1;          ///< micro-batches an optimizer step; the loss is the mean over all of them
    std::size_t micro_batch_tokens = 1024; ///< larger micro-batches are cut where the loss allows it; 0: none is
    double max_gradient_norm = 1;          ///< global norm to which gradients are clipped; 0: no clipping
    std::uint64_t seed = 0;                ///< of order, dropout and everything else that is drawn
    std::size_t threads = 0;               ///< 0: as many as the machine has; the result does not depend on it
    std::size_t evaluation_batch_size = 64;
    std::size_t patience = 0;     ///< epochs without a better validation metric before stopping; 0: never stop early
    bool restore_best = true;     ///< end each experience with the values of the best epoch by validation
    bool reset_optimizer = true;  ///< forget moments and step count when an experience begins
    bool evaluate_before = false; ///< evaluate the untrained model too (row 0 of R), which forward transfer needs
    /// An existing folder for the outputs of a frozen prefix, which later runs find there; empty: they are kept in
    /// memory.
    std::string prefix_cache = {};
    std::function<bool()> stop = {}; ///< asked after each step; true ends `fit` in a state that can be resumed

    void check() const {
        require(steps > 0 || (epochs > 0 && std::isfinite(epochs)), "TrainingOptions: epochs is ", epochs,
                ", it must be finite and above 0");
        require(batch_size > 0, "TrainingOptions: batch_size is 0");
        require(accumulation > 0, "TrainingOptions: accumulation is 0");
        require(evaluation_batch_size > 0, "TrainingOptions: evaluation_batch_size is 0");
        require(max_gradient_norm >= 0, "TrainingOptions: max_gradient_norm is ", max_gradient_norm,
                ", it must not be negative");
    }
};

/// What a run gives back.
struct TrainingResult {
    double last_loss = 0;           ///< of the last step
    std::size_t tokens = 0;         ///< trained on, rehearsal included
    std::vector<double> validation; ///< primary metric after each epoch
    std::vector<double> matrix; ///< R, (experiences + 1) × experiences: row i after i experiences; NaN: not evaluated
    bool finished = false;      ///< false where options.stop ended the run

    void serialize(Archive& archive) {
        archive("last_loss", last_loss);
        archive("tokens", tokens);
        archive("validation", validation);
        archive("matrix", matrix);
    }
};

}
