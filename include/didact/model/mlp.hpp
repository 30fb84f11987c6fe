#pragma once
#include <algorithm>
#include <vector>

#include "didact/core/leading_number.hpp"
#include "didact/data/batch.hpp"
#include "didact/model/first_trainable_stage.hpp"
#include "didact/nn/linear.hpp"

namespace didact {

/// Sizes of a multi-layer perceptron.
struct MlpConfig {
    std::size_t input_size = 0;
    std::vector<std::size_t> hidden_sizes = {};
    double initializer_range = 0.02, classifier_dropout = 0; ///< of the head on top
};

/// A trunk for plain feature vectors: linear layers, each followed by ReLU. The published tables of continual learning
/// use it. Weights start uniform in ±√(6 / in) (He et al. 2015, arXiv 1502.01852), biases at zero.
template <class B, class Adapter = nn::NoAdapter>
class Mlp {
    static_assert(Backend<B>, "didact: the first template argument of Mlp is a backend, e.g. Cpu<float>");

  public:
    struct Architecture {};
    using BackendType = B;
    using AdapterType = Adapter;
    using S = Scalar<B>;

    struct Saved {
        std::vector<View<S>> before, after;
        std::vector<typename nn::Linear<B, Adapter>::Saved> layers;
        View<const S> input; ///< where S is float the batch's own features, else a copy
    };

    Mlp(ParameterStore<B>& store, const MlpConfig& config) : config_(config) {
        require(config.input_size > 0 && !config.hidden_sizes.empty(), "an MLP needs an input and a hidden layer");
        std::size_t in = config.input_size;
        for (std::size_t i = 0; i < config.hidden_sizes.size(); ++i) {
            layers_.emplace_back(store, "layers." + std::to_string(i), in, config.hidden_sizes[i],
                                 Initializer::uniform(std::sqrt(6.0 / double(in))));
            in = config.hidden_sizes[i];
        }
    }

    const MlpConfig& config() const { return config_; }
    std::size_t output_size() const { return config_.hidden_sizes.back(); }
    /// Stage 0 is the input, which has no parameters; stage i is layer i − 1.
    std::size_t stages() const { return layers_.size() + 1; }
    std::size_t num_layers() const { return layers_.size(); }
    std::size_t stage_of(const std::string& name) const { return 1 + leading_number(std::string_view(name).substr(7)); }

    std::size_t first_trainable_stage(const ParameterStore<B>& store) const {
        return first_trainable_.of(*this, store);
    }

    /// Calls call(name, linear) for every linear layer.
    template <class Call>
    void for_each_linear(const ParameterStore<B>& store, const Call& call) {
        for (auto& layer : layers_) {
            const std::string name = store[layer.weight].name;
            call(name.substr(0, name.size() - 7), layer);
        }
    }

    /// (samples, last hidden size). `batch` must stay as it is until backward is over, and where the context
    /// names its features as lasting, until the gradients are read.
    View<S> forward(Context<B>& context, const Batch& batch, Saved& saved, bool = true) const {
        require(batch.feature_size == config_.input_size && batch.features.size() == batch.size() * batch.feature_size,
                "the batch has ", batch.feature_size, " features a sample, the model takes ", config_.input_size);
        saved.input = input(context, batch);
        saved.before.resize(layers_.size());
        saved.after.resize(layers_.size());
        saved.layers.resize(layers_.size());
        View<const S> x = saved.input;
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            saved.before[i] = context.scratch(batch.size(), layers_[i].out);
            saved.after[i] = context.scratch(batch.size(), layers_[i].out);
            layers_[i].forward(context, x, saved.before[i], saved.layers[i]);
            activation_forward(context, Activation::relu, saved.before[i], saved.after[i]);
            x = saved.after[i];
        }
        return saved.after.back();
    }

    /// Carries `dhidden`, the gradient of the output, down to the first layer that trains; overwrites it.
    void backward(Context<B>& context, const Batch&, View<S> dhidden, Saved& saved) const {
        const std::size_t first = first_trainable_stage(context.parameters);
        const ArenaScope scope(context.arena);
        View<S> up = dhidden;
        for (std::size_t i = layers_.size(); i-- > 0 && i + 1 >= first;) {
            activation_backward(context, Activation::relu, saved.before[i], up, up);
            const View<S> down = i + 1 > first ? context.scratch(up.rows, layers_[i].in) : View<S>();
            layers_[i].backward(context, up, down, saved.layers[i]);
            up = down;
        }
    }

    /// Adds, in the place of gradients, Σ weights[r] · (gradient of row r)², where `dhidden` has several rows for each
    /// sample of the pass, one sample after another: every sample is one row in every layer.
    void add_squared_gradients(Context<B>& context, View<const S> dhidden, std::span<const S> weights,
                               const Saved& saved) const requires std::is_same_v<Adapter, nn::NoAdapter> {
        const std::size_t first = first_trainable_stage(context.parameters), samples = saved.input.rows;
        const ArenaScope scope(context.arena);
        View<const S> up = dhidden;
        for (std::size_t i = layers_.size(); i-- > 0 && i + 1 >= first;) {
            const View<S> slopes = context.scratch(up.rows, up.cols), squares = context.scratch(samples, up.cols);
            activation_backward(context, Activation::relu, saved.before[i], up, slopes);
            sum_weighted_squares(context, slopes, weights, squares);
            layers_[i].add_squared_gradients(context, squares, saved.layers[i]);
            if (i + 1 == first) break;
            const View<S> down = context.scratch(up.rows, layers_[i].in);
            layers_[i].input_gradient(context, slopes, down);
            up = down;
        }
    }

  private:
    static View<const S> input(Context<B>& context, const Batch& batch) {
        if constexpr (std::is_same_v<S, float>) {
            return {batch.features.data(), batch.size(), batch.feature_size};
        } else {
            const View<S> result = context.scratch(batch.size(), batch.feature_size);
            std::copy(batch.features.begin(), batch.features.end(), result.data);
            return result;
        }
    }

    MlpConfig config_;
    std::vector<nn::Linear<B, Adapter>> layers_;
    FirstTrainableStage first_trainable_;
};

}
