#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "didact/core/parameter.hpp"
#include "didact/core/view.hpp"

namespace didact {

/// Gradients of weights that are kept as their factors, leftᵀ right, until the update computes them part by part in the
/// first cache. Of few rows the factors are far smaller than what they make, which would be written, and read twice, at
/// the speed of a farther cache.
template <class S>
class DeferredProducts {
  public:
    /// left: (terms, rows of the weight), right: (terms, its columns).
    struct Factors {
        View<const S> left, right;
    };

    static constexpr std::size_t most_terms = 48;

    /// Adds the terms of leftᵀ right to those that are kept of `parameter`, as copies, but for a `right` that stays as
    /// it is until they are read. False, and nothing kept, where there would be too many or the weight is too small to
    /// gain.
    bool add(ParameterId id, const Parameter& parameter, View<const S> left, View<const S> right, bool right_stays) {
        if (parameter.size() < fewest_elements) return false;
        if (kept_.size() <= id) kept_.resize(id + 1);
        Kept& kept = kept_[id];
        if (kept.terms + left.rows > most_terms) return false;
        const bool first = kept.terms == 0, lends = first && right_stays;
        append(kept.left, kept.terms, left);
        if (!first && !kept.lent_right.empty()) append(kept.right, 0, kept.lent_right);
        if (!lends) append(kept.right, kept.terms, right);
        if (first) ids_.insert(std::ranges::lower_bound(ids_, id), id);
        kept.lent_right = lends ? right : View<const S>();
        kept.terms += left.rows;
        return true;
    }

    /// Of which parameters factors are kept, in ascending order.
    std::span<const ParameterId> ids() const { return ids_; }
    bool has(ParameterId id) const { return id < kept_.size() && kept_[id].terms > 0; }
    Factors of(ParameterId id, const Parameter& parameter) const {
        const Kept& kept = kept_[id];
        return {View<const S>(kept.left.data(), kept.terms, parameter.rows),
                kept.lent_right.empty() ? View<const S>(kept.right.data(), kept.terms, parameter.cols)
                                        : kept.lent_right};
    }

    void remove(ParameterId id) {
        kept_[id].terms = 0;
        std::erase(ids_, id);
    }
    void clear() {
        for (const ParameterId id : ids_) kept_[id].terms = 0;
        ids_.clear();
    }

  private:
    static constexpr std::size_t fewest_elements = 16384;

    struct Kept {
        AlignedVector<S> left = {}, right = {};
        View<const S> lent_right = {}; ///< in the place of `right`
        std::size_t terms = 0;
    };

    static void append(AlignedVector<S>& list, std::size_t terms, View<const S> more) {
        list.resize(most_terms * more.cols);
        for (std::size_t t = 0; t < more.rows; ++t)
            std::copy_n(more.row(t), more.cols, list.begin() + std::ptrdiff_t((terms + t) * more.cols));
    }

    std::vector<Kept> kept_;
    std::vector<ParameterId> ids_;
};

}
