#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "../backend/backend_setting.hpp"
#include "didact/model/adapters/lora.hpp"
#include "didact/nn/attention.hpp"
#include "didact/nn/feed_forward.hpp"
#include "didact/nn/vocabulary_loss.hpp"

namespace shared_factors_test {

using namespace didact;
using namespace didact::backend_test;

/// Layers make factors once for all of their products, and some never write their matrix: outputs and gradients are
/// those of the products one by one.
namespace {

using B = Cpu<bf16>;
using FloatView = View<const float>;
const Initializer normal = Initializer::normal(0.3);
constexpr std::size_t rows = 150;

template <class Adapter>
nn::Linear<B, Adapter> make_linear(Setting<bf16>& s, const std::string& name, std::size_t in, std::size_t out,
                                   nn::WeightLayout layout, double dropout) {
    nn::Linear<B, Adapter> linear(s.store, name, in, out, normal, layout);
    for (std::size_t j = 0; j < out; ++j) s.store.value(linear.bias)(0, j) = float(s.random.normal());
    if constexpr (std::is_same_v<Adapter, adapters::Lora>) {
        linear.adapter.attach(s.store, name, in, out, 4, 8, dropout);
        const View<float> b = s.store.value(linear.adapter.b);
        for (std::size_t i = 0; i < b.size(); ++i) b.data[i] = float(s.random.normal());
    }
    return linear;
}

/// y and the gradients of what a pass computes: y, dx, and all gradients of the store, in this order.
template <class Forward, class Backward>
std::vector<float> pass(Setting<bf16>& s, FloatView x, FloatView dy, bool with_dx, std::size_t out,
                        const Forward& forward, const Backward& backward) {
    s.context.training = true;
    s.context.dropout_site = 0;
    s.store.clear_gradients();
    const View<float> y = s.result(x.rows, out), dx = s.result(x.rows, x.cols);
    forward(x, y);
    backward(dy, with_dx ? dx : View<float>());
    std::vector<float> all(y.data, y.data + y.size());
    all.insert(all.end(), dx.data, dx.data + dx.size());
    all.insert(all.end(), s.store.gradients().begin(), s.store.gradients().end());
    return all;
}

/// The same bits, but for the gradients of biases, whose sums are taken in another order.
void check_same(const Setting<bf16>& s, const std::vector<float>& got, const std::vector<float>& expected) {
    REQUIRE(got.size() == expected.size());
    std::vector<bool> is_bias(s.store.layout().size);
    for (const TrainableLayout::Slice& slice : s.store.layout().slices)
        if (s.store[slice.id].vector) std::fill_n(is_bias.begin() + std::ptrdiff_t(slice.offset), slice.size, true);
    const std::size_t before = got.size() - is_bias.size();
    double scale = 0;
    std::size_t others_differ = 0, biases_differ = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        scale = std::max(scale, std::abs(double(expected[i])));
        if (i >= before && is_bias[i - before])
            biases_differ += !(std::abs(got[i] - expected[i]) < 1e-4);
        else
            others_differ += got[i] != expected[i];
    }
    CHECK(scale > 1);
    CHECK(others_differ == 0);
    CHECK(biases_differ == 0);
}

/// op(x) op(w) of a linear layer and its gradients, each by a product of its own.
template <class Linear>
struct Separately {
    const Linear& linear;
    typename Linear::Saved& saved;

    void forward(Context<B>& context, FloatView x, View<float> y) const {
        const auto& store = std::as_const(context.parameters);
        const bool out_in = linear.layout == nn::WeightLayout::out_in;
        saved.x = x;
        gemm(context, Transpose::no, x, out_in ? Transpose::yes : Transpose::no, store.value(linear.weight), y, false,
             store.value(linear.bias));
        if constexpr (requires { linear.adapter.forward(context, x, y, saved.adapter); })
            linear.adapter.forward(context, x, y, saved.adapter);
    }
    void backward(Context<B>& context, FloatView dy, View<float> dx, bool accumulate = false) const {
        auto& store = context.parameters;
        const bool out_in = linear.layout == nn::WeightLayout::out_in;
        const FloatView x = saved.x;
        if (store.trains(linear.weight))
            gemm(context, Transpose::yes, out_in ? dy : x, Transpose::no, out_in ? x : dy,
                 store.gradient(linear.weight), true);
        if (store.trains(linear.bias)) add_column_sums(context, dy, store.gradient(linear.bias));
        if (!dx.empty())
            gemm(context, Transpose::no, dy, out_in ? Transpose::no : Transpose::yes,
                 std::as_const(store).value(linear.weight), dx, accumulate);
        if constexpr (requires { linear.adapter.backward(context, dy, dx, x, saved.adapter); })
            linear.adapter.backward(context, dy, dx, x, saved.adapter);
    }
};

/// As tile registers take them: slopes are kept rounded.
void multiply_by_rounded_slopes(Setting<bf16>& s, Activation activation, FloatView x, View<float> dy) {
    const View<float> slopes = s.result(x.rows, x.cols);
    std::fill_n(slopes.data, slopes.size(), 1.0f);
    activation_backward(s.context, activation, x, FloatView(slopes), slopes);
    for (std::size_t i = 0; i < slopes.size(); ++i) slopes.data[i] = float(bf16::nearest(slopes.data[i]));
    multiply(s.context, FloatView(dy), FloatView(slopes), dy);
}

template <class Adapter>
void check_feed_forward(nn::WeightLayout layout, Activation activation, bool frozen, double dropout,
                        bool with_dx = true) {
    CAPTURE(int(layout));
    CAPTURE(int(activation));
    CAPTURE(frozen);
    Setting<bf16> s;
    nn::FeedForward<B, Adapter> layer;
    layer.expand = make_linear<Adapter>(s, "expand", 40, 300, layout, dropout);
    layer.contract = make_linear<Adapter>(s, "contract", 300, 40, layout, dropout);
    layer.activation = activation;
    for (const ParameterId id : {layer.expand.weight, layer.expand.bias, layer.contract.weight})
        s.store.set_trainable(id, !frozen);
    s.store.plan();
    const View<float> x = s.matrix(rows, 40), dy = s.matrix(rows, 40);
    typename nn::FeedForward<B, Adapter>::Saved saved, apart;
    const auto together = pass(
        s, x, dy, with_dx, 40, [&](auto x, auto y) { layer.forward(s.context, x, y, saved); },
        [&](auto dy, auto dx) { layer.backward(s.context, dy, dx, saved, false); });
    const bool keeps_slopes = std::is_same_v<Adapter, nn::NoAdapter> && cpu::makes_factors<B>(rows);
    CHECK(saved.inner.slopes.empty() == !keeps_slopes);
    CHECK(saved.inner.values.empty() == keeps_slopes);
    const View<float> inner = s.result(rows, 300), activated = s.result(rows, 300), up = s.result(rows, 300);
    using Product = Separately<nn::Linear<B, Adapter>>;
    const Product expand{layer.expand, apart.expand}, contract{layer.contract, apart.contract};
    const auto separately = pass(
        s, x, dy, with_dx, 40,
        [&](auto x, auto y) {
            expand.forward(s.context, x, inner);
            activation_forward(s.context, activation, FloatView(inner), activated);
            contract.forward(s.context, activated, y);
        },
        [&](auto dy, auto dx) {
            contract.backward(s.context, dy, up);
            if (keeps_slopes)
                multiply_by_rounded_slopes(s, activation, inner, up);
            else
                activation_backward(s.context, activation, FloatView(inner), FloatView(up), up);
            expand.backward(s.context, up, dx);
        });
    check_same(s, together, separately);

    const View<float> y = s.result(rows, 40);
    s.context.keeps = false;
    s.context.dropout_site = 0;
    layer.forward(s.context, x, y, saved);
    CHECK(std::equal(y.data, y.data + y.size(), together.begin()));
    CHECK(saved.inner.slopes.empty());
}

template <class Adapter>
void check_attention(nn::WeightLayout layout, bool frozen, double dropout, bool with_dx = true) {
    CAPTURE(int(layout));
    CAPTURE(frozen);
    Setting<bf16> s;
    nn::Attention<B, Adapter, 3> layer;
    for (std::size_t i = 0; i < 3; ++i)
        layer.project[i] = make_linear<Adapter>(s, std::string(1, "qkv"[i]), 48, 48, layout, dropout);
    layer.output = make_linear<Adapter>(s, "output", 48, 48, layout, dropout);
    layer.num_heads = 3;
    if (frozen) s.store.set_trainable(layer.project[1].weight, false);
    s.store.plan();
    const std::vector<std::int32_t> cu_seqlens{0, 64, std::int32_t(rows)};
    const View<float> x = s.matrix(rows, 48), dy = s.matrix(rows, 48);
    typename nn::Attention<B, Adapter, 3>::Saved saved, apart;
    const auto together = pass(
        s, x, dy, with_dx, 48, [&](auto x, auto y) { layer.forward(s.context, cu_seqlens, x, y, saved); },
        [&](auto dy, auto dx) { layer.backward(s.context, dy, dx, saved, false); });
    const View<float> qkv = s.result(rows, 144), dqkv = s.result(rows, 144);
    const View<float> context_rows = s.result(rows, 48), dcontext = s.result(rows, 48);
    const std::span<float> log_sums = s.arena.array<float>(rows * 3);
    const auto part = [](View<float> all, std::size_t i) { return all.middle_cols(i * 48, 48); };
    using Projection = Separately<typename decltype(layer)::Projection>;
    const Projection output{layer.output, apart.output};
    const auto project = [&](std::size_t i) { return Projection{layer.project[i], apart.projection[i]}; };
    const auto separately = pass(
        s, x, dy, with_dx, 48,
        [&](auto x, auto y) {
            project(0).forward(s.context, x, part(qkv, 0));
            ++s.context.dropout_site; // attention's own dropout
            for (const std::size_t i : {1u, 2u}) project(i).forward(s.context, x, part(qkv, i));
            attention_forward(s.context, saved.shape, FloatView(part(qkv, 0)), FloatView(part(qkv, 1)),
                              FloatView(part(qkv, 2)), context_rows, log_sums);
            output.forward(s.context, context_rows, y);
        },
        [&](auto dy, auto dx) {
            output.backward(s.context, dy, dcontext);
            attention_backward(s.context, saved.shape, FloatView(part(qkv, 0)), FloatView(part(qkv, 1)),
                               FloatView(part(qkv, 2)), FloatView(context_rows), std::span<const float>(log_sums),
                               FloatView(dcontext), part(dqkv, 0), part(dqkv, 1), part(dqkv, 2));
            for (const std::size_t i : {0u, 1u, 2u}) project(i).backward(s.context, part(dqkv, i), dx, i > 0);
        });
    check_same(s, together, separately);
}

/// Losses, dx and gradients of a vocabulary's loss in several blocks of rows.
std::vector<float> vocabulary_pass(Setting<bf16>& s, const nn::VocabularyLoss<B>& loss, FloatView x) {
    std::vector<std::int32_t> labels(x.rows);
    for (std::size_t i = 0; i < x.rows; ++i) labels[i] = std::int32_t(i * 7 % s.store[loss.table].rows);
    const std::vector<float> weights(x.rows, 0.25f);
    const View<float> dx = s.result(x.rows, x.cols);
    nn::VocabularyLoss<B>::Saved saved;
    s.store.clear_gradients();
    loss.forward(s.context, x, labels, saved);
    loss.backward(s.context, labels, weights, dx, saved);
    std::vector<float> all(saved.losses.begin(), saved.losses.end());
    all.insert(all.end(), dx.data, dx.data + dx.size());
    all.insert(all.end(), s.store.gradients().begin(), s.store.gradients().end());
    return all;
}

}

TEST_SUITE("unit") {

    TEST_CASE("a vocabulary's loss follows its table from pass to pass") {
        constexpr std::size_t vocabulary = 500, hidden = 40;
        const auto make = [&](Setting<bf16>& s) {
            nn::VocabularyLoss<B> loss;
            loss.table = s.store.add_matrix("table", vocabulary, hidden, normal);
            loss.bias = s.store.add_vector("bias", vocabulary, normal);
            loss.most_logits = vocabulary * 40;
            s.store.plan();
            return loss;
        };
        Setting<bf16> s;
        const nn::VocabularyLoss<B> loss = make(s);
        const View<float> x = s.matrix(rows, hidden);
        std::vector<float> before;
        for (const std::size_t pass : {0u, 1u, 2u}) {
            CAPTURE(pass);
            s.store.value(loss.table)(3 + pass, 5) += 2;
            const std::vector<float> got = vocabulary_pass(s, loss, x);
            CHECK(got != before);
            before = got;
            Setting<bf16> other;
            const nn::VocabularyLoss<B> other_loss = make(other);
            std::ranges::copy(s.store.snapshot(), other.store.values().begin());
            CHECK(got == vocabulary_pass(other, other_loss, x));
        }
    }

    TEST_CASE("a feed-forward layer of bf16 computes what its products and activation do one by one") {
        for (const nn::WeightLayout layout : {nn::WeightLayout::out_in, nn::WeightLayout::in_out}) {
            for (const Activation activation : {Activation::gelu, Activation::relu})
                check_feed_forward<nn::NoAdapter>(layout, activation, false, 0);
            check_feed_forward<nn::NoAdapter>(layout, Activation::gelu_tanh, true, 0);
            for (const bool frozen : {false, true})
                check_feed_forward<nn::NoAdapter>(layout, Activation::gelu, frozen, 0, false);
        }
    }

    TEST_CASE("so does one with adapters, over weights that train and frozen ones, with dropout and without") {
        for (const nn::WeightLayout layout : {nn::WeightLayout::out_in, nn::WeightLayout::in_out})
            for (const bool frozen : {false, true})
                for (const double dropout : {0.0, 0.2})
                    check_feed_forward<adapters::Lora>(layout, Activation::gelu, frozen, dropout);
    }

    TEST_CASE("attention of bf16 computes what its projections do one by one") {
        for (const nn::WeightLayout layout : {nn::WeightLayout::out_in, nn::WeightLayout::in_out})
            for (const bool frozen : {false, true}) {
                for (const bool with_dx : {true, false}) check_attention<nn::NoAdapter>(layout, frozen, 0, with_dx);
                for (const double dropout : {0.0, 0.2}) check_attention<adapters::Lora>(layout, frozen, dropout);
            }
    }
}

}
