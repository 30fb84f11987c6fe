#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "didact/data/stream.hpp"
#include "didact/train/archive.hpp"
#include "didact/train/engine.hpp"

/// Difficulty metrics: a number for each sample of a data set, larger being harder. Each is a type with
/// `std::vector<float> operator()(Engine<Model>&, const TaskData&) const`; one that draws takes a third argument, the
/// `const Moment&` at which the experience begins.
namespace didact::difficulty {

/// Throws Error where a metric of tokens would find all samples alike.
inline void require_tokens(const Dataset& data, const char* metric) {
    require(data.empty() || data.tokens() > 0, data.name, ": difficulty '", metric,
            "' is of tokens, and the samples have none");
}

/// The number of tokens (Platanios et al. 2019, arXiv 1903.09848, eq. 3).
struct Length {
    static std::string name() { return "length"; }
    std::vector<float> operator()(auto&, const TaskData& data) const {
        require_tokens(data.train, "length");
        std::vector<float> result(data.train.size());
        for (std::size_t i = 0; i < result.size(); ++i) result[i] = float(data.train.length(i));
        return result;
    }
    friend bool operator==(const Length&, const Length&) = default;
};

/// −Σ log p̂(w) over the sample's tokens, p̂ being relative frequencies in the data set itself (Platanios et al. 2019,
/// eq. 4).
struct Rarity {
    static std::string name() { return "rarity"; }
    std::vector<float> operator()(auto&, const TaskData& data) const {
        require_tokens(data.train, "rarity");
        std::unordered_map<std::int32_t, std::size_t> counts;
        for (std::size_t i = 0; i < data.train.size(); ++i)
            for (const std::int32_t id : data.train.token_ids(i)) ++counts[id];
        std::vector<float> result(data.train.size());
        for (std::size_t i = 0; i < result.size(); ++i) {
            double sum = 0;
            for (const std::int32_t id : data.train.token_ids(i))
                sum -= std::log(double(counts[id]) / double(data.train.tokens()));
            result[i] = float(sum);
        }
        return result;
    }
    friend bool operator==(const Rarity&, const Rarity&) = default;
};

/// The sample's loss under the model as it is when the experience begins, without dropout; of masked language modelling
/// with the masks of that epoch.
struct ModelLoss {
    static std::string name() { return "loss"; }
    std::vector<float> operator()(auto& engine, const TaskData& data, const Moment& moment) const {
        std::vector<float> result;
        engine.for_each_batch(data.train, data.task, 64, [&](Batch& batch) {
            if (data.masking) data.masking->apply(batch, moment.epoch_key(RandomPurpose::masking));
            engine.mean_loss(batch);
            result.insert(result.end(), engine.losses().begin(),
                          engine.losses().begin() + std::ptrdiff_t(batch.size()));
        });
        return result;
    }
    friend bool operator==(const ModelLoss&, const ModelLoss&) = default;
};

/// The level that the data's author gave: Sample::difficulty.
struct Given {
    static std::string name() { return "given"; }
    std::vector<float> operator()(auto&, const TaskData& data) const {
        std::vector<float> result(data.train.size());
        for (std::size_t i = 0; i < result.size(); ++i) result[i] = data.train.difficulty(i);
        const auto other = std::adjacent_find(result.begin(), result.end(), std::not_equal_to());
        require(result.size() < 2 || other != result.end(), data.train.name,
                ": difficulty 'given' is what the data says, and all samples have the same");
        return result;
    }
    friend bool operator==(const Given&, const Given&) = default;
};

/// A metric's numbers for the training samples of one task.
std::vector<float> measure(const auto& metric, auto& engine, const TaskData& data, const Moment& moment) {
    if constexpr (requires { metric(engine, data, moment); })
        return metric(engine, data, moment);
    else
        return metric(engine, data);
}

/// The opposite order of another metric: hard first, the compulsory control of a curriculum.
template <class Metric>
struct Reversed {
    static std::string name() { return "reversed-" + Metric::name(); }
    Metric metric = {};
    std::vector<float> operator()(auto& engine, const TaskData& data, const Moment& moment) const {
        std::vector<float> result = measure(metric, engine, data, moment);
        for (float& x : result) x = -x;
        return result;
    }
    friend bool operator==(const Reversed&, const Reversed&) = default;
};

/// A random order that stays the same for the whole experience, and is another one under another seed of the run: the
/// control that keeps the pacing and drops the metric.
struct Random {
    static std::string name() { return "random"; }
    std::vector<float> operator()(auto&, const TaskData& data, const Moment& moment) const {
        // The complement, as batches are drawn by the task's number itself.
        didact::Random random(moment.key(RandomPurpose::curriculum, ~std::uint64_t(data.task)));
        std::vector<float> result(data.train.size());
        for (float& x : result) x = float(random.uniform());
        return result;
    }
    friend bool operator==(const Random&, const Random&) = default;
};

/// Stops the compilation with a sentence where D is no difficulty metric.
template <class D, class Model>
consteval bool check_metric() {
    static_assert(
        requires(const D& metric, Engine<Model>& engine, const TaskData& data) {
            { metric(engine, data) } -> std::convertible_to<std::vector<float>>;
        } ||
            requires(const D& metric, Engine<Model>& engine, const TaskData& data, const Moment& moment) {
                { metric(engine, data, moment) } -> std::convertible_to<std::vector<float>>;
            },
        "didact: a difficulty metric is called as `std::vector<float> operator()(Engine<Model>&, const TaskData&) "
        "const`, or with a `const Moment&` as third argument; see policy/curriculum/difficulty.hpp");
    return true;
}

/// Sample numbers from easy to hard; equal difficulties keep the data set's order. Throws where one is not a number.
inline std::vector<std::uint32_t> easy_to_hard(const std::vector<float>& difficulty, const Dataset& data) {
    for (std::size_t i = 0; i < difficulty.size(); ++i)
        require(!std::isnan(difficulty[i]), data.name, ": the difficulty of sample ", i, " is not a number");
    std::vector<std::uint32_t> order(difficulty.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = std::uint32_t(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return difficulty[a] < difficulty[b]; });
    return order;
}

}
