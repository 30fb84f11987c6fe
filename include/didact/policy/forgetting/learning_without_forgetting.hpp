#pragma once
#include <utility>

#include "didact/data/stream.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"
#include "didact/train/engine.hpp"
#include "didact/train/step.hpp"

namespace didact::forgetting {

/// Learning without forgetting (Li and Hoiem 2016, arXiv 1606.09282). From the second experience on, adds for each
/// earlier head strength · mean over its rows (sequences, or tokens) of −Σ_c q_c log p_c, q = softmax(z_teacher / T)
/// and p = softmax(z / T) on the step's samples, the teacher being the model as the experience began, in evaluation
/// mode. There is no factor T². Of a head that trains on, only the classes seen before take part. Needs heads
/// for one class of a sequence or of each token.
struct LearningWithoutForgetting {
    static constexpr Family family = Family::forgetting;
    double strength = 1;
    double temperature = 2;

    template <class Model>
    class State;
    static std::string name() { return "learning-without-forgetting"; }
    static void fields(auto& policy, const auto& visit) {
        visit("strength", policy.strength);
        visit("temperature", policy.temperature);
    }
    friend bool operator==(const LearningWithoutForgetting&, const LearningWithoutForgetting&) = default;
};

template <class Model>
class LearningWithoutForgetting::State {
    static_assert(Model::keeps_logits, "didact: forgetting::LearningWithoutForgetting distils logits, and no head of "
                                       "this Model keeps them: language-model heads compute theirs block by block");

  public:
    static_assert(
        !requires(typename Model::Trunk & trunk) { trunk.num_columns(); },
        "didact: forgetting::LearningWithoutForgetting reads the heads of earlier tasks from the current one's hidden "
        "states, and the columns of a CrossStitch model have each their own");
    using S = typename Model::S;

    State(const LearningWithoutForgetting& policy, const Model&) : policy_(policy) {
        require_not_negative("forgetting::LearningWithoutForgetting", "strength", policy.strength);
        require_not_negative("forgetting::LearningWithoutForgetting", "temperature", policy.temperature);
        require(policy.temperature > 0, "forgetting::LearningWithoutForgetting: temperature is 0, it must be above 0");
    }

    void experience_began(Engine<Model>& engine, const Experience& experience, const Moment&) {
        for (const TaskData& data : experience.tasks)
            engine.model().with_head(data.task, teacher_saved_, [&](const auto& head, auto&) {
                const std::string_view type = head.problem_type;
                require(type == "single_label_classification" || type == "token_classification",
                        "forgetting::LearningWithoutForgetting: task '", engine.model().task_name(data.task), "' is ",
                        type, "; what it distils is a choice of one class, of a sequence or of each token");
            });
        if (seen_.empty()) return;
        const auto& store = std::as_const(engine.parameters());
        teacher_.assign(store.values().begin(), store.values().end());
    }

    double distil(Engine<Model>& engine, const Batch& batch, typename Model::Saved& saved, const StepGroup& group,
                  View<S> dhidden, const Moment&) {
        if (teacher_.empty()) return 0;
        const ArenaScope scope(engine.arena());
        double total = 0;
        bool teacher_ran = false;
        for (std::size_t task = 0; task < seen_.size(); ++task) {
            if (seen_[task].empty()) continue;
            if (!std::exchange(teacher_ran, true)) run_teacher(engine, batch);
            total += distil_head(engine, task, batch, saved, group, dhidden);
        }
        return total;
    }

    void experience_ended(Engine<Model>&, const Experience& experience, const Moment&) {
        for (const TaskData& data : experience.tasks) {
            if (data.train.empty()) continue;
            if (seen_.size() <= data.task) seen_.resize(data.task + 1);
            std::vector<std::uint8_t>& classes = seen_[data.task];
            if (classes.empty()) classes.resize(1);
            for (std::size_t i = 0; i < data.train.size(); ++i)
                for (const std::int32_t label : data.train.labels(i)) {
                    if (label < 0) continue;
                    if (classes.size() <= std::size_t(label)) classes.resize(std::size_t(label) + 1);
                    classes[std::size_t(label)] = 1;
                }
        }
    }

    void serialize(Archive& archive) {
        std::size_t tasks = seen_.size();
        archive("tasks", tasks);
        seen_.resize(tasks);
        for (auto& classes : seen_) archive("classes", classes);
        archive("teacher", teacher_);
    }

  private:
    void run_teacher(Engine<Model>& engine, const Batch& batch) {
        auto context = engine.context();
        engine.with_values(teacher_, [&] {
            teacher_saved_.hidden = engine.model().trunk().forward(context, batch, teacher_saved_.trunk, false);
        });
    }

    double distil_head(Engine<Model>& engine, std::size_t task, const Batch& batch, typename Model::Saved& saved,
                       const StepGroup& group, View<S> dhidden) {
        const ArenaScope scope(engine.arena());
        auto context = engine.context();
        Model& model = engine.model();
        View<S> target;
        engine.with_values(teacher_, [&] {
            model.with_head(task, teacher_saved_, [&](const auto& head, auto& kept) {
                head.logits(context, teacher_saved_.hidden, batch, kept);
                if constexpr (requires { kept.logits; }) target = kept.logits;
            });
        });
        require(!target.empty(), "forgetting::LearningWithoutForgetting: task '", model.task_name(task),
                "' has a head without logits");
        return model.with_head(task, saved, [&](const auto& head, auto& kept) -> double {
            if constexpr (requires { head.logits_backward(context, batch, kept, View<const S>(), dhidden); }) {
                if (task != batch.task) head.logits(context, saved.hidden, batch, kept);
                const View<S> slope = context.scratch(target.rows, target.cols);
                const std::vector<std::uint8_t>& classes = seen_[task];
                const auto counts = [&](std::size_t c) {
                    return task != batch.task || (c < classes.size() && classes[c]);
                };
                const bool of_tokens = head.problem_type == std::string_view("token_classification");
                const double share = policy_.strength / double(of_tokens ? group.tokens() : group.samples());
                double loss = 0;
                for (std::size_t row = 0; row < target.rows; ++row)
                    loss += distil_row(target, kept.logits, slope, row, counts, group.weight * share);
                head.logits_backward(context, batch, kept, slope, dhidden);
                return share * loss;
            } else {
                return 0;
            }
        });
    }

    /// One row's cross-entropy; its gradient, times `factor`, in `slope`.
    template <class Counts>
    double distil_row(View<S> teacher, View<S> student, View<S> slope, std::size_t row, const Counts& counts,
                      double factor) const {
        const double t = policy_.temperature;
        double top_teacher = -1e300, top_student = -1e300, sum_teacher = 0, sum_student = 0, loss = 0;
        for (std::size_t c = 0; c < teacher.cols; ++c) {
            if (!counts(c)) continue;
            top_teacher = std::max(top_teacher, double(teacher(row, c)));
            top_student = std::max(top_student, double(student(row, c)));
        }
        for (std::size_t c = 0; c < teacher.cols; ++c) {
            if (!counts(c)) continue;
            sum_teacher += std::exp((double(teacher(row, c)) - top_teacher) / t);
            sum_student += std::exp((double(student(row, c)) - top_student) / t);
        }
        for (std::size_t c = 0; c < teacher.cols; ++c) {
            slope(row, c) = 0;
            if (!counts(c)) continue;
            const double q = std::exp((double(teacher(row, c)) - top_teacher) / t) / sum_teacher;
            const double log_p = (double(student(row, c)) - top_student) / t - std::log(sum_student);
            loss -= q * log_p;
            slope(row, c) = S(factor * (std::exp(log_p) - q) / t);
        }
        return loss;
    }

    LearningWithoutForgetting policy_;
    std::vector<std::vector<std::uint8_t>> seen_; ///< of each task, which classes it has had
    AlignedVector<S> teacher_;
    typename Model::Saved teacher_saved_;
};

}
