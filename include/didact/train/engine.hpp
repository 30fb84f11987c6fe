#pragma once
#include <cmath>
#include <optional>

#include "didact/model/model.hpp"
#include "didact/model/prefix_cache.hpp"
#include "didact/train/moment.hpp"

namespace didact {

/// Runs passes of a model: owns the threads, the memory of a step and the cache of the frozen prefix, and knows nothing
/// of optimizers or policies. The trainer and the policies' own passes (Fisher information, reference gradients,
/// teachers) go through one Engine.
template <class ModelType>
class Engine {
  public:
    using Model = ModelType;
    using B = typename Model::B;
    using S = typename Model::S;

    /// `threads` 0 takes what the machine has.
    explicit Engine(Model& model, std::size_t threads = 0) : model_(model) { use_threads(threads); }
    /// So many from the next pass on.
    void use_threads(std::size_t threads) { pool_.emplace(threads); }

    Model& model() { return model_; }
    ParameterStore<B>& parameters() { return model_.parameters(); }
    ThreadPool& pool() { return *pool_; }
    Arena& arena() { return arena_; }
    typename Model::Saved& saved() { return saved_; }
    PrefixCache<B>& prefix_cache() { return prefix_cache_; }

    /// A context in which dropout is active (training) or not.
    Context<B> context(bool training = false, std::uint64_t dropout_key = 0) {
        return {model_.parameters(), *pool_, arena_, training, dropout_key, 0};
    }

    /// Forward pass of one batch; what backward needs stays in the arena, which this does not reset, and in the batch,
    /// which must stay as it is. The frozen prefix comes from the cache where it may.
    void forward(Context<B>& context, const Batch& batch, typename Model::Saved& saved, bool keep = true) {
        auto& trunk = model_.trunk();
        if constexpr (requires(Batch & one) { trunk.forward_to(context, one, saved.trunk, std::size_t(0)); }) {
            const std::size_t stage = std::min(trunk.first_trainable_stage(parameters()), trunk.stages());
            const bool random = trunk.frozen_dropout && context.training;
            if (cache_prefix_ && prefix_cache_.went_through(stage)) prefix_cache_.clear();
            if (stage > 1 && cache_prefix_ && !random && !batch.random_inputs) {
                const View<S> input = context.scratch(batch.tokens(), trunk.output_size());
                frozen_prefix(context, batch, stage, input);
                return model_.forward_from(context, batch, saved, stage, input, keep);
            }
        }
        model_.forward(context, batch, saved, keep);
    }

    /// Adds scale · gradient of the batch's loss to the gradients; returns the sum of losses. Each sample's own mean
    /// loss is in losses() afterwards.
    double add_gradient(const Batch& batch, double scale, bool training, std::uint64_t dropout_key) {
        arena_.reset();
        Context<B> context = this->context(training, dropout_key);
        forward(context, batch, saved_);
        const double loss = model_.loss(context, batch, saved_, losses_for(batch));
        model_.backward(context, batch, saved_, scale);
        return loss;
    }

    /// The mean loss of the batch, without gradient and without dropout.
    double mean_loss(const Batch& batch) {
        arena_.reset();
        Context<B> context = this->context();
        context.weights_stay = true;
        forward(context, batch, saved_, false);
        return model_.loss(context, batch, saved_, losses_for(batch)) / model_.units(batch);
    }

    /// Logits of the batch in evaluation mode, valid until the next pass. Sequence heads: (sequences, labels); token
    /// heads: (tokens, labels).
    View<S> logits(const Batch& batch) {
        arena_.reset();
        Context<B> context = this->context();
        context.weights_stay = true;
        forward(context, batch, saved_, false);
        return model_.with_head(batch.task, saved_, [](const auto&, auto& kept) -> View<S> {
            if constexpr (requires { kept.logits; })
                return kept.logits;
            else
                fail("a language-model head keeps no logits");
        });
    }

    std::span<float> losses_for(const Batch& batch) {
        if (losses_.size() < batch.size()) losses_.resize(batch.size());
        return std::span<float>(losses_).first(batch.size());
    }
    std::span<const float> losses() const { return losses_; }

    /// Lets a function run with other parameter values, e.g. a teacher's; the cache of the frozen prefix stands aside.
    template <class Body>
    void with_values(AlignedVector<S>& values, const Body& body) {
        struct Exchanged { // whatever body throws
            Exchanged(Engine& engine, AlignedVector<S>& values)
                : engine(engine), values(values), current(engine.prefix_cache_.is_current(engine.parameters())) {
                exchange();
            }
            ~Exchanged() {
                exchange();
                if (current) engine.prefix_cache_.set_current(engine.parameters());
            }
            void exchange() {
                engine.parameters().swap_values(values);
                engine.cache_prefix_ = !engine.cache_prefix_;
            }
            Engine& engine;
            AlignedVector<S>& values;
            bool current;
        };
        const Exchanged exchanged(*this, values);
        body();
    }

    /// The first parameter with a gradient that is not a finite number, or an empty name.
    std::string find_bad_gradient() const {
        const auto& store = model_.parameters();
        for (const TrainableLayout::Slice& slice : store.layout().slices)
            for (std::size_t i = 0; i < slice.size; ++i)
                if (!std::isfinite(double(store.gradients()[slice.offset + i]))) return store[slice.id].name;
        return {};
    }

    /// Cuts the samples of `data` into batches of at most `batch_size` and calls call(batch) for each, in order.
    template <class Call>
    void for_each_batch(const Dataset& data, std::size_t task, std::size_t batch_size, const Call& call) {
        require(batch_size > 0, data.name, ": a batch of 0 samples would never end");
        for (std::size_t begin = 0; begin < data.size(); begin += batch_size) {
            Batch& batch = own_batch_;
            batch.clear();
            batch.task = task;
            for (std::size_t i = begin; i < std::min(data.size(), begin + batch_size); ++i) batch.append(data, i);
            call(batch);
        }
    }

  private:
    /// Writes the input of stage `stage` for every sequence, from the cache or computed.
    void frozen_prefix(Context<B>& context, const Batch& batch, std::size_t stage, View<S> input) {
        prefix_cache_.begin(model_.trunk(), parameters(), stage);
        const auto rows_of = [](const Batch& of, std::size_t s, View<S> rows) {
            return rows.middle_rows(std::size_t(of.cu_seqlens[s]),
                                    std::size_t(of.cu_seqlens[s + 1] - of.cu_seqlens[s]));
        };
        missing_.clear();
        for (std::size_t s = 0; s < batch.size(); ++s)
            if (!prefix_cache_.load(batch, s, rows_of(batch, s, input))) missing_.push_back(s);
        for (std::size_t begin = 0, end = 0; begin < missing_.size(); begin = end) {
            together_.clear();
            while (end < missing_.size() && (end == begin || together_.tokens() < tokens_together))
                together_.append(batch, missing_[end++]);
            // Or the bits of a sample's states would depend on what is computed with it.
            if (together_.tokens() < B::independent_rows) model_.trunk().check_tokens(together_);
            while (together_.tokens() < B::independent_rows) together_.append(batch, missing_[begin]);
            const ArenaScope scope(context.arena);
            const View<S> states = model_.trunk().forward_to(context, together_, prefix_saved_, stage);
            for (std::size_t i = 0; i < end - begin; ++i) {
                const View<S> own = rows_of(together_, i, states);
                copy(context, own, rows_of(batch, missing_[begin + i], input));
                prefix_cache_.store(batch, missing_[begin + i], own);
            }
        }
    }

    /// A frozen prefix takes samples until they have so many tokens, which bounds its memory.
    static constexpr std::size_t tokens_together = 1024;

    Model& model_;
    std::optional<ThreadPool> pool_;
    Arena arena_;
    typename Model::Saved saved_;
    typename Model::Trunk::Saved prefix_saved_;
    PrefixCache<B> prefix_cache_;
    std::vector<float> losses_;
    Batch own_batch_, together_;
    std::vector<std::size_t> missing_; ///< sequences of a batch that the cache lacks
    bool cache_prefix_ = true;
};

}
