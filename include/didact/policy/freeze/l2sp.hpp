#pragma once
#include "didact/policy/freeze/prefix.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"

namespace didact::freeze {

/// L2-SP (Li et al. 2018, arXiv 1802.01483, eq. 4): adds α/2 ‖w_S − w⁰‖² + β/2 ‖w_new‖² to the loss, w_S being the
/// trunk, w⁰ its values at the start of the run and w_new the heads, a pooler among them; a head whose task
/// has no samples in a step stays as it is in that step. Everything trains. The
/// penalty's slope is added after clipping and is in no reported loss or norm; an optimizer's weight decay acts
/// besides.
struct L2Sp {
    static constexpr Family family = Family::freeze;
    double alpha = 0.01;
    double beta = 0.01;

    template <class Model>
    struct State {
        using S = typename Model::S;

        State(const L2Sp& policy, Model& model) : alpha(S(policy.alpha)), beta(S(policy.beta)) {
            require_not_negative("freeze::L2Sp", "alpha", policy.alpha);
            require_not_negative("freeze::L2Sp", "beta", policy.beta);
            const auto& store = std::as_const(model.parameters());
            start.assign(store.values().begin(), store.values().end());
            refresh(model);
        }
        void plan(Model& model, const Moment&) {
            train_stages(model, [](std::size_t) { return true; });
            refresh(model);
        }
        S penalty(std::size_t i, S w) const { return strength[i] * (w - anchor[i]); }

        void serialize(auto& archive) {
            archive("start", start);
            archive("anchor", anchor);
            archive("strength", strength);
        }

        /// Lays anchors and strengths out as the gradients are where everything trains: slice by slice.
        void refresh(Model& model) {
            const auto& store = model.parameters();
            anchor.assign(store.values().size(), S(0));
            strength.assign(store.values().size(), S(0));
            for (const Parameter& p : store.parameters())
                for (std::size_t i = p.offset; i < p.offset + p.size(); ++i) {
                    strength[i] = p.shared ? alpha : beta;
                    if (p.shared && i < start.size()) anchor[i] = start[i];
                }
        }

        S alpha, beta;
        AlignedVector<S> start, anchor, strength;
    };
    static std::string name() { return "l2sp"; }
    static void fields(auto& policy, const auto& visit) {
        visit("alpha", policy.alpha);
        visit("beta", policy.beta);
    }
    friend bool operator==(const L2Sp&, const L2Sp&) = default;
};

}
