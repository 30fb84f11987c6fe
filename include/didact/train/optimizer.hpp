#pragma once
#include <array>
#include <cmath>

#include "didact/backend/cpu/square_root.hpp"
#include "didact/core/parameter_store.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"

namespace didact::optimizer {

/// Elements that a rule updates at a time.
inline constexpr std::size_t update_block = 256;

/// AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), as PyTorch's: with g the gradient and η the scheduled rate,
/// w ← w − η λ w; m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; w ← w − η m̂ / (√v̂ + ε), m̂ = m / (1 − β₁ᵗ), v̂ = v / (1
/// − β₂ᵗ). λ acts on weights only, not on biases and norms.
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
    explicit State(const AdamW& policy) : policy_(policy) {}

    void layout_changed(const TrainableLayout& before, const TrainableLayout& after) {
        m_ = after.carry_over(before, m_);
        v_ = after.carry_over(before, v_);
    }

    /// The rule of the step about to be taken at learning rate `rate`. Updates the values w of `count` elements, at
    /// most update_block, the first being element `first` of the trainable range, from their gradients g.
    struct Rule {
        S *m, *v;
        S beta1, beta2, epsilon, step_size, inverse_root, decay;
        void operator()(std::size_t first, std::size_t count, S* __restrict w, const S* __restrict g) const {
            S* const __restrict a = m + first, * const __restrict b = v + first;
            std::array<S, update_block> roots;
            for (std::size_t i = 0; i < count; ++i) {
                a[i] = beta1 * a[i] + (S(1) - beta1) * g[i];
                b[i] = beta2 * b[i] + (S(1) - beta2) * g[i] * g[i];
            }
            cpu::square_roots(count, b, roots.data());
            for (std::size_t i = 0; i < count; ++i)
                w[i] = w[i] * decay - step_size * a[i] / (roots[i] * inverse_root + epsilon);
        }
    };
    void step_begins() { ++steps_; }
    Rule rule(double rate, bool decays) {
        const double correction1 = 1 - std::pow(policy_.beta1, double(steps_));
        const double correction2 = 1 - std::pow(policy_.beta2, double(steps_));
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
        steps_ = 0;
    }
    void serialize(Archive& archive) {
        archive("steps", steps_);
        archive("m", m_);
        archive("v", v_);
    }

  private:
    AdamW policy_;
    std::uint64_t steps_ = 0;
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
            if (!b) {
                for (std::size_t i = 0; i < count; ++i) w[i] -= rate * (g[i] + decay * w[i]);
                return;
            }
            S* const __restrict moving = b + first;
            for (std::size_t i = 0; i < count; ++i) {
                const S slope = g[i] + decay * w[i];
                moving[i] = momentum * moving[i] + slope;
                w[i] -= rate * (nesterov ? slope + momentum * moving[i] : moving[i]);
            }
        }
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
