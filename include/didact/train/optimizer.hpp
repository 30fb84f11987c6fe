#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "didact/backend/cpu/elements.hpp"
#include "didact/backend/cpu/packet.hpp"
#include "didact/backend/cpu/square_root.hpp"
#include "didact/core/parameter_store.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"

namespace didact::optimizer {

/// Elements that a rule updates at a time.
inline constexpr std::size_t update_block = 256;

/// AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), as PyTorch's: with g the gradient and η the scheduled rate,
/// w ← w − η λ w; m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; w ← w − η m̂ / (√v̂ + ε), m̂ = m / (1 − β₁ᵗ), v̂ = v / (1
/// − β₂ᵗ). t counts the steps that each parameter took part in since it began to train. λ acts on weights only, not on
/// biases and norms.
struct AdamW {
    static constexpr Family family = Family::optimizer;
    double learning_rate = 5e-5;
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double weight_decay = 0.01;

    template <class S>
    class State;

    static std::string name() { return "adamw"; }
    static void fields(auto& policy, const auto& visit) {
        visit("learning_rate", policy.learning_rate);
        visit("beta1", policy.beta1);
        visit("beta2", policy.beta2);
        visit("epsilon", policy.epsilon);
        visit("weight_decay", policy.weight_decay);
    }
    friend bool operator==(const AdamW&, const AdamW&) = default;
};

template <class S>
class AdamW::State {
  public:
    explicit State(const AdamW& policy) : policy_(policy) {
        require_not_negative("AdamW", "learning_rate", policy.learning_rate);
        require(policy.beta1 >= 0 && policy.beta1 < 1, "AdamW: beta1 is ", policy.beta1, ", it must lie in [0, 1)");
        require(policy.beta2 >= 0 && policy.beta2 < 1, "AdamW: beta2 is ", policy.beta2, ", it must lie in [0, 1)");
        require(policy.epsilon > 0, "AdamW: epsilon is ", policy.epsilon, ", it must be above 0");
        require_not_negative("AdamW", "weight_decay", policy.weight_decay);
    }

    void layout_changed(const TrainableLayout& before, const TrainableLayout& after) {
        m_ = after.carry_over(before, m_);
        v_ = after.carry_over(before, v_);
        std::vector<Age> ages;
        std::size_t b = 0;
        for (std::size_t i = 0; i < after.slices.size(); ++i) {
            while (b < before.slices.size() && before.slices[b].id < after.slices[i].id) ++b;
            const bool stays = b < before.slices.size() && before.slices[b].id == after.slices[i].id &&
                               !ages_.empty() && before.slices[b].offset < ages_.back().end;
            const std::uint64_t steps = stays ? age(before.slices[b].offset).steps : 0;
            const std::size_t end = i + 1 < after.slices.size() ? after.slices[i + 1].offset : after.size;
            if (!ages.empty() && ages.back().steps == steps)
                ages.back().end = end;
            else
                ages.push_back({end, steps});
        }
        ages_ = std::move(ages);
    }

    /// The end of the elements, from `first` on, that have trained for as many steps as that one.
    std::size_t one_rule_until(std::size_t first) const { return age(first).end; }

    /// The rule of the step about to be taken at learning rate `rate`. Updates the values w of `count` elements, at
    /// most update_block, the first being element `first` of the trainable range, from their gradients g.
    struct Rule {
        S *m, *v;
        S beta1, beta2, epsilon, step_size, inverse_root, decay;
        void operator()(std::size_t first, std::size_t count, S* __restrict w, const S* __restrict g) const {
            S* const __restrict a = m + first, * const __restrict b = v + first;
            std::array<S, update_block> roots;
            // The rule by value, or what is stored could change it.
            cpu::map_elements(count, a, [=, *this](std::size_t i) { return beta1 * a[i] + (S(1) - beta1) * g[i]; });
            cpu::map_elements(count, b,
                              [=, *this](std::size_t i) { return beta2 * b[i] + (S(1) - beta2) * g[i] * g[i]; });
            cpu::square_roots(count, b, roots.data());
            cpu::map_elements(count, w, [&, *this](std::size_t i) {
                return w[i] * decay - step_size * a[i] / (roots[i] * inverse_root + epsilon);
            });
        }
    };
    void step_begins() {
        for (Age& age : ages_) ++age.steps;
    }
    /// `size` elements from `first` on take no part in the step that began.
    void skip(std::size_t first, std::size_t size) {
        split(first);
        split(first + size);
        for (Age& age : ages_)
            if (age.end > first && age.end <= first + size) --age.steps;
    }
    Rule rule(double rate, bool decays, std::size_t first = 0) {
        const double steps = double(age(first).steps);
        const double correction1 = 1 - std::pow(policy_.beta1, steps);
        const double correction2 = 1 - std::pow(policy_.beta2, steps);
        return {m_.data(),
                v_.data(),
                S(policy_.beta1),
                S(policy_.beta2),
                S(policy_.epsilon),
                S(rate / correction1),
                S(1 / std::sqrt(correction2)),
                S(decays ? 1 - rate * policy_.weight_decay : 1)};
    }

    void reset() {
        std::fill(m_.begin(), m_.end(), S(0));
        std::fill(v_.begin(), v_.end(), S(0));
        ages_.assign(1, {m_.size(), 0});
    }
    void serialize(Archive& archive) {
        archive("ages", ages_);
        archive("m", m_);
        archive("v", v_);
    }

  private:
    /// Elements up to `end` of the trainable range, from where the one before ends, and the steps that they trained
    /// for.
    struct Age {
        std::size_t end = 0;
        std::uint64_t steps = 0;
        void serialize(Archive& archive) {
            archive("end", end);
            archive("steps", steps);
        }
    };
    const Age& age(std::size_t element) const {
        return *std::upper_bound(ages_.begin(), ages_.end(), element,
                                 [](std::size_t e, const Age& age) { return e < age.end; });
    }

    /// Lets a range of ages_ begin at `element`.
    void split(std::size_t element) {
        const auto after = std::upper_bound(ages_.begin(), ages_.end(), element,
                                            [](std::size_t e, const Age& age) { return e < age.end; });
        if (after == ages_.end() || (after == ages_.begin() ? 0 : std::prev(after)->end) == element) return;
        ages_.insert(after, {element, after->steps});
    }

    AdamW policy_;
    std::vector<Age> ages_;
    AlignedVector<S> m_, v_;
};

/// Stochastic gradient descent with momentum, as PyTorch's: g ← g + λ w; b ← μ b + g; w ← w − η b, or with Nesterov's
/// form w ← w − η (g + μ b). λ acts on weights only, not on biases and norms.
struct Sgd {
    static constexpr Family family = Family::optimizer;
    double learning_rate = 0.1;
    double momentum = 0;
    bool nesterov = false;
    double weight_decay = 0;

    template <class S>
    class State;

    static std::string name() { return "sgd"; }
    static void fields(auto& policy, const auto& visit) {
        visit("learning_rate", policy.learning_rate);
        visit("momentum", policy.momentum);
        visit("nesterov", policy.nesterov);
        visit("weight_decay", policy.weight_decay);
    }
    friend bool operator==(const Sgd&, const Sgd&) = default;
};

template <class S>
class Sgd::State {
  public:
    explicit State(const Sgd& policy) : policy_(policy) {
        require_not_negative("Sgd", "learning_rate", policy.learning_rate);
        require(policy.momentum >= 0 && policy.momentum < 1, "Sgd: momentum is ", policy.momentum,
                ", it must lie in [0, 1)");
        require_not_negative("Sgd", "weight_decay", policy.weight_decay);
        require(!policy.nesterov || policy.momentum > 0, "Sgd: nesterov needs a momentum above 0");
    }

    void layout_changed(const TrainableLayout& before, const TrainableLayout& after) {
        if (policy_.momentum > 0) momentum_ = after.carry_over(before, momentum_);
    }

    struct Rule {
        S* b;
        S momentum, rate, decay;
        bool nesterov;
        void operator()(std::size_t first, std::size_t count, S* __restrict w, const S* __restrict g) const {
            if (rate_of_descent()) {
                const auto step = [&](const auto& x, const auto& slope) { return cpu::descended(x, rate, slope); };
                return cpu::map_packets(count, w, step, w, g);
            }
            // The rule by value, or what is stored could change it.
            const auto slope = [&, *this](std::size_t i) { return g[i] + decay * w[i]; };
            if (!b) return cpu::map_elements(count, w, [&](std::size_t i) { return w[i] - rate * slope(i); });
            S* const __restrict moving = b + first;
            cpu::map_elements(count, moving, [&](std::size_t i) { return momentum * moving[i] + slope(i); });
            if (nesterov)
                cpu::map_elements(count, w,
                                  [&](std::size_t i) { return w[i] - rate * (slope(i) + momentum * moving[i]); });
            else
                cpu::map_elements(count, w, [&](std::size_t i) { return w[i] - rate * moving[i]; });
        }
        /// η where the rule is w ← w − η g and nothing more.
        std::optional<S> rate_of_descent() const { return b || decay != 0 ? std::nullopt : std::optional<S>(rate); }
    };
    void step_begins() {}
    Rule rule(double rate, bool decays) {
        return {momentum_.empty() ? nullptr : momentum_.data(), S(policy_.momentum), S(rate),
                S(decays ? policy_.weight_decay : 0), policy_.nesterov};
    }
    void reset() { std::fill(momentum_.begin(), momentum_.end(), S(0)); }
    void serialize(Archive& archive) { archive("momentum", momentum_); }

  private:
    Sgd policy_;
    AlignedVector<S> momentum_;
};

}
