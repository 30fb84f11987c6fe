#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "workload.hpp"

namespace zero_overhead {

/// What the hand-written loops share: plain functions over the model and its arrays, without Trainer, Engine, policies
/// or hooks. The model's forward and backward pass, which may leave gradients as their factors, the norm of all
/// gradients and the operations of the backend (dot, scale) are the library's, the same code that Trainer runs; order,
/// batches, clipping and the update are written out here. Whatever a person who writes the loop for one strategy can
/// leave out is left out.
struct ByHand {
    using Numbers = didact::AlignedVector<float>;

    explicit ByHand(std::size_t tasks) : model(make_model(tasks)), store(model.parameters()) {}

    didact::Context<B> context(bool training = false, std::uint64_t dropout_key = 0) {
        didact::Context<B> context{store, pool, arena, training, dropout_key, 0};
        context.defers_gradients = training;
        return context;
    }

    /// The order of one task's samples in one epoch.
    static void shuffle(std::vector<std::uint32_t>& order, std::size_t size, std::size_t experience, std::size_t epoch,
                        std::size_t task = 0) {
        order.resize(size);
        std::iota(order.begin(), order.end(), 0u);
        didact::Random(didact::RandomKey{seed, didact::RandomPurpose::order, experience, epoch, 0, task})
            .shuffle(std::span<std::uint32_t>(order));
    }

    static std::uint64_t key(didact::RandomPurpose purpose, std::size_t experience, std::size_t step,
                             std::size_t steps_per_epoch, std::uint64_t sample) {
        return didact::RandomKey{seed, purpose, experience, step / steps_per_epoch, step, sample}.bits();
    }

    /// The key of a batch's dropout masks.
    static std::uint64_t dropout_key(const didact::Batch& batch, std::size_t experience, std::size_t step,
                                     std::size_t steps_per_epoch) {
        return key(didact::RandomPurpose::dropout, experience, step, steps_per_epoch,
                   batch.samples[0].dataset ^ batch.samples[0].index);
    }

    /// Adds weight · gradient of the batch's mean loss to the gradients; returns the mean loss.
    double add_gradient(const didact::Batch& batch, double weight, std::uint64_t dropout_key) {
        arena.reset();
        auto training = context(true, dropout_key);
        model.forward(training, batch, saved);
        return loss_and_backward(training, batch, weight);
    }
    double loss_and_backward(didact::Context<B>& training, const didact::Batch& batch, double weight) {
        losses.resize(batch.size());
        const double sum = model.loss(training, batch, saved, losses);
        model.backward(training, batch, saved, weight / double(batch.size()));
        return sum / double(batch.size());
    }

    /// Forgets the moments, as at the beginning of an experience.
    void reset_moments() {
        m.assign(store.gradients().size(), 0.0f);
        v.assign(store.gradients().size(), 0.0f);
        adam_steps = 0;
    }

    /// Learning rate of a step: linear warm-up, then linear descent to 0.
    static double learning_rate(std::size_t step, std::size_t total) {
        const std::size_t rise = std::size_t(warmup * double(total));
        return adam.learning_rate *
               (step < rise ? double(step) / double(rise) : double(total - step) / double(total - rise));
    }

    /// AdamW in one pass over the arrays, after clipping to a norm of 1. with_penalty(i, w, g) gives the
    /// gradient g of element i, clipped, with a penalty's added to it.
    template <class WithPenalty>
    void update(double rate, const WithPenalty& with_penalty) {
        auto own = context();
        const double norm = didact::gradient_norm(own);
        const float clip = norm > 1 ? float(1 / (norm + 1e-6)) : 1.0f;
        ++adam_steps;
        const float step_size = float(rate / (1 - std::pow(adam.beta1, double(adam_steps))));
        const float inverse_root = float(1 / std::sqrt(1 - std::pow(adam.beta2, double(adam_steps))));
        const float beta1 = float(adam.beta1), beta2 = float(adam.beta2), epsilon = float(adam.epsilon);
        // In blocks that stay in the first cache; square roots apart, because a loop over std::sqrt stays scalar.
        const auto update_range = [&](float decay, float* values, const float* gradients, std::size_t trainable_offset,
                                      std::size_t size) {
            constexpr std::size_t block = 256;
            float slopes[block], roots[block];
            for (std::size_t begin = 0; begin < size; begin += block) {
                const std::size_t count = std::min(block, size - begin), offset = trainable_offset + begin;
                float* const __restrict w = values + begin;
                const float* const __restrict g = gradients + begin;
                float* const __restrict first = m.data() + offset;
                float* const __restrict second = v.data() + offset;
                for (std::size_t i = 0; i < count; ++i) slopes[i] = with_penalty(offset + i, w[i], g[i] * clip);
                for (std::size_t i = 0; i < count; ++i) {
                    first[i] = beta1 * first[i] + (1 - beta1) * slopes[i];
                    second[i] = beta2 * second[i] + (1 - beta2) * slopes[i] * slopes[i];
                }
                didact::cpu::square_roots(count, second, roots);
                for (std::size_t i = 0; i < count; ++i)
                    w[i] = w[i] * decay - step_size * first[i] / (roots[i] * inverse_root + epsilon);
            }
        };
        for (const didact::TrainableSegment& segment : store.segments()) {
            const float decay = segment.decay ? float(1 - rate * adam.weight_decay) : 1.0f;
            for (std::size_t done = 0; done < segment.size;) {
                float* const values = store.values().data() + segment.offset + done;
                const std::size_t offset = segment.trainable_offset + done;
                const auto [size, deferred] = didact::next_stretch(store, offset, segment.size - done);
                done += size;
                if (deferred == didact::no_parameter) {
                    update_range(decay, values, store.gradients().data() + offset, offset, size);
                    continue;
                }
                // A gradient that was left as its factors, as many rows as the product has registers for.
                using Product = didact::cpu::OuterGemm<float>;
                const auto factors = store.deferred().of(deferred, store[deferred]);
                const std::size_t rows = store[deferred].rows, cols = store[deferred].cols;
                constexpr std::size_t at_once = Product::rows_at_once;
                computed.resize(at_once * cols);
                for (std::size_t row = 0; row < rows; row += at_once) {
                    const didact::View<float> part(computed.data(), std::min(at_once, rows - row), cols);
                    Product::product(Product::transposed(factors.left.middle_cols(row, part.rows)), factors.left.rows,
                                     factors.right, part, false);
                    update_range(decay, values + row * cols, part.data, offset + row * cols, part.size());
                }
            }
        }
        store.clear_gradients();
    }
    void update(double rate) {
        update(rate, [](std::size_t, float, float g) { return g; });
    }

    const didact::FlushDenormals flush;
    Model model;
    didact::ParameterStore<B>& store;
    didact::ThreadPool pool{1};
    didact::Arena arena;
    Model::Saved saved;
    std::vector<float> losses;
    Numbers m, v, computed;
    std::size_t adam_steps = 0;
};

/// The output of frozen blocks for every sample of a data set, computed when a batch first needs it.
struct FrozenOutput {
    explicit FrozenOutput(const didact::Dataset& data) : known(data.size()), begin(data.size() + 1) {
        for (std::size_t i = 0; i < data.size(); ++i) begin[i + 1] = begin[i] + data.length(i);
    }

    double add_gradient(ByHand& run, const didact::Batch& batch, double weight, std::uint64_t dropout_key) {
        run.arena.reset();
        auto training = run.context(true, dropout_key);
        const auto& trunk = run.model.trunk();
        const std::size_t hidden = trunk.output_size();
        states.resize(begin.back() * hidden);
        const didact::View<float> input = training.scratch(batch.tokens(), hidden);
        const auto size = [&](std::size_t sample) { return (begin[sample + 1] - begin[sample]) * hidden; };
        missing.clear();
        std::size_t last = 0;
        for (std::size_t s = 0; s < batch.size(); ++s)
            if (!known[batch.samples[s].index]) missing.append(batch, last = s);
        if (const std::size_t wanted = missing.size()) {
            const didact::ArenaScope scope(run.arena);
            while (missing.tokens() < B::independent_rows) missing.append(batch, last);
            const float* computed = trunk.forward_to(training, missing, of_missing, prefix_layers + 1).data;
            for (std::size_t i = 0; i < wanted; ++i) {
                const didact::SampleId id = missing.samples[i];
                std::memcpy(states.data() + begin[id.index] * hidden, computed, size(id.index) * sizeof(float));
                computed += size(id.index);
                known[id.index] = true;
            }
        }
        float* out = input.data;
        for (const didact::SampleId& id : batch.samples) {
            std::memcpy(out, states.data() + begin[id.index] * hidden, size(id.index) * sizeof(float));
            out += size(id.index);
        }
        run.model.forward_from(training, batch, run.saved, prefix_layers + 1, input);
        return run.loss_and_backward(training, batch, weight);
    }

    std::vector<char> known;
    std::vector<std::size_t> begin; ///< token at which a sample begins
    std::vector<float> states;
    didact::Batch missing;
    Model::Trunk::Saved of_missing;
};

/// PCGrad for two tasks: one gradient each, and their sum after each lost what opposes the other.
struct GradientSurgery {
    /// Lets the passes that follow add to this task's gradient.
    void begin(ByHand& run, std::size_t task) {
        rows[task].assign(run.store.layout().size, 0.0f);
        run.store.redirect_gradients(rows[task]);
    }

    void combine(ByHand& run) {
        auto& store = run.store;
        store.redirect_gradients({});
        auto context = run.context();
        double square0 = 0, square1 = 0, product = 0;
        for (const didact::TrainableLayout::Slice& slice : store.layout().slices) {
            if (!store[slice.id].shared) continue;
            const auto a = std::span<const float>(rows[0]).subspan(slice.offset, slice.size);
            const auto b = std::span<const float>(rows[1]).subspan(slice.offset, slice.size);
            square0 += didact::dot(context, a, a);
            product += didact::dot(context, b, a);
            square1 += didact::dot(context, b, b);
        }
        const double factor0 = product < 0 && square0 > 0 ? 1 - product / square0 : 1;
        const double factor1 = product < 0 && square1 > 0 ? 1 - product / square1 : 1;
        for (const didact::TrainableLayout::Slice& slice : store.layout().slices) {
            const bool shared = store[slice.id].shared;
            const didact::View<float> out(store.gradient_target(slice.id).view.data, 1, slice.size);
            const didact::View<const float> a(rows[0].data() + slice.offset, 1, slice.size);
            const didact::View<const float> b(rows[1].data() + slice.offset, 1, slice.size);
            didact::scale(context, shared ? float(factor0) : 1.0f, a, out);
            didact::scale(context, shared ? float(factor1) : 1.0f, b, out, true);
        }
    }

    ByHand::Numbers rows[2];
};

/// What elastic weight consolidation keeps of the experience just learnt, laid out as the gradients. Heads of several
/// tasks take no part.
struct Consolidation {
    Consolidation(ByHand& run, std::vector<const didact::Dataset*> tasks)
        : fisher(run.store.gradients().size(), 0.0f), anchor(fisher.size(), 0.0f) {
        didact::Engine<Model> engine(run.model, 1);
        for (std::size_t task = 0; task < tasks.size(); ++task)
            didact::forgetting::add_fisher(engine, *tasks[task], task, 0, {}, fisher);
        for (const didact::TrainableLayout::Slice& slice : run.store.layout().slices) {
            const bool counts = tasks.size() == 1 || run.store[slice.id].shared;
            for (std::size_t i = 0; i < slice.size; ++i) {
                if (counts)
                    anchor[slice.offset + i] = run.store.values()[run.store[slice.id].offset + i];
                else
                    fisher[slice.offset + i] = 0;
            }
        }
    }

    ByHand::Numbers fisher, anchor;
};

}
