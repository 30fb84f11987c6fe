#pragma once
#include "didact/backend/cpu.hpp"
#include "didact/core/parameter_store.hpp"
#include "didact/policy/hooks.hpp"

namespace didact {

/// One pass over the trainable parameters: clipping, penalties, weight decay and the optimizer's rule. `clip`
/// multiplies the gradients; the penalties of `freeze` and `forgetting` are added after clipping, as part of the loss
/// that is not noisy; the gradients are left at zero for the next step.
template <class Model, class Optimizer, class Freeze, class Forgetting>
void update_parameters(Context<typename Model::B>& context, double learning_rate, double clip, Optimizer& optimizer,
                       const Freeze& freeze, Forgetting& forgetting) {
    using S = typename Model::S;
    constexpr std::size_t width = 16384;
    ParameterStore<typename Model::B>& store = context.parameters;
    for (const TrainableSegment& segment : store.segments()) {
        const auto rule = optimizer.rule(learning_rate * double(segment.learning_rate_multiple), segment.decay);
        S* const values = store.values().data() + segment.offset;
        S* const gradients = store.gradients().data() + segment.trainable_offset;
        const S factor = S(clip);
        context.pool.for_each_tile(tile_count(segment.size, width), [&](std::size_t tile) {
            const TileRange range = tile_range(tile, width, segment.size);
            const std::size_t first = segment.trainable_offset;
#pragma GCC ivdep
            for (std::size_t i = range.begin; i < range.end; ++i) {
                const S w = values[i], raw = gradients[i];
                S g = raw * factor;
                if constexpr (hooks::Penalty<Freeze, Model>) g += freeze.penalty(first + i, w);
                if constexpr (hooks::Penalty<Forgetting, Model>) g += forgetting.penalty(first + i, w);
                const S updated = rule(first + i, w, g);
                if constexpr (hooks::Accumulate<Forgetting, Model>) forgetting.accumulate(first + i, raw, w, updated);
                values[i] = updated;
                gradients[i] = S(0);
            }
        });
    }
}

}
