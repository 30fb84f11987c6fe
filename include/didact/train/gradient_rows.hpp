#pragma once
#include "didact/core/gram_matrix.hpp"
#include "didact/train/engine.hpp"

namespace didact {

/// One gradient for each group of a step, for sharing policies that combine gradients. Only shared parameters are
/// combined; those of a task's own head keep their plain gradient.
template <class Model>
class GradientRows {
  public:
    using S = typename Model::S;

    void begin(Engine<Model>& engine, std::size_t groups) {
        if (rows_.size() < groups) rows_.resize(groups);
        used_ = groups;
        for (std::size_t k = 0; k < groups; ++k) rows_[k].assign(engine.parameters().layout().size, S(0));
    }

    /// Lets the passes that follow add to the gradient of group k.
    void redirect(Engine<Model>& engine, std::size_t k) { engine.parameters().redirect_gradients(rows_[k]); }

    /// Makes the store's gradient of the rows, by the factors that `sharing` gives for their Gram matrix.
    template <class Sharing, class Moment>
    void finish(Engine<Model>& engine, Sharing& sharing, const Moment& moment) {
        auto& store = engine.parameters();
        store.redirect_gradients({});
        factors_.assign(used_, 1.0);
        fill_gram(engine);
        sharing.combine(gram_, moment, factors_);
        auto context = engine.context();
        for (const TrainableLayout::Slice& slice : store.layout().slices) {
            const bool shared = store[slice.id].shared;
            for (std::size_t k = 0; k < used_; ++k) {
                S* const out = store.gradient_target(slice.id).view.data;
                const View<const S> row(rows_[k].data() + slice.offset, 1, slice.size);
                scale(context, S(shared ? factors_[k] : 1.0), row, View<S>(out, 1, slice.size), k > 0);
            }
        }
    }

    const GramMatrix& gram() const { return gram_; }

  private:
    void fill_gram(Engine<Model>& engine) {
        auto& store = engine.parameters();
        auto context = engine.context();
        gram_.resize(used_);
        for (const TrainableLayout::Slice& slice : store.layout().slices) {
            if (!store[slice.id].shared) continue;
            const auto part = [&](std::size_t k) {
                return std::span<const S>(rows_[k]).subspan(slice.offset, slice.size);
            };
            for (std::size_t k = 0; k < used_; ++k)
                for (std::size_t l = 0; l <= k; ++l) gram_(k, l) += dot(context, part(k), part(l));
        }
        for (std::size_t k = 0; k < used_; ++k)
            for (std::size_t l = 0; l < k; ++l) gram_(l, k) = gram_(k, l);
    }

    std::vector<AlignedVector<S>> rows_;
    std::vector<double> factors_;
    GramMatrix gram_;
    std::size_t used_ = 0;
};

}
