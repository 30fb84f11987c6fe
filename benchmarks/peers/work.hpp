#pragma once
#include "didact/model/config.hpp"
#include "measure.hpp"

/// How many multiplications and additions the matrix products of a training step need at least, as long as nothing is
/// left out that changes a gradient. All else that a step does comes on top.
namespace peers {

/// Sequences of one step: how many, their tokens, and the sum of their lengths' squares.
struct StepSize {
    double sequences = 0, tokens = 0, squares = 0;
};

/// Products of a layer of `weights` numbers with `rows` rows: forward, and backward for the input and for the weights.
inline double layer_products(double weights, double rows, bool input_gradient, bool trains) {
    return 2 * weights * rows * (1 + double(input_gradient) + double(trains));
}

/// Of a whole step, or 0 where a row's products are not counted: with what is frozen kept from the first epoch on, a
/// head alone has next to none.
///
/// Attention has two products forward and four backward, of which a causal mask leaves half. A classifier reads the
/// first token of a sequence, so of the last block each sequence needs one row, and each head the scores and the sum
/// of its inputs; those products count as six of a row of the head's inputs each.
inline double transformer_products(const TransformerRow& row, const didact::TransformerConfig& config,
                                   const StepSize& step) {
    if (row.mode == "head") return 0;
    const double hidden = double(config.hidden_size), inner = double(config.intermediate_size);
    const double layers = double(config.num_layers), heads = double(config.num_heads);
    const double square = hidden * hidden, block = 4 * square + 2 * hidden * inner;
    const double attention = 12 * hidden * step.squares;
    if (row.model == "gpt2")
        return layers * (layer_products(block, step.tokens, true, true) + attention / 2) +
               layer_products(hidden * double(config.vocab_size), step.tokens - step.sequences, true, true);

    const bool lora = row.mode == "lora", half = row.mode == "half";
    const double trained = half ? layers - double(config.num_layers / 2) : layers;
    double sum = (trained - 1) * (layer_products(block, step.tokens, true, !lora) + attention);
    // Nothing below the first block that trains wants a gradient, but for the embeddings of a full step.
    if (half || lora) sum -= layer_products(3 * square, step.tokens, true, false) / 2;
    constexpr double rank = 8, adapted = 2;
    if (lora) sum += trained * adapted * layer_products(2 * rank * hidden, step.tokens, true, true);
    return sum + layer_products(block, step.sequences, true, !lora) + 12 * heads * hidden * step.tokens +
           layer_products(square, step.sequences, true, true);
}

/// Of a step of the perceptron with its share of what happens between experiences. Where ReLU gives zero, so is its
/// gradient: about half of each. Products with either zero are left out and, backward, those whose result is.
///
/// EWC's Fisher information takes once a sample forward, back to the first layer's output, and the products of squares:
/// as much as a step. The exact one goes back for each of ten classes.
inline double perceptron_products(const PerceptronRow& row) {
    constexpr double first = 784 * 256, second = 256 * 256, last = 256 * 10, more_classes = 9;
    const double rows = double(row.batch_size);
    // Forward, for the weights and, but for the first layer, for the input.
    const double step = 2 * rows * ((1 + 0.5) * first + (0.5 + 0.25 + 0.25) * second + (0.5 + 0.5 + 0.5) * last);
    if (row.mode == "replay" || row.mode == "ewc") return 2 * step;
    if (row.mode == "ewc-exact") return 2 * step + 2 * rows * more_classes * (0.25 * second + 0.5 * last);
    return step;
}

}
