#pragma once
#include <array>
#include <vector>

#include "didact/model/transformer.hpp"

namespace didact {

/// Sizes of a cross-stitch network: the transformer's, and how many columns.
struct CrossStitchConfig {
    TransformerConfig transformer = {};
    std::size_t columns = 2;
    double own = 0.9; ///< initial weight of a column's own activations; the others share 1 − own
};

/// A cross-stitch network (Misra et al. 2016, arXiv 1604.03539, eq. 1): one column of blocks a task, and after each
/// block xₖ ← Σⱼ α[l]ₖⱼ xⱼ over the columns' activations, with a learned matrix α[l] a block, near the identity at
/// first. Task t's head reads column t. Tensors of column k > 0 are called column<k>.<name>; the matrices
/// cross_stitch.<l>.
template <class Trunk>
class CrossStitch {
    static_assert(
        requires(Trunk & trunk) { trunk.blocks(); },
        "didact: a CrossStitch network is made of transformers, e.g. CrossStitch<Transformer<arch::Bert, Cpu<float>>>");
    static_assert(!Trunk::CheckpointingType::every_block,
                  "didact: a CrossStitch network keeps the activations of its blocks itself; make it of transformers "
                  "with activation_checkpointing::None");

  public:
    using Architecture = typename Trunk::Architecture;
    using BackendType = typename Trunk::BackendType;
    using AdapterType = typename Trunk::AdapterType;
    using B = BackendType;
    using S = Scalar<B>;
    using Column = Trunk;

    struct Saved {
        std::vector<typename Trunk::Saved> columns;
        std::vector<std::vector<View<S>>> before;      ///< [block][column]: what the stitch mixed
        std::array<std::vector<View<S>>, 2> gradients; ///< of each column, above and below a stitch; of backward only
    };

    bool frozen_dropout = false; ///< as Transformer::frozen_dropout

    CrossStitch(ParameterStore<B>& store, const CrossStitchConfig& config) : config_(config) {
        require(config.columns >= 2, "a cross-stitch network needs at least 2 columns, not ", config.columns);
        for (std::size_t k = 0; k < config.columns; ++k)
            columns_.emplace_back(store, config.transformer, k == 0 ? "" : "column" + std::to_string(k) + ".");
        for (std::size_t l = 0; l < num_layers(); ++l) {
            stitches_.push_back(store.add({.name = "cross_stitch." + std::to_string(l),
                                           .rows = config.columns,
                                           .cols = config.columns,
                                           .decay = false},
                                          Initializer::zeros()));
            const View<S> alpha = store.value(stitches_.back());
            for (std::size_t k = 0; k < config.columns; ++k)
                for (std::size_t j = 0; j < config.columns; ++j)
                    alpha(k, j) = S(k == j ? config.own : (1 - config.own) / double(config.columns - 1));
        }
    }

    const TransformerConfig& config() const { return config_.transformer; }
    std::size_t output_size() const { return config().hidden_size; }
    std::size_t stages() const { return columns_[0].stages(); }
    std::size_t num_layers() const { return columns_[0].num_layers(); }
    std::size_t num_columns() const { return columns_.size(); }
    ParameterId stitch(std::size_t block) const { return stitches_.at(block); }
    ParameterId token_embedding() const { return columns_[0].token_embedding(); }

    std::size_t stage_of(const std::string& name) const {
        constexpr std::string_view stitch = "cross_stitch.";
        return name.starts_with(stitch) ? 1 + leading_number(std::string_view(name).substr(stitch.size()))
                                        : columns_[0].stage_of(name);
    }
    std::size_t first_trainable_stage(const ParameterStore<B>& store) const {
        return first_trainable_.of(*this, store);
    }

    template <class Call>
    void for_each_linear(const ParameterStore<B>& store, const Call& call) {
        for (Trunk& column : columns_) column.for_each_linear(store, call);
    }

    /// The last hidden states of the column of the batch's task, (tokens, hidden_size).
    View<S> forward(Context<B>& context, const Batch& batch, Saved& saved, bool = true) const {
        require(batch.task < columns_.size(), "task ", batch.task, " has no column, the network has ", columns_.size());
        columns_[0].check_tokens(batch);
        saved.columns.resize(columns_.size());
        saved.before.resize(num_layers());
        const std::size_t rows = batch.tokens(), first = first_trainable_stage(context.parameters);
        const bool training = context.training;
        context.training = training && (frozen_dropout || first == 0);
        for (std::size_t k = 0; k < columns_.size(); ++k) {
            auto& kept = saved.columns[k];
            kept.hidden.resize(stages());
            kept.blocks.resize(num_layers());
            context.dropout_site = site(0, k);
            kept.hidden[0] = context.scratch(rows, output_size());
            columns_[k].embed(context, batch, kept.hidden[0], kept);
        }
        for (std::size_t l = 0; l < num_layers(); ++l) {
            auto& before = saved.before[l];
            before.resize(columns_.size());
            context.training = training && (frozen_dropout || l + 1 >= first);
            for (std::size_t k = 0; k < columns_.size(); ++k) {
                before[k] = context.scratch(rows, output_size());
                context.dropout_site = site(l + 1, k);
                columns_[k].blocks()[l].forward(context, batch.cu_seqlens, saved.columns[k].hidden[l], before[k],
                                                saved.columns[k].blocks[l]);
            }
            const View<const S> alpha = std::as_const(context.parameters).value(stitches_[l]);
            for (std::size_t k = 0; k < columns_.size(); ++k) {
                saved.columns[k].hidden[l + 1] = context.scratch(rows, output_size());
                for (std::size_t j = 0; j < columns_.size(); ++j)
                    scale(context, alpha(k, j), before[j], saved.columns[k].hidden[l + 1], j > 0);
            }
        }
        context.training = training;
        return columns_[batch.task].finish(context, saved.columns[batch.task]);
    }

    void backward(Context<B>& context, const Batch& batch, View<S> dhidden, Saved& saved) const {
        const std::size_t first = first_trainable_stage(context.parameters);
        if (first > stages()) return;
        const ArenaScope scope(context.arena);
        auto& store = context.parameters;
        columns_[batch.task].finish_backward(context, dhidden, saved.columns[batch.task]);
        auto& [up, mixed] = saved.gradients;
        up.resize(columns_.size());
        mixed.resize(columns_.size());
        for (std::size_t k = 0; k < columns_.size(); ++k) {
            up[k] = context.scratch(dhidden.rows, dhidden.cols);
            mixed[k] = context.scratch(dhidden.rows, dhidden.cols);
            if (k == batch.task)
                copy(context, dhidden, up[k]);
            else
                fill(context, S(0), up[k]);
        }
        for (std::size_t l = num_layers(); l-- > 0 && l + 1 >= first;) {
            const View<const S> alpha = std::as_const(store).value(stitches_[l]);
            const View<S> dalpha = store.gradient(stitches_[l]);
            for (std::size_t j = 0; j < columns_.size(); ++j)
                for (std::size_t k = 0; k < columns_.size(); ++k) {
                    scale(context, alpha(k, j), up[k], mixed[j], k > 0);
                    if (!dalpha.empty()) dalpha(k, j) += S(dot(context, elements(up[k]), elements(saved.before[l][j])));
                }
            for (std::size_t k = 0; k < columns_.size(); ++k)
                columns_[k].blocks()[l].backward(context, mixed[k], l + 1 > first ? up[k] : View<S>(),
                                                 saved.columns[k].blocks[l]);
        }
        if (first > 0) return;
        for (std::size_t k = 0; k < columns_.size(); ++k)
            columns_[k].embed_backward(context, batch, up[k], saved.columns[k]);
    }

  private:
    static std::uint32_t site(std::size_t stage, std::size_t column) {
        return std::uint32_t(stage * Trunk::dropout_sites + (column << 16));
    }
    static std::span<const S> elements(View<S> view) { return {view.data, view.size()}; }

    CrossStitchConfig config_;
    std::vector<Trunk> columns_;
    std::vector<ParameterId> stitches_;
    FirstTrainableStage first_trainable_;
};

}
