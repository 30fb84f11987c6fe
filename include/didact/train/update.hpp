#pragma once
#include <algorithm>
#include <array>
#include <optional>

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

/// A stretch of the trainable parameters that one rule updates: a weight whose gradient is deferred, or what lies
/// before the next of those.
struct UpdateStretch {
    std::size_t size;
    ParameterId deferred; ///< or no_parameter
};

template <Backend B>
UpdateStretch next_stretch(const ParameterStore<B>& store, std::size_t trainable_offset, std::size_t size) {
    for (const ParameterId id : store.deferred().ids()) {
        const Parameter& p = store[id];
        if (p.trainable_offset < trainable_offset) continue;
        const std::size_t before = p.trainable_offset - trainable_offset;
        return before > 0 ? UpdateStretch{std::min(size, before), no_parameter}
                          : UpdateStretch{p.size(), id}; // rules change between parameters only
    }
    return {size, no_parameter};
}

/// One pass over the trainable parameters, in blocks that stay in the first cache: clipping, penalties, weight decay
/// and the optimizer's rule. `clip` multiplies the gradients; the penalties of `freeze` and `forgetting` are added
/// after clipping, as part of the loss that is not noisy; the gradients are cleared for the next step. Of several
/// heads, one without a gradient stays as it is, as PyTorch's optimizers skip a parameter that has none. Gradients that
/// are kept as their factors are computed here, a few rows at a time.
template <class Model, class Optimizer, class Freeze, class Forgetting>
void update_parameters(Context<typename Model::B>& context, double learning_rate, double clip, Optimizer& optimizer,
                       const Freeze& freeze, Forgetting& forgetting) {
    using S = typename Model::S;
    constexpr std::size_t width = 16384, block = optimizer::update_block;
    /// Where nothing is added to a gradient it goes to the rule from where it lies.
    const bool as_it_is = S(clip) == S(1) && !hooks::penalizes<Model>(freeze) && !hooks::penalizes<Model>(forgetting) &&
                          !hooks::Accumulate<Forgetting, Model>;
    ParameterStore<typename Model::B>& store = context.parameters;
    const auto update = [&](const TrainableSegment& segment, const UpdateStretch& stretch) {
        const auto rule = rule_of(optimizer, learning_rate * double(segment.learning_rate_multiple), segment);
        S* const values = store.values(segment).data();
        const S factor = S(clip);
        const auto update_range = [&](TileRange range, const S* raw_gradients) {
            const auto own_rule = rule; // a local that stores to the arrays cannot change
            std::array<S, block> slopes;
            for (std::size_t begin = range.begin; begin < range.end; begin += block) {
                const std::size_t count = std::min(block, range.end - begin), first = segment.trainable_offset + begin;
                S* const w = values + begin;
                const S* const raw = raw_gradients + (begin - range.begin);
                if (as_it_is) {
                    own_rule(first, count, w, raw);
                    continue;
                }
                cpu::map_elements(count, slopes.data(), [&](std::size_t i) {
                    S g = raw[i] * factor;
                    if constexpr (hooks::Penalty<Freeze, Model>) g += freeze.penalty(first + i, w[i]);
                    if constexpr (hooks::Penalty<Forgetting, Model>) g += forgetting.penalty(first + i, w[i]);
                    return g;
                });
                if constexpr (hooks::Accumulate<Forgetting, Model>) {
                    std::array<S, block> before;
                    std::copy_n(w, count, before.begin());
                    own_rule(first, count, w, slopes.data());
                    for (std::size_t i = 0; i < count; ++i) forgetting.accumulate(first + i, raw[i], before[i], w[i]);
                } else {
                    own_rule(first, count, w, slopes.data());
                }
            }
        };
        if (stretch.deferred == no_parameter) {
            const S* const gradients = store.gradients().data() + segment.trainable_offset;
            context.pool.for_each_tile(tile_count(stretch.size, width), [&](std::size_t tile) {
                const TileRange range = tile_range(tile, width, stretch.size);
                update_range(range, gradients + range.begin);
            });
            return;
        }
        const Parameter& p = store[stretch.deferred];
        const auto factors = store.deferred().of(stretch.deferred, p);
        std::optional<S> descent; // where the update is a step of that rate and nothing more
        if constexpr (requires { rule.rate_of_descent(); })
            if (as_it_is) descent = rule.rate_of_descent();
        constexpr std::size_t at_once = cpu::OuterGemm<S>::rows_at_once, unit = cpu::sparse_rows_at_once;
        const std::size_t rows_of_tile = std::max<std::size_t>(width / unit / p.cols, 1) * unit;
        context.pool.for_each_tile(tile_count(p.rows, rows_of_tile), [&](std::size_t tile) {
            const TileRange rows = tile_range(tile, rows_of_tile, p.rows);
            if constexpr (requires { rule.rate_of_descent(); })
                if (descent) {
                    cpu::OuterGemm<S>::descend(factors.left.middle_cols(rows.begin, rows.size()), factors.right,
                                               View<S>(values + rows.begin * p.cols, rows.size(), p.cols), *descent);
                    return;
                }
            std::size_t row = rows.begin;
            const auto left_of_rows = [&](std::size_t most) {
                return View<const S>(factors.left.middle_cols(row, std::min(most, rows.end - row)));
            };
            const auto visit = [&](std::size_t i, std::size_t j, std::span<const S> slopes) {
                const std::size_t from = (row + i) * p.cols + j;
                update_range({from, from + slopes.size()}, slopes.data());
            };
            while (row < rows.end) {
                const View<const S> left = left_of_rows(cpu::OuterGemm<S>::rows_of_terms);
                if (!cpu::OuterGemm<S>::visit_without_zeros(left, factors.right, visit)) break;
                row += left.cols;
            }
            for (; row < rows.end; row += at_once) {
                const View<const S> left = left_of_rows(at_once);
                const View<S> part(cpu::thread_scratch<S, 7>(at_once * p.cols), left.cols, p.cols);
                cpu::OuterGemm<S>::product(cpu::OuterGemm<S>::transposed(left), left.rows, factors.right, part, false);
                update_range({row * p.cols, (row + left.cols) * p.cols}, part.data);
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
            const UpdateStretch stretch =
                next_stretch(store, segment.trainable_offset, size_of_one_rule(optimizer, segment));
            update(segment, stretch);
            segment.offset += stretch.size;
            segment.trainable_offset += stretch.size;
            segment.size -= stretch.size;
        }
    }
    store.clear_gradients();
}

}
