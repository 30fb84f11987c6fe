#pragma once
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "didact/model/heads/head.hpp"

namespace didact {

/// A trunk and its heads over one parameter store. `Heads` lists the kinds of head that tasks may have; how many tasks
/// there are, and which kind each uses, is decided at run time by add_head. Task t is the t-th head added.
template <class TrunkType, class... Heads>
class Model {
    static_assert(
        requires {
            typename TrunkType::BackendType;
            typename TrunkType::Saved;
        },
        "didact: the first template argument of Model is a trunk, e.g. Transformer<arch::Bert, Cpu<float>>");
    static_assert(sizeof...(Heads) > 0, "didact: a Model needs at least one kind of head, e.g. "
                                        "Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>>");
    static_assert((heads::Kind<Heads, TrunkType> && ...),
                  "didact: a Model's template arguments after the trunk are kinds of head, e.g. "
                  "heads::SequenceClassification<>; what one must have stands in model/heads/head.hpp");

  public:
    using Trunk = TrunkType;
    using B = typename Trunk::BackendType;
    using BackendType = B;
    using S = Scalar<B>;
    /// Whether at least one kind of head keeps its logits; those of a language model do not.
    static constexpr bool keeps_logits = (heads::KeepsLogits<Heads, TrunkType> || ...);

    /// What a pass keeps for its backward. One can be used again and again.
    struct Saved {
        typename Trunk::Saved trunk;
        std::tuple<typename Heads::template Layer<Trunk>::Saved...> heads;
        View<S> hidden;
    };

    template <class Config>
    explicit Model(const Config& config, std::uint64_t seed = 0)
        : store_(std::make_unique<ParameterStore<B>>(seed)), trunk_(*store_, config) {}

    /// Adds a task with a head of kind `Head` (the first kind where not said) and returns the task's number.
    template <class Head = std::tuple_element_t<0, std::tuple<Heads...>>>
    std::size_t add_head(HeadOptions options) {
        static_assert((std::is_same_v<Head, Heads> || ...),
                      "didact: this kind of head is not among the Model's template arguments");
        if (options.name.empty()) options.name = tasks_.empty() ? "main" : "task" + std::to_string(tasks_.size());
        for (const Task& task : tasks_) require(task.name != options.name, "there are two tasks '", options.name, "'");
        if (options.num_labels == 0) options.num_labels = options.labels.size();
        require(options.labels.empty() || options.labels.size() == options.num_labels, "task '", options.name, "' has ",
                options.num_labels, " labels and ", options.labels.size(), " label names");
        require(options.class_weights.empty() || options.class_weights.size() == options.num_labels, "task '",
                options.name, "' has ", options.num_labels, " labels and ", options.class_weights.size(),
                " class weights");
        options.check();
        auto& list = std::get<List<Head>>(heads_).layers;
        const ParameterId first = ParameterId(store_->count());
        list.emplace_back(*store_, trunk_, options, tasks_.empty());
        tasks_.push_back({options.name, kind_of<Head>(), list.size() - 1});
        store_->add_head(first);
        return tasks_.size() - 1;
    }

    std::size_t tasks() const { return tasks_.size(); }
    const std::string& task_name(std::size_t task) const { return tasks_.at(task).name; }

    /// Calls call(head) with the head of a task, whose type is one of Heads::Layer<Trunk>.
    template <class Call>
    decltype(auto) with_head(std::size_t task, const Call& call) const {
        require(task < tasks_.size(), "task ", task, " has no head, the model has ", tasks_.size());
        return dispatch<0>(tasks_[task], call);
    }
    /// Calls call(head, its part of saved).
    template <class Call>
    decltype(auto) with_head(std::size_t task, Saved& saved, const Call& call) const {
        return with_head(task, [&](const auto& head) -> decltype(auto) {
            return call(head, std::get<typename std::remove_cvref_t<decltype(head)>::Saved>(saved.heads));
        });
    }

    ParameterStore<B>& parameters() { return *store_; }
    const ParameterStore<B>& parameters() const { return *store_; }
    Trunk& trunk() { return trunk_; }
    const Trunk& trunk() const { return trunk_; }

    /// Runs a batch through the trunk and its task's head up to the logits, which `saved` keeps. A transformer's last
    /// block computes the tokens that the head reads, or every token where the context says so: set its every_token
    /// where other heads are to read `saved.hidden` too.
    void forward(Context<B>& context, const Batch& batch, Saved& saved, bool keep = true) const {
        run_head(context, batch, saved, [&](std::span<const std::int32_t> read) {
            if constexpr (requires { trunk_.forward(context, batch, saved.trunk, keep, read); })
                return trunk_.forward(context, batch, saved.trunk, keep, read);
            else
                return trunk_.forward(context, batch, saved.trunk, keep);
        });
    }
    /// The same from stage `from` of the trunk on, whose input is given; for a trunk that can begin there.
    template <class Own = Trunk>
    requires requires { &Own::forward_from; }
    void forward_from(Context<B>& context, const Batch& batch, Saved& saved, std::size_t from, View<S> input,
                      bool keep = true) const {
        run_head(context, batch, saved, [&](std::span<const std::int32_t> read) {
            return trunk_.forward_from(context, batch, saved.trunk, from, input, keep, read);
        });
    }

    /// The weighted sum of the batch's losses after `forward`; writes each sample's own mean loss.
    double loss(Context<B>& context, const Batch& batch, Saved& saved, std::span<float> sample_losses) const {
        return with_head(batch.task, saved,
                         [&](const auto& head, auto& kept) { return head.loss(context, batch, kept, sample_losses); });
    }

    /// What a sum of losses is divided by to give the mean: weighted samples, or tokens, as the head has it.
    double units(const Batch& batch) const {
        return with_head(batch.task, [&](const auto& head) { return head.units(batch); });
    }

    /// Whether a task's loss is over several samples at once, so that a batch may not be cut.
    bool couples_samples(std::size_t task) const {
        return with_head(task, [](const auto& head) {
            if constexpr (requires { head.couples_samples; })
                return head.couples_samples;
            else
                return false;
        });
    }

    /// Adds the gradient of scale · loss to the gradients of all parameters that train. `more(dhidden)` may add to the
    /// gradient of `saved.hidden`, which has its rows, before it goes down the trunk.
    template <class More>
    void backward(Context<B>& context, const Batch& batch, Saved& saved, double scale, const More& more) const {
        const ArenaScope scope(context.arena);
        const bool below = trunk_.first_trainable_stage(*store_) <= trunk_.stages();
        View<S> dhidden;
        if (below) {
            dhidden = context.scratch(saved.hidden.rows, saved.hidden.cols);
            fill(context, S(0), dhidden);
        }
        with_head(batch.task, saved, [&](const auto& head, auto& kept) {
            head.backward(context, saved.hidden, batch, kept, scale, dhidden);
        });
        more(dhidden);
        if (below) trunk_.backward(context, batch, dhidden, saved.trunk);
    }
    void backward(Context<B>& context, const Batch& batch, Saved& saved, double scale) const {
        backward(context, batch, saved, scale, [](View<S>) {});
    }

  private:
    static constexpr std::uint32_t head_dropout_site = 1u << 30;

    /// Calls run_trunk(tokens that the head reads) for the hidden states, and the head with them.
    template <class RunTrunk>
    void run_head(Context<B>& context, const Batch& batch, Saved& saved, const RunTrunk& run_trunk) const {
        with_head(batch.task, saved, [&](const auto& head, auto& kept) {
            std::span<const std::int32_t> read;
            if constexpr (requires { head.tokens_read(context, batch, kept); })
                if (!context.every_token) read = head.tokens_read(context, batch, kept);
            saved.hidden = run_trunk(read);
            context.dropout_site = head_dropout_site;
            head.logits(context, saved.hidden, batch, kept);
        });
    }

    struct Task {
        std::string name;
        std::size_t kind, index;
    };
    template <class Head>
    struct List {
        std::vector<typename Head::template Layer<Trunk>> layers;
    };

    template <class Head>
    static constexpr std::size_t kind_of() {
        std::size_t kind = 0;
        const bool found = ((std::is_same_v<Head, Heads> ? true : (++kind, false)) || ...);
        return found ? kind : 0;
    }

    template <std::size_t kind, class Call>
    decltype(auto) dispatch(const Task& task, const Call& call) const {
        using Head = std::tuple_element_t<kind, std::tuple<Heads...>>;
        if constexpr (kind + 1 < sizeof...(Heads))
            if (task.kind != kind) return dispatch<kind + 1>(task, call);
        return call(std::get<List<Head>>(heads_).layers[task.index]);
    }

    std::unique_ptr<ParameterStore<B>> store_;
    Trunk trunk_;
    std::tuple<List<Heads>...> heads_;
    std::vector<Task> tasks_;
};

}
