#pragma once

/// What a trunk keeps of a forward pass for the backward pass: a policy of the model, the last template argument of
/// Transformer. `None` keeps every block's activations. `EveryBlock` keeps each block's input and computes the rest
/// again, with the same dropout, when backward comes to the block (Chen et al. 2016, arXiv 1604.06174): the same bits
/// from a third more arithmetic, and activations of one block instead of all.
namespace didact::activation_checkpointing {

struct None {
    static constexpr bool every_block = false;
};

struct EveryBlock {
    static constexpr bool every_block = true;
};

}
