#pragma once
#include <chrono>
#include <limits>
#include <optional>

#include "didact/core/keep_trainable.hpp"
#include "didact/eval/evaluate.hpp"
#include "didact/train/best_weights.hpp"
#include "didact/train/callback.hpp"
#include "didact/train/gradient_norm.hpp"
#include "didact/train/parameter_archive.hpp"
#include "didact/train/run_setup.hpp"
#include "didact/train/sampler.hpp"
#include "didact/train/step_gradient.hpp"
#include "didact/train/update.hpp"

namespace didact {

/// Trains a model with policies: `Trainer trainer(model, freeze::Prefix{.layers = 4}, forgetting::OnlineEwc{})`. Any
/// order; an absent family is None and costs nothing. The loop itself knows no policy by name.
template <class Model, class... Policies>
class Trainer {
    static_assert(
        requires {
            typename Model::Trunk;
            typename Model::Saved;
        },
        "didact: a Trainer trains a Model, e.g. Model<Transformer<arch::Bert, Cpu<float>>, "
        "heads::TokenClassification>");

  public:
    using B = typename Model::B;
    using S = typename Model::S;
    using Set = PolicySet<Model, Policies...>;

    explicit Trainer(Model& model, const Policies&... policies)
        : model_(model), keep_trainable_(model.parameters()), engine_(std::make_unique<Engine<Model>>(model)),
          policies_(model, policies...) {}

    Engine<Model>& engine() { return *engine_; }
    Set& policies() { return policies_; }
    const Moment& moment() const { return moment_; }
    /// Of the run so far; of one that was restored, up to its checkpoint.
    const TrainingResult& result() const { return result_; }

    /// Trains on one task's data.
    TrainingResult fit(const Dataset& train, const TrainingOptions& options = {}, auto&&... callbacks) {
        return fit(train, Dataset(), options, callbacks...);
    }
    TrainingResult fit(const Dataset& train, const Dataset& validation, const TrainingOptions& options = {},
                       auto&&... callbacks) {
        const Stream stream{{.name = train.name, .tasks = {{.task = 0, .train = train, .validation = validation}}}};
        return fit(stream, options, callbacks...);
    }

    /// Trains on a stream of experiences, one after another, and evaluates every test set after each of them. A trainer
    /// that was restored from a checkpoint goes on from where that was written.
    TrainingResult fit(const Stream& stream, const TrainingOptions& options, auto&&... callbacks) {
        static_assert((Callback<decltype(callbacks), Trainer> && ...),
                      "didact: a callback has one or more of `void step(const report::StepReport&)`, `void epoch(const "
                      "report::EpochReport&)`, `void checkpoint(Trainer&)` and `void finish()`; this one has none that "
                      "can be called so");
        begin_run(stream, options);
        const FlushDenormals flush;
        if (cursor_.experience == 0 && !cursor_.begun) evaluate_row(stream, 0);
        while (cursor_.experience < stream.size()) {
            const Experience& experience = stream[cursor_.experience];
            if (!cursor_.begun) begin_experience(experience);
            const auto end_epoch_if_over = [&] {
                const bool last = moment_.step == moment_.total_steps && cursor_.step_of_epoch > 0;
                if (last || cursor_.step_of_epoch == moment_.steps_per_epoch) end_epoch(experience, callbacks...);
            };
            end_epoch_if_over(); // of a run that an error kept from it
            while (!experience_is_over()) {
                sampler_.begin_epoch(experience, moment_,
                                     [&](std::size_t task) { return model_.couples_samples(task); });
                const report::StepReport report = step(experience);
                call_step(report, callbacks...);
                end_epoch_if_over();
                call_checkpoint(*this, callbacks...);
                if (options_.stop && options_.stop()) return result_;
            }
            end_experience(stream, experience);
        }
        call_finish(callbacks...);
        result_.finished = true;
        return result_;
    }

    /// What `fit` does first: throws Error where it could not train on this stream, or could not go on with it from the
    /// checkpoint that was restored.
    void check_run(const Stream& stream, const TrainingOptions& options) const {
        require(!half_read_, unfinished());
        check_setup(stream, options, model_.tasks());
        const std::string run = describe_run(model_, stream, options);
        require(!restored_ || restored_finished_ || run == run_, restored_from_, ": ",
                first_difference("it is of a run with ", run_, " and this one has ", run));
    }

    /// Writes the whole state of the run, or reads it: the next `fit` with the same data and options goes on bit for
    /// bit. Where its data or what describe_run names are others, that `fit` throws Error; of a run that had finished
    /// it trains on them as a second `fit` of the trainer that wrote it does, with what the policies know of the first.
    void serialize(Archive& archive) {
        serialize_setup(archive);
        require(archive.reading() || !half_read_, unfinished());
        if (archive.reading()) half_read_ = true;
        archive("moment.experience", moment_.experience);
        archive("moment.epoch", moment_.epoch);
        archive("moment.step", moment_.step);
        archive("moment.step_of_run", moment_.step_of_run);
        archive("cursor", cursor_);
        archive("sampler", sampler_);
        archive("result", result_);
        bool finished = restored_ ? restored_finished_ : result_.finished;
        archive("finished", finished);
        archive("best", best_);
        serialize_parameters(archive, model_.parameters());
        if constexpr (requires { model_.trunk().frozen_dropout; })
            archive("frozen_dropout", model_.trunk().frozen_dropout);
        if (archive.reading()) {
            policies_.layout_changed(model_.parameters().layout());
            engine_->prefix_cache().clear();
            result_.finished = false;
        }
        archive("policies", policies_);
        if (!archive.reading()) return;
        archive.finish();
        restored_ = true;
        restored_finished_ = finished;
        half_read_ = false;
    }

  private:
    std::string unfinished() const {
        return restored_from_ + ": reading it ended in an error, so the trainer's state is no run's";
    }

    struct Cursor {
        std::size_t experience = 0, step_of_epoch = 0;
        bool begun = false; ///< the experience's beginning is behind us
        void serialize(Archive& archive) {
            archive("experience", experience);
            archive("step_of_epoch", step_of_epoch);
            archive("begun", begun);
        }
    };

    /// Writes what the run is of, or throws Error where an archive is of a run with other policies. Data and options
    /// are compared when the next `fit` knows them.
    void serialize_setup(Archive& archive) {
        std::string policies = policies_.description();
        archive("policies", policies);
        require(policies == policies_.description(), archive.source(), ": ",
                first_difference("it is of a run with ", policies, " and this trainer has ", policies_.description()));
        archive("run", run_);
        if (archive.reading()) restored_from_ = archive.source();
    }

    void begin_run(const Stream& stream, const TrainingOptions& options) {
        check_run(stream, options);
        std::string run = describe_run(model_, stream, options);
        const bool goes_on = restored_ && run == run_;
        run_ = std::move(run);
        if (options.threads != options_.threads) engine_->use_threads(options.threads);
        options_ = options;
        engine_->prefix_cache().keep_in(options.prefix_cache);
        if (!goes_on) {
            moment_ = {};
            cursor_ = {};
            best_ = {};
            sampler_ = {};
            engine_->prefix_cache().clear();
            result_ = {};
            result_.matrix.assign((stream.size() + 1) * stream.size(), std::numeric_limits<double>::quiet_NaN());
        }
        moment_.seed = options.seed;
        if (goes_on && cursor_.begun) set_length(stream[cursor_.experience]);
        restored_ = false;
        started_ = std::chrono::steady_clock::now();
    }

    void set_length(const Experience& experience) {
        const std::size_t per_step = options_.batch_size * options_.accumulation;
        moment_.steps_per_epoch = std::max<std::size_t>(1, (experience.train_size() + per_step - 1) / per_step);
        moment_.total_steps =
            options_.steps ? options_.steps : std::size_t(std::ceil(options_.epochs * double(moment_.steps_per_epoch)));
    }

    void begin_experience(const Experience& experience) {
        moment_.experience = cursor_.experience;
        moment_.epoch = moment_.step = 0;
        cursor_.step_of_epoch = 0;
        set_length(experience);
        best_ = {};
        if (options_.reset_optimizer) policies_.optimizer.reset();
        policies_.experience_began(*engine_, experience, moment_);
        policies_.plan(model_, moment_);
        cursor_.begun = true;
    }

    bool experience_is_over() const { return moment_.step >= moment_.total_steps || best_.stopped(options_); }

    /// The end of a step, also where that is an error: nothing is left of its gradients, which may wait as factors in
    /// its batches, or have been on their way elsewhere.
    struct GradientsEnd {
        ParameterStore<B>& store;
        ~GradientsEnd() {
            store.redirect_gradients({});
            store.clear_gradients();
        }
    };

    /// One optimizer step: choose, forward and backward, project, update.
    report::StepReport step(const Experience& experience) {
        const GradientsEnd end{model_.parameters()};
        StepBatches& batches = batches_;
        sampler_.fill(experience, moment_, cursor_.step_of_epoch, options_, policies_, batches);
        if constexpr (hooks::Rehearse<typename Set::ForgettingState>) policies_.forgetting.rehearse(batches, moment_);
        if (options_.micro_batch_tokens > 0)
            for (StepGroup& group : batches.groups())
                if (!model_.couples_samples(group.task)) group.cut(options_.micro_batch_tokens);
        const double loss = gradient_(*engine_, policies_, batches, moment_);
        if constexpr (hooks::Project<typename Set::ForgettingState, Model>)
            policies_.forgetting.project(*engine_, moment_);
        Context<B> context = engine_->context();
        const double norm = gradient_norm(context);
        check_finite(loss, norm);
        const double clip = options_.max_gradient_norm > 0 && norm > options_.max_gradient_norm
                                ? options_.max_gradient_norm / (norm + 1e-6)
                                : 1.0;
        const double rate =
            policies_.optimizer_policy.learning_rate * policies_.schedule.factor(moment_.step, moment_.total_steps);
        if constexpr (requires { policies_.optimizer.step_begins(); }) policies_.optimizer.step_begins();
        update_parameters<Model>(context, rate, clip, policies_.optimizer, policies_.freeze, policies_.forgetting);
        ++moment_.step;
        ++moment_.step_of_run;
        ++cursor_.step_of_epoch;
        result_.last_loss = loss;
        result_.tokens += batches.tokens();
        policies_.step_done(model_, moment_);
        return {moment_.experience,
                moment_.epoch,
                moment_.step,
                moment_.total_steps,
                batches.tokens(),
                loss,
                rate,
                norm,
                seconds(),
                moment_.step_of_run};
    }

    void check_finite(double loss, double norm) {
        if (std::isfinite(loss) && std::isfinite(norm)) return;
        Context<B> context = engine_->context();
        nn::compute_deferred(context);
        const std::string tensor = engine_->find_bad_gradient();
        fail("step ", moment_.step_of_run, " of the run (experience ", moment_.experience, ", epoch ", moment_.epoch,
             "): the loss is ", loss, " and the gradient norm ", norm,
             tensor.empty() ? std::string() : "; the first bad gradient is that of '" + tensor + "'",
             ". The parameters are as they were before this step.");
    }

    void end_epoch(const Experience& experience, auto&... callbacks) {
        double sum = 0;
        std::size_t count = 0;
        for (const TaskData& data : experience.tasks) {
            if (data.validation.empty()) continue;
            const Evaluation evaluation =
                evaluate(*engine_, data.validation, data.task, options_.evaluation_batch_size);
            sum += evaluation.primary;
            ++count;
            const report::EpochReport report{moment_.experience,
                                             moment_.epoch,
                                             "validation",
                                             model_.tasks() > 1 ? model_.task_name(data.task) : "",
                                             evaluation.named_metrics(),
                                             seconds(),
                                             moment_.step_of_run};
            call_epoch(report, callbacks...);
        }
        const std::optional<double> metric = count ? std::optional(sum / double(count)) : std::nullopt;
        if (metric) {
            result_.validation.push_back(*metric);
            best_.epoch_done(*metric, options_, model_.parameters());
        }
        ++moment_.epoch;
        cursor_.step_of_epoch = 0;
        if (policies_.epoch_done(model_, moment_, metric)) policies_.plan(model_, moment_);
    }

    void end_experience(const Stream& stream, const Experience& experience) {
        if (options_.restore_best && best_.restore(model_.parameters())) engine_->prefix_cache().clear();
        policies_.experience_ended(*engine_, experience, moment_);
        ++cursor_.experience;
        cursor_.begun = false;
        evaluate_row(stream, cursor_.experience);
        moment_.experience = cursor_.experience;
    }

    /// Fills row `row` of R: the primary metric on every experience's test data, the mean over its tasks.
    void evaluate_row(const Stream& stream, std::size_t row) {
        if (row == 0 && !options_.evaluate_before) return;
        for (std::size_t j = 0; j < stream.size(); ++j) {
            double sum = 0;
            std::size_t count = 0;
            for (const TaskData& data : stream[j].tasks) {
                if (data.test.empty()) continue;
                sum += evaluate(*engine_, data.test, data.task, options_.evaluation_batch_size).primary;
                ++count;
            }
            if (count) result_.matrix[row * stream.size() + j] = sum / double(count);
        }
    }

    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    }

    Model& model_;
    KeepTrainable<B> keep_trainable_; ///< what a freeze policy changes ends with the trainer
    std::unique_ptr<Engine<Model>> engine_;
    Set policies_;
    TrainingOptions options_;
    Moment moment_;
    Cursor cursor_;
    BestWeights<B> best_;
    TrainingResult result_;
    StepBatches batches_;
    Sampler sampler_;
    StepGradient<Model, Set> gradient_;
    std::chrono::steady_clock::time_point started_;
    std::string run_, restored_from_; ///< what describe_run says; the checkpoint that was read
    bool restored_ = false, restored_finished_ = false, half_read_ = false;
};

template <class Model, class... Policies>
Trainer(Model&, const Policies&...) -> Trainer<Model, Policies...>;

}
