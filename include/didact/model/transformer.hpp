#pragma once
#include <utility>
#include <vector>

#include "didact/core/leading_number.hpp"
#include "didact/data/batch.hpp"
#include "didact/model/arch/arch.hpp"
#include "didact/model/first_trainable_stage.hpp"
#include "didact/nn/activation_checkpointing.hpp"

namespace didact {

/// Outputs of the frozen part of a trunk, by sample; see model/prefix_cache.hpp.
template <Backend B>
class PrefixCache;

/// The trunk of a transformer: embeddings and blocks, without a head. `Arch` fixes the structure, `config` the sizes,
/// `Adapter` what may be added to every linear layer, `Checkpointing` what is kept for backward. Parameters carry their
/// Hugging Face names.
template <class A, class B, class Adapter = nn::NoAdapter, class Checkpointing = activation_checkpointing::None>
class Transformer {
    static_assert(arch::Arch<A>, "didact: the first template argument of Transformer is a family of transformers, e.g. "
                                 "arch::Bert; what it must have stands in model/arch/arch.hpp");
    static_assert(Backend<B>, "didact: the second template argument of Transformer is a backend, e.g. Cpu<float>");

  public:
    using Architecture = A;
    using BackendType = B;
    using AdapterType = Adapter;
    using CheckpointingType = Checkpointing;
    using S = Scalar<B>;
    using Block = nn::Block<B, A::norm_place, Adapter, A::projections>;

    struct Saved {
        /// hidden[0]: embeddings; hidden[i]: after block i. (tokens, hidden_size); where the last block ran for the
        /// tokens in `read`, the last has their rows only.
        std::vector<View<S>> hidden;
        View<S> embedded, output;
        std::vector<std::int32_t> positions, read;
        typename nn::LayerNorm<B>::Saved embedding_norm, final_norm;
        typename nn::Dropout<B>::Saved embedding_dropout;
        std::vector<typename Block::Saved> blocks;
        std::size_t first_kept = 0; ///< stages below kept nothing for backward
    };

    /// Dropout is active in training below the first trainable stage too, as in Transformers. Off, the frozen stages
    /// are a function of the sample, and their output can be cached.
    bool frozen_dropout = false;

    /// `prefix` stands before every tensor's name, for trunks of several columns.
    Transformer(ParameterStore<B>& store, const TransformerConfig& config, const std::string& prefix = {})
        : config_(config) {
        using arch::Role;
        config.check(std::string("config of a ") + A::model_type + " model", A::token_types);
        const Initializer normal = Initializer::normal(config.initializer_range);
        const std::size_t hidden = config.hidden_size;
        const auto table = [&](Role role, std::size_t rows) {
            return store.add_matrix(prefix + A::tensor_name(role, 0) + ".weight", rows, hidden, normal);
        };
        const auto norm = [&](Role role, std::size_t layer) {
            return nn::LayerNorm<B>(store, prefix + A::tensor_name(role, layer), hidden, config.layer_norm_epsilon);
        };
        const auto linear = [&](Role role, std::size_t layer, std::size_t in, std::size_t out) {
            return nn::Linear<B, Adapter>(store, prefix + A::tensor_name(role, layer), in, out, normal,
                                          A::weight_layout);
        };
        const std::size_t of_block =
            hidden * (4 * hidden + 2 * config.intermediate_size + 13) + config.intermediate_size;
        const std::size_t rows = config.vocab_size + config.max_positions + config.type_vocab_size;
        store.reserve((rows + hidden + 8) * hidden + config.num_layers * (of_block + 16 * store.padding));
        token_embedding_ = table(Role::token_embedding, config.vocab_size);
        position_embedding_ = table(Role::position_embedding, config.max_positions);
        if constexpr (A::token_types) type_embedding_ = table(Role::type_embedding, config.type_vocab_size);
        if constexpr (A::embedding_norm) embedding_norm_ = norm(Role::embedding_norm, 0);
        blocks_.resize(config.num_layers);
        for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
            Block& block = blocks_[layer];
            auto& attention = block.attention;
            if constexpr (A::projections == 1)
                attention.project[0] = linear(Role::query_key_value, layer, hidden, 3 * hidden);
            else
                for (std::size_t i = 0; i < 3; ++i)
                    attention.project[i] =
                        linear(std::array{Role::query, Role::key, Role::value}[i], layer, hidden, hidden);
            attention.output = linear(Role::attention_output, layer, hidden, hidden);
            attention.num_heads = config.num_heads;
            attention.causal = A::causal;
            attention.dropout = config.attention_dropout;
            block.attention_norm = norm(Role::attention_norm, layer);
            block.feed_forward.expand = linear(Role::feed_forward_expand, layer, hidden, config.intermediate_size);
            block.feed_forward.contract = linear(Role::feed_forward_contract, layer, config.intermediate_size, hidden);
            block.feed_forward.activation = A::activation(config);
            block.feed_forward_norm = norm(Role::feed_forward_norm, layer);
            block.dropout.p = config.hidden_dropout;
        }
        if constexpr (A::final_norm) {
            final_norm_ = norm(Role::final_norm, 0);
            final_norm_name_ = A::tensor_name(Role::final_norm, 0);
        }
        blocks_name_ = A::tensor_name(Role::attention_output, 0);
        blocks_name_.resize(blocks_name_.find("0."));
    }

    const TransformerConfig& config() const { return config_; }
    std::size_t output_size() const { return config_.hidden_size; }
    ParameterId token_embedding() const { return token_embedding_; }

    /// Stage 0 is the embeddings, stage i block i − 1, the last stage what follows the blocks.
    std::size_t stages() const { return blocks_.size() + 1; }
    std::size_t num_layers() const { return blocks_.size(); }

    /// The stage that a trunk parameter of this name belongs to.
    std::size_t stage_of(const std::string& name) const {
        if (const std::size_t at = name.find(blocks_name_); at != std::string::npos)
            return 1 + leading_number(std::string_view(name).substr(at + blocks_name_.size()));
        return !final_norm_name_.empty() && name.find(final_norm_name_) != std::string::npos ? stages() : 0;
    }

    /// The lowest stage with a parameter that trains, or stages() + 1 where none does. Backward ends there.
    std::size_t first_trainable_stage(const ParameterStore<B>& store) const {
        return first_trainable_.of(*this, store);
    }

    std::vector<Block>& blocks() { return blocks_; }
    const std::vector<Block>& blocks() const { return blocks_; }

    /// Calls call(name, linear) for every linear layer of the blocks.
    template <class Call>
    void for_each_linear(const ParameterStore<B>& store, const Call& call) {
        const auto visit = [&](nn::Linear<B, Adapter>& linear) {
            std::string name = store[linear.weight].name;
            call(name.substr(0, name.size() - std::string(".weight").size()), linear);
        };
        for (Block& block : blocks_) {
            for (auto& projection : block.attention.project) visit(projection);
            visit(block.attention.output);
            visit(block.feed_forward.expand);
            visit(block.feed_forward.contract);
        }
    }

    /// Runs the batch through the trunk and gives the last hidden states, (tokens, hidden_size). What backward needs of
    /// the stages that train stays in the context's arena until it is reset, unless `keep` is false. Where a head says
    /// which tokens it reads (`read`: their rows, ascending), the last block computes their states only, a row for
    /// each: all other tokens have left by then is their keys and values.
    View<S> forward(Context<B>& context, const Batch& batch, Saved& saved, bool keep = true,
                    std::span<const std::int32_t> read = {}) const {
        return forward_from(context, batch, saved, 0, {}, keep, read);
    }

    /// The same from stage `from` on: `input` is that stage's input, hidden[from − 1]. It is given back whole where no
    /// block is left to run.
    View<S> forward_from(Context<B>& context, const Batch& batch, Saved& saved, std::size_t from, View<S> input,
                         bool keep = true, std::span<const std::int32_t> read = {}) const {
        check_tokens(batch);
        check_read(batch, read);
        saved.read.assign(read.begin(), read.end());
        saved.hidden.resize(stages());
        saved.blocks.resize(blocks_.size());
        const std::size_t first = first_trainable_stage(context.parameters);
        saved.first_kept = keep ? first : stages() + 1;
        const bool training = context.training;
        context.dropout_site = site_of_stage(from);
        context.training = training && (frozen_dropout || first == 0);
        if (from == 0) {
            saved.hidden[0] = context.scratch(batch.tokens(), config_.hidden_size);
            embed(context, batch, saved.hidden[0], saved);
        } else {
            saved.hidden[from - 1] = input;
        }
        for (std::size_t i = from == 0 ? 0 : from - 1; i < blocks_.size(); ++i) {
            const View<S> x = saved.hidden[i];
            const std::span<const std::int32_t> own = read_of_block(i, saved);
            saved.hidden[i + 1] = context.scratch(own.empty() ? x.rows : own.size(), config_.hidden_size);
            context.dropout_site = site_of_stage(i + 1);
            context.training = training && (frozen_dropout || i + 1 >= first);
            context.keeps = !Checkpointing::every_block && i + 1 >= saved.first_kept;
            const Arena::Mark mark = context.arena.mark();
            blocks_[i].forward(context, batch.cu_seqlens, x, saved.hidden[i + 1], saved.blocks[i], own);
            if (!context.keeps) context.arena.release(mark);
        }
        context.training = training;
        context.keeps = true;
        return finish(context, saved);
    }

    /// The input of stage `stage` > 0, without dropout and with nothing kept for backward.
    View<S> forward_to(Context<B>& context, const Batch& batch, Saved& saved, std::size_t stage) const {
        check_tokens(batch);
        saved.blocks.resize(blocks_.size());
        const bool training = std::exchange(context.training, false);
        context.keeps = false;
        View<S> x = context.scratch(batch.tokens(), config_.hidden_size), y = context.scratch(x.rows, x.cols);
        embed(context, batch, x, saved);
        for (std::size_t i = 0; i + 1 < stage; ++i) {
            const ArenaScope scope(context.arena);
            blocks_[i].forward(context, batch.cu_seqlens, x, y, saved.blocks[i]);
            std::swap(x, y);
        }
        context.training = training;
        context.keeps = true;
        return x;
    }

    /// What follows the blocks: the final norm, where the family has one.
    View<S> finish(Context<B>& context, Saved& saved) const {
        saved.output = saved.hidden.back();
        if constexpr (A::final_norm) {
            saved.output = context.scratch(saved.output.rows, config_.hidden_size);
            final_norm_.forward(context, saved.hidden.back(), saved.output, saved.final_norm);
        }
        return saved.output;
    }
    void finish_backward(Context<B>& context, View<S> dhidden, const Saved& saved) const {
        if constexpr (A::final_norm) final_norm_.backward(context, dhidden, dhidden, saved.final_norm);
    }

    /// Carries `dhidden`, the gradient of the output, down to the first stage that trains; overwrites it.
    void backward(Context<B>& context, const Batch& batch, View<S> dhidden, Saved& saved) const {
        const std::size_t first = first_trainable_stage(context.parameters);
        if (first > stages()) return;
        require(saved.first_kept <= first, "backward through stage ", first, " but forward kept stages from ",
                saved.first_kept, " on");
        const ArenaScope scope(context.arena);
        finish_backward(context, dhidden, saved);
        View<S> upper = dhidden, lower = context.scratch(batch.tokens(), dhidden.cols);
        View<S> next = dhidden.rows == lower.rows ? dhidden : context.scratch(lower.rows, lower.cols);
        for (std::size_t i = blocks_.size(); i-- > 0 && i + 1 >= first;) {
            const ArenaScope of_block(context.arena);
            if constexpr (Checkpointing::every_block) {
                context.dropout_site = site_of_stage(i + 1);
                blocks_[i].forward(context, batch.cu_seqlens, saved.hidden[i], context.scratch(upper.rows, upper.cols),
                                   saved.blocks[i], read_of_block(i, saved));
            }
            blocks_[i].backward(context, upper, i + 1 > first ? lower : View<S>(), saved.blocks[i]);
            upper = lower;
            std::swap(lower, next);
        }
        if (first == 0) embed_backward(context, batch, upper, saved);
    }

    /// Writes the embeddings, stage 0, of shape (tokens, hidden_size).
    void embed(Context<B>& context, const Batch& batch, View<S> out, Saved& saved) const {
        const auto& store = std::as_const(context.parameters);
        saved.positions.assign(batch.position_ids.begin(), batch.position_ids.end());
        for (std::int32_t& position : saved.positions) position += A::position_offset;
        saved.embedded = A::embedding_norm ? context.scratch(out.rows, out.cols) : out;
        embedding_forward(context, batch.token_ids, store.value(token_embedding_), saved.embedded, false);
        embedding_forward(context, saved.positions, store.value(position_embedding_), saved.embedded, true);
        if constexpr (A::token_types)
            embedding_forward(context, batch.token_type_ids, store.value(type_embedding_), saved.embedded, true);
        if constexpr (A::embedding_norm) embedding_norm_.forward(context, saved.embedded, out, saved.embedding_norm);
        embedding_dropout().forward(context, out, saved.embedding_dropout);
    }

    /// Adds to the gradients of the embedding tables that train; overwrites dhidden.
    void embed_backward(Context<B>& context, const Batch& batch, View<S> dhidden, Saved& saved) const {
        auto& store = context.parameters;
        embedding_dropout().backward(context, dhidden, dhidden, saved.embedding_dropout);
        if constexpr (A::embedding_norm) embedding_norm_.backward(context, dhidden, dhidden, saved.embedding_norm);
        const auto add_rows = [&](std::span<const std::int32_t> ids, ParameterId table) {
            if (!store.trains(table)) return;
            const auto [gradient, accumulate] = store.gradient_target(table);
            if (!accumulate) fill(context, S(0), gradient);
            embedding_backward(context, ids, dhidden, gradient);
        };
        add_rows(batch.token_ids, token_embedding_);
        add_rows(saved.positions, position_embedding_);
        if constexpr (A::token_types) add_rows(batch.token_type_ids, type_embedding_);
    }

    /// Throws Error where a sequence is empty or too long, or an id is outside its table.
    void check_tokens(const Batch& batch) const {
        require(batch.token_ids.size() == batch.tokens(), "a batch of ", batch.tokens(), " tokens has ",
                batch.token_ids.size(), " token ids: a transformer reads tokens, not features");
        for (std::size_t s = 0; s < batch.size(); ++s) {
            const std::size_t length = std::size_t(batch.cu_seqlens[s + 1] - batch.cu_seqlens[s]);
            if (length == 0 || length > config_.max_positions - std::size_t(A::position_offset))
                fail("sequence ", s, " of the batch (sample ", batch.samples[s].index, ") has ", length,
                     " tokens, the model takes 1 to ", config_.max_positions - std::size_t(A::position_offset));
        }
        for (const std::int32_t id : batch.token_ids)
            if (id < 0 || std::size_t(id) >= config_.vocab_size)
                fail("token id ", id, " is outside the model's vocabulary of ", config_.vocab_size);
        if constexpr (A::token_types)
            for (const std::int32_t id : batch.token_type_ids)
                if (id < 0 || std::size_t(id) >= config_.type_vocab_size)
                    fail("token type ", id, " is outside the model's ", config_.type_vocab_size, " types");
    }

    /// More than a stage has: three of its own, attention's, and one for each adapter.
    static constexpr std::size_t dropout_sites = 16;

  private:
    static std::uint32_t site_of_stage(std::size_t stage) { return std::uint32_t(stage * dropout_sites); }
    static void check_read(const Batch& batch, std::span<const std::int32_t> read) {
        for (std::size_t i = 0; i < read.size(); ++i)
            if (read[i] < 0 || std::size_t(read[i]) >= batch.tokens() || (i > 0 && read[i] <= read[i - 1]))
                fail("token ", read[i], " to be read of a batch of ", batch.tokens(),
                     " tokens: they must lie in the batch, in ascending order");
    }
    std::span<const std::int32_t> read_of_block(std::size_t block, const Saved& saved) const {
        return block + 1 == blocks_.size() ? std::span<const std::int32_t>(saved.read)
                                           : std::span<const std::int32_t>();
    }

    nn::Dropout<B> embedding_dropout() const { return {config_.dropout_of_embeddings()}; }

    TransformerConfig config_;
    ParameterId token_embedding_ = no_parameter, position_embedding_ = no_parameter, type_embedding_ = no_parameter;
    nn::LayerNorm<B> embedding_norm_, final_norm_;
    std::vector<Block> blocks_;
    FirstTrainableStage first_trainable_;
    std::string blocks_name_, final_norm_name_; ///< what the names of their tensors have before the block's number
};

}
