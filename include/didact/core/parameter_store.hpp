#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "didact/backend/backend.hpp"
#include "didact/core/deferred_products.hpp"
#include "didact/core/derived_values.hpp"
#include "didact/core/error.hpp"
#include "didact/core/initializer.hpp"
#include "didact/core/parameter.hpp"

namespace didact {

/// All parameters of a model in one contiguous array, as named and aligned slices, and one contiguous array of
/// gradients for those that train. The update, penalties, clipping, averaging and checkpoints are passes over these.
template <Backend B>
class ParameterStore {
  public:
    using S = Scalar<B>;
    /// Elements between slices are padded to this many, so that every slice starts on a cache line.
    static constexpr std::size_t padding = memory_alignment / sizeof(S);

    explicit ParameterStore(std::uint64_t seed = 0) : seed_(seed) {}
    ParameterStore(const ParameterStore&) = delete;
    ParameterStore& operator=(const ParameterStore&) = delete;

    /// Makes room for about so many more numbers, so that adding tensors one by one does not move those that are there.
    void reserve(std::size_t numbers) {
        try {
            values_.reserve(values_.size() + numbers);
        } catch (const std::exception&) { // `add` will say which tensor is too large
        }
    }

    /// Adds a tensor and gives it its initial values, which depend on the store's seed and the name only. Throws Error,
    /// and leaves the store as it is, where the name is taken, or where the tensor is empty or too large for memory.
    ParameterId add(Parameter parameter, Initializer initializer) {
        require(!by_name_.contains(parameter.name), "parameter '", parameter.name, "' is added twice");
        require(parameter.rows > 0 && parameter.cols > 0, "parameter '", parameter.name, "' is empty");
        const ParameterId id = ParameterId(parameters_.size());
        parameter.offset = values_.size();
        make_room(parameter);
        by_name_.emplace(parameter.name, id);
        parameters_.push_back(std::move(parameter));
        const Parameter& p = parameters_.back();
        initialize(initializer, seed_, p.name, std::span<S>(values_).subspan(p.offset, p.size()));
        planned_ = false;
        ++revision_;
        return id;
    }

    ParameterId add_matrix(std::string name, std::size_t rows, std::size_t cols, Initializer initializer,
                           bool shared = true) {
        return add({.name = std::move(name), .rows = rows, .cols = cols, .shared = shared}, initializer);
    }
    /// A bias or a norm's weight: one-dimensional and without weight decay.
    ParameterId add_vector(std::string name, std::size_t size, Initializer initializer, bool shared = true) {
        return add({.name = std::move(name), .rows = 1, .cols = size, .vector = true, .decay = false, .shared = shared},
                   initializer);
    }

    std::size_t count() const { return parameters_.size(); }
    const Parameter& operator[](ParameterId id) const { return parameters_[id]; }
    std::span<const Parameter> parameters() const { return parameters_; }

    /// The parameter of this name, or no_parameter.
    ParameterId find(const std::string& name) const {
        const auto found = by_name_.find(name);
        return found == by_name_.end() ? no_parameter : found->second;
    }

    /// Sets what trains and how fast; takes effect at the next `plan`.
    void set_trainable(ParameterId id, bool trainable, float learning_rate_multiple = 1) {
        parameters_[id].trainable = trainable;
        parameters_[id].learning_rate_multiple = learning_rate_multiple;
        planned_ = false;
        ++revision_;
    }

    /// Says that what is not shared of the parameters from `first` on belongs to one more head.
    void add_head(ParameterId first) {
        ++heads_;
        for (ParameterId id = first; id < parameters_.size(); ++id)
            if (!parameters_[id].shared) parameters_[id].head = heads_;
        planned_ = false;
        ++revision_;
    }
    std::size_t heads() const { return heads_; }

    /// Lays out the gradients for the parameters that train, zeroed. Returns the layout before.
    TrainableLayout plan() {
        TrainableLayout before = std::move(layout_);
        layout_ = {};
        segments_.clear();
        for (ParameterId id = 0; id < parameters_.size(); ++id) {
            Parameter& p = parameters_[id];
            if (!p.trainable) continue;
            p.trainable_offset = layout_.size;
            layout_.slices.push_back({id, layout_.size, p.size()});
            const std::size_t size = padded(p.size());
            if (!segments_.empty() && segments_.back().offset + segments_.back().size == p.offset &&
                segments_.back().decay == p.decay && segments_.back().head == p.head &&
                segments_.back().learning_rate_multiple == p.learning_rate_multiple)
                segments_.back().size += size;
            else
                segments_.push_back({p.offset, layout_.size, size, p.head, p.decay, p.learning_rate_multiple});
            layout_.size += size;
        }
        gradients_.assign(layout_.size, S(0));
        if (gradients_.capacity() > layout_.size) gradients_.shrink_to_fit();
        gradient_data_ = gradients_.data();
        left_over_.assign(parameters_.size(), 0);
        clear_gradients();
        derived_values_.clear();
        planned_ = true;
        return before;
    }
    bool planned() const { return planned_; }
    /// Counts the changes of which parameters there are and which of them train.
    std::uint64_t revision() const { return revision_; }

    const TrainableLayout& layout() const { return layout_; }
    std::span<const TrainableSegment> segments() const { return segments_; }

    /// To be written to before the next pass: see `version`.
    View<S> value(ParameterId id) {
        writes_.fetch_add(1, std::memory_order_relaxed);
        return view(values_.data() + parameters_[id].offset, parameters_[id]);
    }
    View<const S> value(ParameterId id) const {
        return view(std::as_const(values_).data() + parameters_[id].offset, parameters_[id]);
    }
    /// To add to. Empty where the parameter is frozen.
    View<S> gradient(ParameterId id) {
        const GradientTarget<S> target = gradient_target(id);
        if (!target.accumulate) std::fill_n(target.view.data, target.view.size(), S(0));
        return target.view;
    }
    View<const S> gradient(ParameterId id) const {
        zero_left_over();
        const Parameter& p = parameters_[id];
        return p.trainable ? View<const S>(view(gradient_data_ + p.trainable_offset, p)) : View<const S>();
    }
    /// To add to, or to write over where it is the parameter's first since clear_gradients.
    GradientTarget<S> gradient_target(ParameterId id) {
        const Parameter& p = parameters_[id];
        if (!p.trainable) return {};
        const bool redirected = gradient_data_ != gradients_.data();
        return {view(gradient_data_ + p.trainable_offset, p),
                redirected || !std::exchange(left_over_[id], std::uint8_t(0))};
    }
    /// Keeps leftᵀ right, part of a weight's gradient, as its factors, where all of that gradient can wait so; a
    /// `right` that stays as it is until then is not copied. False: it is to be computed, after `deferred` was.
    bool defer_gradient(ParameterId id, View<const S> left, View<const S> right, bool right_stays = false) {
        const Parameter& p = parameters_[id];
        const bool redirected = gradient_data_ != gradients_.data();
        return p.trainable && p.head == 0 && !redirected && left_over_[id] &&
               deferred_.add(id, p, left, right, right_stays);
    }
    DeferredProducts<S>& deferred() { return deferred_; }
    const DeferredProducts<S>& deferred() const { return deferred_; }
    bool trains(ParameterId id) const { return id != no_parameter && parameters_[id].trainable; }

    /// To be written to before the next pass: see `version`.
    std::span<S> values() {
        writes_.fetch_add(1, std::memory_order_relaxed);
        return values_;
    }
    std::span<const S> values() const { return values_; }
    /// The values of one of `segments()`, for the update.
    std::span<S> values(const TrainableSegment& segment) {
        ++updates_;
        return std::span<S>(values_).subspan(segment.offset, segment.size);
    }
    /// Another one after each call that gives a view to write to a parameter's values, or exchanges them. Passes keep
    /// what they make of values, as weights laid out for products, while this stays: whoever writes to values after a
    /// pass asks for their view anew, or some products go on with the old ones.
    ValueVersion version(ParameterId id) const {
        return {revision_, writes_.load(std::memory_order_relaxed),
                parameters_[id].trainable || !planned_ ? updates_ : 0};
    }
    /// What is made of the values, as far as it is of their `version`.
    DerivedValues& derived_values() { return derived_values_; }
    /// All gradients; zero where nothing was added since clear_gradients. What is deferred is anything.
    std::span<S> gradients() {
        zero_left_over();
        return gradients_;
    }
    std::span<const S> gradients() const {
        zero_left_over();
        return gradients_;
    }
    /// Sets the gradients to zero, but writes nothing: the next to be computed takes the place of what is there.
    void clear_gradients() {
        std::fill(left_over_.begin(), left_over_.end(), std::uint8_t(1));
        some_left_over_ = true;
        deferred_.clear();
    }

    /// Lets backward add to `target` (of trainable size) instead of the store's own gradients; an empty span goes back.
    void redirect_gradients(std::span<S> target) {
        require(target.empty() || target.size() == layout_.size, "gradients are redirected to ", target.size(),
                " elements, the trainable parameters have ", layout_.size);
        gradient_data_ = target.empty() ? gradients_.data() : target.data();
    }

    /// Exchanges the values with `other`, of the same size: a teacher's or an average's, for the time of a pass.
    void swap_values(AlignedVector<S>& other) {
        require(other.size() == values_.size(), "values of ", other.size(), " elements cannot stand in for ",
                values_.size());
        writes_.fetch_add(1, std::memory_order_relaxed);
        values_.swap(other);
    }
    const AlignedVector<S>& snapshot() const { return values_; }

    /// Numbers without the padding between slices.
    std::size_t total_parameters() const {
        std::size_t total = 0;
        for (const Parameter& p : parameters_) total += p.size();
        return total;
    }
    std::size_t trainable_parameters() const {
        std::size_t total = 0;
        for (const Parameter& p : parameters_) total += p.trainable ? p.size() : 0;
        return total;
    }

    std::uint64_t seed() const { return seed_; }

    /// One line a parameter: name and shape. What two models must share for one to read the other's state.
    std::string description() const {
        std::string text;
        for (const Parameter& p : parameters_)
            text += p.name + " (" + std::to_string(p.rows) + ", " + std::to_string(p.cols) + ")\n";
        return text;
    }

  private:
    static std::size_t padded(std::size_t size) { return (size + padding - 1) / padding * padding; }

    void make_room(const Parameter& p) {
        std::size_t size = 0;
        bool fits = !__builtin_mul_overflow(p.rows, p.cols, &size) && size <= values_.max_size() - padding &&
                    values_.size() <= values_.max_size() - padding - size;
        try {
            if (fits) values_.resize(values_.size() + padded(size), S(0));
        } catch (const std::bad_alloc&) {
            fits = false;
        }
        require(fits, "there is no memory for parameter '", p.name, "' of (", p.rows, ", ", p.cols, ")");
    }

    template <class T>
    static View<T> view(T* data, const Parameter& p) {
        return {data, p.rows, p.cols};
    }

    void zero_left_over() const {
        if (!std::exchange(some_left_over_, false)) return;
        for (const TrainableLayout::Slice& slice : layout_.slices)
            if (!deferred_.has(slice.id) && std::exchange(left_over_[slice.id], std::uint8_t(0)))
                std::fill_n(gradients_.begin() + std::ptrdiff_t(slice.offset), slice.size, S(0));
    }

    std::uint64_t seed_;
    std::vector<Parameter> parameters_;
    std::unordered_map<std::string, ParameterId> by_name_;
    AlignedVector<S> values_;
    mutable AlignedVector<S> gradients_; ///< what is left over in it counts as zero, and is made so when it is read
    mutable std::vector<std::uint8_t> left_over_; ///< by parameter: nothing was added since clear_gradients
    mutable bool some_left_over_ = false;
    S* gradient_data_ = nullptr;
    DeferredProducts<S> deferred_;
    DerivedValues derived_values_;
    std::atomic<std::uint64_t> writes_ = 0; ///< several threads may ask for a view that they only read
    std::uint64_t updates_ = 0;
    TrainableLayout layout_;
    std::vector<TrainableSegment> segments_;
    std::size_t heads_ = 0;
    bool planned_ = false;
    std::uint64_t revision_ = 0;
};

}
