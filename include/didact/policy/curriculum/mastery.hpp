#pragma once
#include <optional>

#include "didact/policy/curriculum/ranked_samples.hpp"
#include "didact/policy/policy.hpp"

namespace didact::curriculum {

/// Staged mastery: the data is cut into `stages` buckets from easy to hard; training begins with the easiest and each
/// promotion adds the next (baby steps: Spitkovsky et al. 2010). A stage is mastered when the validation metric reaches
/// `threshold`, or has not risen by `least_gain` for `patience` epochs, or after `longest` epochs, or fewer where the
/// experience has too few for all stages. Without validation data only that promotes. An experience of fewer epochs
/// than stages is an Error, as its hardest samples would never be trained on; TrainingOptions::patience may end one
/// before the last stage.
template <class Difficulty = difficulty::Length>
struct Mastery {
    static constexpr Family family = Family::curriculum;
    Difficulty difficulty = {};
    std::size_t stages = 3;
    double threshold = 0.9;
    double least_gain = 0.005;
    std::size_t patience = 1;
    std::size_t longest = 2;

    template <class Model>
    class State;
    static std::string name() { return "mastery:" + Difficulty::name(); }
    static void fields(auto& policy, const auto& visit) {
        visit("stages", policy.stages);
        visit("threshold", policy.threshold);
        visit("least_gain", policy.least_gain);
        visit("patience", policy.patience);
        visit("longest", policy.longest);
    }
    friend bool operator==(const Mastery&, const Mastery&) = default;
};

template <class Difficulty>
template <class Model>
class Mastery<Difficulty>::State {
    static_assert(difficulty::check_metric<Difficulty, Model>());

  public:
    State(const Mastery& policy, const Model&) : policy_(policy) {
        require(policy.stages > 0, "curriculum::Mastery: stages is 0");
        require(policy.longest > 0, "curriculum::Mastery: longest is 0, so no stage would ever end");
    }

    void experience_began(Engine<Model>& engine, const Experience& experience, const Moment& moment) {
        ranked_.rank(policy_.difficulty, engine, experience, moment);
        stage_ = epochs_ = stalled_ = 0;
        best_ = -1e300;
        const std::size_t epochs = (moment.total_steps + moment.steps_per_epoch - 1) / moment.steps_per_epoch;
        require(policy_.stages <= epochs, "curriculum::Mastery: stages is ", policy_.stages, " and experience '",
                experience.name, "' has ", epochs, " epochs, so its hardest samples would never be trained on");
        longest_ = std::min(policy_.longest, epochs / policy_.stages);
    }

    void select(const Dataset& data, std::size_t slot, const Moment& moment, std::span<std::uint32_t> out) {
        ranked_.draw(slot, std::max<std::size_t>(1, data.size() * (stage_ + 1) / policy_.stages), moment, out);
    }

    bool epoch_done(Model&, const Moment&, std::optional<double> validation) {
        ++epochs_;
        if (validation) {
            stalled_ = *validation > best_ + policy_.least_gain ? 0 : stalled_ + 1;
            best_ = std::max(best_, *validation);
        }
        const bool mastered = epochs_ >= longest_ || (validation && *validation >= policy_.threshold) ||
                              (validation && stalled_ >= policy_.patience);
        if (mastered && stage_ + 1 < policy_.stages) {
            ++stage_;
            epochs_ = stalled_ = 0;
            best_ = -1e300;
        }
        return false;
    }

    void serialize(Archive& archive) {
        archive("ranked", ranked_);
        archive("stage", stage_);
        archive("epochs", epochs_);
        archive("stalled", stalled_);
        archive("best", best_);
        archive("longest", longest_);
    }

    std::size_t stage() const { return stage_; }

  private:
    Mastery policy_;
    RankedSamples ranked_;
    std::size_t stage_ = 0, epochs_ = 0, stalled_ = 0, longest_ = 1;
    double best_ = -1e300;
};

}
