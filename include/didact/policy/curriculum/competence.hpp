#pragma once
#include "didact/policy/curriculum/ranked_samples.hpp"
#include "didact/policy/policy.hpp"

namespace didact::curriculum {

/// Competence-based pacing (Platanios et al. 2019, arXiv 1903.09848, eq. 6 and 8): step t draws uniformly, without
/// replacement within the step, from the easiest share c(t) of the data (one sample at least), c(t) = min(1, (t (1 −
/// c₀ᵖ) / T + c₀ᵖ)^(1/p)). p = 1 is linear pacing, p = 2 the square root. T is `duration` of the experience's steps.
template <class Difficulty = difficulty::Length>
struct Competence {
    static constexpr Family family = Family::curriculum;
    Difficulty difficulty = {};
    double initial = 0.01; ///< c₀ in (0, 1]
    double power = 2;      ///< p
    double duration = 0.5; ///< T as a share of the experience's steps, in (0, 1]

    double competence(double progress) const {
        const double start = std::pow(initial, power);
        return std::min(1.0, std::pow(progress / duration * (1 - start) + start, 1 / power));
    }

    template <class Model>
    class State;
    static std::string name() { return "competence:" + Difficulty::name(); }
    static void fields(auto& policy, const auto& visit) {
        visit("initial", policy.initial);
        visit("power", policy.power);
        visit("duration", policy.duration);
    }
    friend bool operator==(const Competence&, const Competence&) = default;
};

template <class Difficulty>
template <class Model>
class Competence<Difficulty>::State {
    static_assert(difficulty::check_metric<Difficulty, Model>());

  public:
    State(const Competence& policy, const Model&) : policy_(policy) {
        require(policy.initial > 0 && policy.initial <= 1, "curriculum::Competence: initial is ", policy.initial,
                ", it must be in (0, 1]");
        require(policy.power > 0, "curriculum::Competence: power is ", policy.power, ", it must be above 0");
        require(policy.duration > 0 && policy.duration <= 1, "curriculum::Competence: duration is ", policy.duration,
                ", it must be in (0, 1]");
    }

    void experience_began(Engine<Model>& engine, const Experience& experience, const Moment& moment) {
        ranked_.rank(policy_.difficulty, engine, experience, moment);
    }

    void select(const Dataset& data, std::size_t slot, const Moment& moment, std::span<std::uint32_t> out) {
        const double c = policy_.competence(moment.progress());
        // Sample number r of the order has a share of (r + 1) / size at or below it; the slack is for rounding of c.
        const std::size_t available =
            std::clamp<std::size_t>(std::size_t(c * double(data.size()) + 1e-9), 1, data.size());
        ranked_.draw(slot, available, moment, out);
    }

    void serialize(Archive& archive) { archive("ranked", ranked_); }

    const std::vector<std::vector<std::uint32_t>>& orders() const { return ranked_.orders(); }

  private:
    Competence policy_;
    RankedSamples ranked_;
};

}
