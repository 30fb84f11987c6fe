#pragma once
#include <algorithm>
#include <array>

#include "didact/backend/cpu.hpp"
#include "didact/core/parameter_store.hpp"
#include "didact/policy/hooks.hpp"
#include "didact/train/optimizer.hpp"

namespace didact {

/// The elements of a segment from its first on that one rule of the optimizer serves: AdamW's differs for parameters
/// that were thawed later.
template <class Optimizer>
std::size_t size_of_one_rule(const Optimizer& optimizer, const TrainableSegment& segment) {
    if constexpr (requires { optimizer.one_rule_until(std::size_t(0)); })
        return std::min(segment.size, optimizer.one_rule_until(segment.trainable_offset) - segment.trainable_offset);
    else
        return segment.size;
}

template <class Optimizer>
auto rule_of(Optimizer& optimizer, double rate, const TrainableSegment& segment) {
    if constexpr (requires { optimizer.rule(rate, true, std::size_t(0)); })
        return optimizer.rule(rate, segment.decay, segment.trainable_offset);
    else
        return optimizer.rule(rate, segment.decay);
}

/// One pass over the trainable parameters, in blocks that stay in the first cache: clipping, penalties, weight decay
/// and the optimizer's rule. `clip` multiplies the gradients; the penalties of `freeze` and `forgetting` are added
/// after clipping, as part of the loss that is not noisy; the gradients are cleared for the next step. Of several
/// heads, one without a gradient stays as it is, as PyTorch's optimizers skip a parameter that has none.
template <class Model, class Optimizer, class Freeze, class Forgetting>
void update_parameters(Context<typename Model::B>& context, double learning_rate, double clip, Optimizer& optimizer,
                       const Freeze& freeze, Forgetting& forgetting) {
    using S = typename Model::S;
    constexpr std::size_t width = 16384, block = optimizer::update_block;
    ParameterStore<typename Model::B>& store = context.parameters;
    const auto update = [&](const TrainableSegment& segment, std::size_t size) {
        const auto rule = rule_of(optimizer, learning_rate * double(segment.learning_rate_multiple), segment);
        S* const values = store.values().data() + segment.offset;
        S* const gradients = store.gradients().data() + segment.trainable_offset;
        const S factor = S(clip);
        context.pool.for_each_tile(tile_count(size, width), [&](std::size_t tile) {
            const TileRange range = tile_range(tile, width, size);
            const auto own_rule = rule; // a local that stores to the arrays cannot change
            std::array<S, block> slopes;
            for (std::size_t begin = range.begin; begin < range.end; begin += block) {
                const std::size_t count = std::min(block, range.end - begin), first = segment.trainable_offset + begin;
                S *const w = values + begin, *const raw = gradients + begin;
                for (std::size_t i = 0; i < count; ++i) {
                    S g = raw[i] * factor;
                    if constexpr (hooks::Penalty<Freeze, Model>) g += freeze.penalty(first + i, w[i]);
                    if constexpr (hooks::Penalty<Forgetting, Model>) g += forgetting.penalty(first + i, w[i]);
                    slopes[i] = g;
                }
                if constexpr (hooks::Accumulate<Forgetting, Model>) {
                    std::array<S, block> before;
                    std::copy_n(w, count, before.begin());
                    own_rule(first, count, w, slopes.data());
                    for (std::size_t i = 0; i < count; ++i) forgetting.accumulate(first + i, raw[i], before[i], w[i]);
                } else {
                    own_rule(first, count, w, slopes.data());
                }
            }
        });
    };
    const auto has_gradient = [&](const TrainableSegment& segment) {
        const std::span<const S> part =
            std::as_const(store).gradients().subspan(segment.trainable_offset, segment.size);
        return std::any_of(part.begin(), part.end(), [](S g) { return g != S(0); });
    };
    for (TrainableSegment segment : store.segments()) {
        if (segment.head > 0 && store.heads() > 1 && !has_gradient(segment)) {
            if constexpr (requires { optimizer.skip(segment.trainable_offset, segment.size); })
                optimizer.skip(segment.trainable_offset, segment.size);
            continue;
        }
        while (segment.size > 0) {
            const std::size_t size = size_of_one_rule(optimizer, segment);
            update(segment, size);
            segment.offset += size;
            segment.trainable_offset += size;
            segment.size -= size;
        }
    }
    store.clear_gradients();
}

}
