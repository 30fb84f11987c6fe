#pragma once
#include "didact/policy/forgetting/reservoir.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/engine.hpp"
#include "didact/train/options.hpp"

namespace didact::forgetting {

/// A-GEM (Chaudhry et al. 2019, arXiv 1812.00420, eq. 11): with r the gradient of `batch_size` samples drawn from the
/// memory and g the step's, g ← g − (g·r / r·r) r where g·r < 0, so that the step does not raise the memory's loss to
/// first order. A head that only one of the two passes touches takes no part. The projection acts on the gradient: with
/// momentum or Adam the step itself may still oppose r; the paper uses plain SGD. The memory is a reservoir filled when
/// experiences end.
struct AveragedGem {
    static constexpr Family family = Family::forgetting;
    std::size_t capacity = 500;
    std::size_t batch_size = 64;

    template <class Model>
    class State;
    static std::string name() { return "averaged-gem"; }
    static void fields(auto& policy, const auto& visit) {
        visit("capacity", policy.capacity);
        visit("batch_size", policy.batch_size);
    }
    friend bool operator==(const AveragedGem&, const AveragedGem&) = default;
};

template <class Model>
class AveragedGem::State {
  public:
    using S = typename Model::S;

    State(const AveragedGem& policy, const Model&) : policy_(policy), reservoir_(policy.capacity) {
        require(policy.capacity > 0, "forgetting::AveragedGem: capacity is 0");
        require(policy.batch_size > 0, "forgetting::AveragedGem: batch_size is 0");
    }

    void project(Engine<Model>& engine, const Moment& moment) {
        memory_.clear();
        if (reservoir_.draw_into(memory_, policy_.batch_size, 1, moment.key(RandomPurpose::rehearsal, 1)) == 0) return;
        auto& store = engine.parameters();
        reference_.assign(store.layout().size, S(0));
        store.redirect_gradients(reference_);
        for (StepGroup& group : memory_.groups()) {
            if (!engine.model().couples_samples(group.task)) group.cut(TrainingOptions().micro_batch_tokens);
            double units = 0;
            for (std::size_t i = 0; i < group.used; ++i) units += engine.model().units(group.micro_batches[i]);
            if (units <= 0) continue;
            for (std::size_t i = 0; i < group.used; ++i)
                engine.add_gradient(group.micro_batches[i], group.weight / units, false, 0);
        }
        store.redirect_gradients({});

        auto context = engine.context();
        double product = 0, square = 0;
        touched_.assign(store.layout().slices.size(), 0);
        for (std::size_t k = 0; k < touched_.size(); ++k) {
            const TrainableLayout::Slice& slice = store.layout().slices[k];
            const std::span<const S> g = std::as_const(store).gradients().subspan(slice.offset, slice.size);
            const std::span<const S> r = std::span<const S>(reference_).subspan(slice.offset, slice.size);
            const double rr = dot(context, r, r);
            if (rr == 0 || (!store[slice.id].shared && dot(context, g, g) == 0)) continue;
            touched_[k] = 1;
            square += rr;
            product += dot(context, g, r);
        }
        if (product >= 0 || square == 0) return;
        for (std::size_t k = 0; k < touched_.size(); ++k) {
            if (!touched_[k]) continue;
            const TrainableLayout::Slice& slice = store.layout().slices[k];
            const View<S> g(store.gradients().data() + slice.offset, 1, slice.size);
            const View<const S> r(reference_.data() + slice.offset, 1, slice.size);
            scale(context, S(-product / square), r, g, true);
        }
    }

    void experience_ended(Engine<Model>&, const Experience& experience, const Moment& moment) {
        reservoir_.offer_all(moment.seed, experience);
    }

    void serialize(Archive& archive) { archive("reservoir", reservoir_); }
    const AlignedVector<S>& reference() const { return reference_; }

  private:
    AveragedGem policy_;
    Reservoir reservoir_;
    StepBatches memory_;
    AlignedVector<S> reference_;
    std::vector<std::uint8_t> touched_;
};

}
