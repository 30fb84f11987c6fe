#pragma once
#include <algorithm>
#include <array>

#include "didact/backend/cpu.hpp"
#include "didact/core/parameter_store.hpp"
#include "didact/policy/hooks.hpp"
#include "didact/train/optimizer.hpp"

namespace didact {

/// One pass over the trainable parameters, in blocks that stay in the first cache: clipping, penalties, weight decay
/// and the optimizer's rule. `clip` multiplies the gradients; the penalties of `freeze` and `forgetting` are added
/// after clipping, as part of the loss that is not noisy; the gradients are left at zero for the next step.
template <class Model, class Optimizer, class Freeze, class Forgetting>
void update_parameters(Context<typename Model::B>& context, double learning_rate, double clip, Optimizer& optimizer,
                       const Freeze& freeze, Forgetting& forgetting) {
    using S = typename Model::S;
    constexpr std::size_t width = 16384, block = optimizer::update_block;
    ParameterStore<typename Model::B>& store = context.parameters;
    for (const TrainableSegment& segment : store.segments()) {
        const auto rule = optimizer.rule(learning_rate * double(segment.learning_rate_multiple), segment.decay);
        S* const values = store.values().data() + segment.offset;
        S* const gradients = store.gradients().data() + segment.trainable_offset;
        const S factor = S(clip);
        context.pool.for_each_tile(tile_count(segment.size, width), [&](std::size_t tile) {
            const TileRange range = tile_range(tile, width, segment.size);
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
                std::fill_n(raw, count, S(0));
            }
        });
    }
}

}
