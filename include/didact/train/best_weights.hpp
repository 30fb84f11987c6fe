#pragma once
#include <algorithm>
#include <cmath>
#include <optional>

#include "didact/core/parameter_store.hpp"
#include "didact/train/archive.hpp"
#include "didact/train/options.hpp"

namespace didact {

/// Early stopping within an experience: keeps the values of its best epoch by validation, and says when
/// `TrainingOptions::patience` is over.
template <class B>
class BestWeights {
  public:
    using S = Scalar<B>;

    /// `metric`: of validation, higher is better. The first of equal epochs counts as the best; NaN, as of a
    /// correlation with what is constant, is below all numbers, and of epochs that all have it the last one stays.
    void epoch_done(double metric, const TrainingOptions& options, const ParameterStore<B>& store) {
        const bool none_yet = !metric_ || std::isnan(*metric_);
        const bool better = !metric_ || metric > *metric_ || (none_yet && !std::isnan(metric));
        epochs_without_ = better ? 0 : epochs_without_ + 1;
        if (better) metric_ = metric;
        if (!better && !none_yet) return;
        if (options.restore_best)
            values_ = store.snapshot();
        else
            values_.clear();
    }

    bool stopped(const TrainingOptions& options) const {
        return options.patience > 0 && epochs_without_ >= options.patience;
    }

    /// Puts the best values back; false where none were kept.
    bool restore(ParameterStore<B>& store) const {
        if (values_.empty()) return false;
        std::copy(values_.begin(), values_.end(), store.values().begin());
        return true;
    }

    void serialize(Archive& archive) {
        bool known = metric_.has_value();
        double value = metric_.value_or(0);
        archive("known", known);
        archive("metric", value);
        if (archive.reading()) metric_ = known ? std::optional(value) : std::nullopt;
        archive("epochs_without", epochs_without_);
        archive("values", values_);
    }

  private:
    std::optional<double> metric_;
    std::size_t epochs_without_ = 0;
    AlignedVector<S> values_;
};

}
