#pragma once
#include <cmath>

#include "didact/core/parameter_store.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"

namespace didact::optimizer {

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

    /// The element-by-element rule of the step about to be taken at learning rate `rate`.
    struct Rule {
        S *m, *v;
        S beta1, beta2, epsilon, step_size, inverse_root, decay;
        S operator()(std::size_t i, S w, S g) const {
            m[i] = beta1 * m[i] + (S(1) - beta1) * g;
            v[i] = beta2 * v[i] + (S(1) - beta2) * g * g;
            return w * decay - step_size * m[i] / (std::sqrt(v[i]) * inverse_root + epsilon);
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
        S operator()(std::size_t i, S w, S g) const {
            g += decay * w;
            if (b) {
                b[i] = momentum * b[i] + g;
                g = nesterov ? g + momentum * b[i] : b[i];
            }
            return w - rate * g;
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
