#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "didact/backend/cpu.hpp"

#include "didact/nn/block.hpp"
#include "didact/nn/vocabulary_loss.hpp"

namespace layer_gradients_test {

using namespace didact;

namespace {

using B = Cpu<double>;

/// One layer as two functions: y from x, and dx and the parameters' gradients from dy.
struct Layer {
    ParameterStore<B>& store;
    std::size_t rows, in, out;
    std::function<void(Context<B>&, View<double> x, View<double> y)> forward;
    std::function<void(Context<B>&, View<double> dy, View<double> dx)> backward;
    bool training = false;
    double step = 3e-4;           ///< of the differences
    std::size_t differences = 12; ///< elements compared of each parameter and of x
    std::size_t out_rows = 0;     ///< of y; 0: as many as x has
};

/// The error of `gradient` against differences of fourth order, relative to the largest slope seen.
struct Comparison {
    double difference = 0, largest = 0;
    void add(double gradient, double slope) {
        difference = std::max(difference, std::abs(gradient - slope));
        largest = std::max({largest, std::abs(gradient), std::abs(slope)});
    }
    /// Slopes that vanish, as those of attention's key bias, have rounding only.
    double relative() const { return difference < 1e-9 ? 0 : difference / largest; }
};

template <class Loss>
double slope_of(const Loss& loss, double& w, double step) {
    const double keep = w;
    const auto at = [&](double offset) {
        w = keep + offset * step;
        return loss();
    };
    const double slope = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step);
    w = keep;
    return slope;
}

/// Compares all gradients of Σ cᵢⱼ yᵢⱼ, for random c, with differences.
void check_gradients(const Layer& layer) {
    ThreadPool pool(2);
    Arena arena;
    Random random(17);
    ParameterStore<B>& store = layer.store;
    for (double& w : store.values()) w += 0.3 * random.normal();
    store.plan();
    const std::size_t out_rows = layer.out_rows > 0 ? layer.out_rows : layer.rows;
    AlignedVector<double> x(layer.rows * layer.in), c(out_rows * layer.out), y(c.size());
    for (double& v : x) v = random.normal();
    for (double& v : c) v = random.normal();
    const View<double> x_view(x.data(), layer.rows, layer.in), y_view(y.data(), out_rows, layer.out);
    const auto loss = [&] {
        arena.reset();
        Context<B> context{store, pool, arena, layer.training, 91, 0};
        layer.forward(context, x_view, y_view);
        double sum = 0;
        for (std::size_t i = 0; i < c.size(); ++i) sum += c[i] * y[i];
        return sum;
    };
    const auto gradients = [&](View<double> dx) {
        std::ranges::fill(store.gradients(), 1e6);
        store.clear_gradients(); // what is left over takes no part
        loss();
        AlignedVector<double> dy = c;
        Context<B> context{store, pool, arena, layer.training, 91, 0};
        layer.backward(context, View<double>(dy.data(), out_rows, layer.out), dx);
    };
    AlignedVector<double> dx(x.size(), 0.0);
    gradients({});
    const AlignedVector<double> without_dx(store.gradients().begin(), store.gradients().end());
    gradients(View<double>(dx.data(), layer.rows, layer.in));
    for (ParameterId id = 0; id < store.count(); ++id)
        CHECK(std::equal(store.gradient(id).data, store.gradient(id).data + store[id].size(),
                         without_dx.begin() + std::ptrdiff_t(store[id].trainable_offset)));

    for (ParameterId id = 0; id < store.count(); ++id) {
        const Parameter& p = store[id];
        Comparison comparison;
        for (std::size_t k = 0; k < p.size(); k += std::max<std::size_t>(1, p.size() / layer.differences))
            comparison.add(store.gradients()[p.trainable_offset + k],
                           slope_of(loss, store.values()[p.offset + k], layer.step));
        CAPTURE(p.name);
        CHECK(comparison.relative() < 1e-6);
    }
    Comparison comparison;
    for (std::size_t k = 0; k < x.size(); k += std::max<std::size_t>(1, x.size() / layer.differences))
        comparison.add(dx[k], slope_of(loss, x[k], layer.step));
    CHECK(comparison.relative() < 1e-6);
    CHECK(comparison.largest > 0);
}

const std::vector<std::int32_t> short_sequences{0, 1, 8, 10};
/// One sequence takes two blocks of queries, which makes a difference costly.
const std::vector<std::int32_t> a_long_sequence{0, 1, 66, 68};
const Initializer normal = Initializer::normal(0.4);

template <std::size_t projections>
nn::Attention<B, nn::NoAdapter, projections> make_attention(ParameterStore<B>& store, std::size_t hidden,
                                                            nn::WeightLayout layout) {
    nn::Attention<B, nn::NoAdapter, projections> attention;
    for (std::size_t i = 0; i < projections; ++i)
        attention.project[i] =
            nn::Linear<B>(store, "project." + std::to_string(i), hidden, hidden * 3 / projections, normal, layout);
    attention.output = nn::Linear<B>(store, "output", hidden, hidden, normal, layout);
    attention.num_heads = 3;
    return attention;
}

template <std::size_t projections>
void check_attention(const std::vector<std::int32_t>& packed, bool causal, double dropout) {
    ParameterStore<B> store(3);
    auto attention = make_attention<projections>(store, 12, nn::WeightLayout::in_out);
    attention.causal = causal;
    attention.dropout = dropout;
    typename decltype(attention)::Saved saved;
    check_gradients({store, std::size_t(packed.back()), 12, 12,
                     [&](auto& context, auto x, auto y) { attention.forward(context, packed, x, y, saved); },
                     [&](auto& context, auto dy, auto dx) { attention.backward(context, dy, dx, saved); }, dropout > 0,
                     3e-4, packed.back() > 20 ? std::size_t(6) : std::size_t(12)});
}

template <nn::NormPlace place, std::size_t projections>
nn::Block<B, place, nn::NoAdapter, projections> make_block(ParameterStore<B>& store, bool causal, double dropout) {
    nn::Block<B, place, nn::NoAdapter, projections> block;
    block.attention = make_attention<projections>(store, 9, nn::WeightLayout::out_in);
    block.attention.causal = causal;
    block.attention.dropout = dropout;
    block.attention_norm = nn::LayerNorm<B>(store, "norm1", 9, 1e-5);
    block.feed_forward.expand = nn::Linear<B>(store, "expand", 9, 14, normal);
    block.feed_forward.contract = nn::Linear<B>(store, "contract", 14, 9, normal);
    block.feed_forward_norm = nn::LayerNorm<B>(store, "norm2", 9, 1e-5);
    block.dropout.p = dropout;
    return block;
}

template <nn::NormPlace place, std::size_t projections>
void check_block(bool causal, double dropout, const std::vector<std::int32_t>& read = {}) {
    ParameterStore<B> store(5);
    const auto block = make_block<place, projections>(store, causal, dropout);
    typename std::remove_cvref_t<decltype(block)>::Saved saved;
    check_gradients({store, std::size_t(short_sequences.back()), 9, 9,
                     [&](auto& context, auto x, auto y) { block.forward(context, short_sequences, x, y, saved, read); },
                     [&](auto& context, auto dy, auto dx) { block.backward(context, dy, dx, saved); }, dropout > 0,
                     3e-4, 12, read.size()});
}

/// A block that computes some tokens only gives them what it gives them among all, dropout included, and the same
/// gradients where the others' are zero.
template <nn::NormPlace place, std::size_t projections>
void check_read(bool causal, const std::vector<std::int32_t>& read) {
    ParameterStore<B> store(5);
    const auto block = make_block<place, projections>(store, causal, 0.3);
    store.plan();
    ThreadPool pool(2);
    Arena arena;
    Random random(17);
    const auto drawn = [&](std::size_t rows) {
        const View<double> x = arena.matrix<double>(rows, 9);
        for (std::size_t i = 0; i < x.size(); ++i) x.data[i] = random.normal();
        return x;
    };
    const View<double> x = drawn(std::size_t(short_sequences.back())), dy = drawn(read.size());
    const View<double> all_dy = arena.matrix<double>(x.rows, 9);
    std::fill_n(all_dy.data, all_dy.size(), 0.0);
    for (std::size_t i = 0; i < read.size(); ++i) std::copy_n(dy.row(i), 9, all_dy.row(std::size_t(read[i])));
    const auto pass = [&](std::span<const std::int32_t> some, View<double> gradient, View<double> y, View<double> dx) {
        store.clear_gradients();
        typename std::remove_cvref_t<decltype(block)>::Saved saved;
        Context<B> forward{store, pool, arena, true, 91, 0}, backward = forward;
        block.forward(forward, short_sequences, x, y, saved, some);
        block.backward(backward, gradient, dx, saved);
        CHECK(forward.tokens.empty());
        return AlignedVector<double>(store.gradients().begin(), store.gradients().end());
    };
    const View<double> y = drawn(read.size()), dx = drawn(x.rows), all_y = drawn(x.rows), all_dx = drawn(x.rows);
    const auto gradients = pass(read, dy, y, dx), all_gradients = pass({}, all_dy, all_y, all_dx);
    for (std::size_t i = 0; i < read.size(); ++i)
        for (std::size_t j = 0; j < 9; ++j)
            CHECK(y(i, j) == doctest::Approx(all_y(std::size_t(read[i]), j)).epsilon(1e-12));
    for (std::size_t i = 0; i < dx.size(); ++i) CHECK(std::abs(dx.data[i] - all_dx.data[i]) < 1e-12);
    for (std::size_t i = 0; i < gradients.size(); ++i) CHECK(std::abs(gradients[i] - all_gradients[i]) < 1e-12);
}

/// Tokens of short_sequences: the first of each; some of one sequence only; all.
const std::vector<std::vector<std::int32_t>> some_tokens{{0, 1, 8}, {2, 5, 7}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};

}

TEST_SUITE("property") {

    TEST_CASE("a linear layer's gradients are its slopes in both weight layouts, with and without a bias") {
        for (const nn::WeightLayout layout : {nn::WeightLayout::out_in, nn::WeightLayout::in_out})
            for (const bool bias : {true, false}) {
                ParameterStore<B> store(1);
                const nn::Linear<B> linear(store, "linear", 7, 5, normal, layout, bias);
                nn::Linear<B>::Saved saved;
                check_gradients({store, 11, 7, 5,
                                 [&](auto& context, auto x, auto y) { linear.forward(context, x, y, saved); },
                                 [&](auto& context, auto dy, auto dx) { linear.backward(context, dy, dx, saved); }});
            }
    }

    TEST_CASE("a linear layer adds to the input gradient when it is told to accumulate") {
        ParameterStore<B> store(1);
        const nn::Linear<B> linear(store, "linear", 4, 3, normal);
        store.plan();
        ThreadPool pool(1);
        Arena arena;
        Context<B> context{store, pool, arena};
        std::vector<double> x(8, 1.0), y(6), dy{1, -2, 3, 0.5, 4, -1}, written(8, 7.0), added(8, 7.0);
        nn::Linear<B>::Saved saved;
        linear.forward(context, View<double>(x.data(), 2, 4), View<double>(y.data(), 2, 3), saved);
        linear.backward(context, View<double>(dy.data(), 2, 3), View<double>(written.data(), 2, 4), saved);
        linear.backward(context, View<double>(dy.data(), 2, 3), View<double>(added.data(), 2, 4), saved, true);
        for (std::size_t i = 0; i < 8; ++i) CHECK(added[i] == doctest::Approx(written[i] + 7).epsilon(1e-14));
    }

    TEST_CASE("a layer norm's gradients are its slopes") {
        for (const std::size_t size : {2u, 9u, 64u, 130u}) {
            ParameterStore<B> store(2);
            const nn::LayerNorm<B> norm(store, "norm", size, 1e-5);
            nn::LayerNorm<B>::Saved saved;
            check_gradients({store, 6, size, size,
                             [&](auto& context, auto x, auto y) { norm.forward(context, x, y, saved); },
                             [&](auto& context, auto dy, auto dx) { norm.backward(context, dy, dx, saved); }});
        }
    }

    TEST_CASE("a dropout layer's gradient goes through the mask of its forward pass") {
        for (const bool training : {false, true}) {
            ParameterStore<B> store(2);
            const nn::Dropout<B> dropout{0.4};
            nn::Dropout<B>::Saved saved;
            check_gradients({store, 9, 13, 13,
                             [&](auto& context, auto x, auto y) {
                                 copy(context, x, y);
                                 dropout.forward(context, y, saved);
                             },
                             [&](auto& context, auto dy, auto dx) {
                                 if (!dx.empty()) dropout.backward(context, dy, dx, saved);
                             },
                             training});
        }
    }

    TEST_CASE("a feed-forward layer's gradients are its slopes under every activation") {
        for (const Activation activation :
             {Activation::gelu, Activation::gelu_tanh, Activation::relu, Activation::tanh}) {
            ParameterStore<B> store(4);
            nn::FeedForward<B, nn::NoAdapter> feed_forward;
            feed_forward.expand = nn::Linear<B>(store, "expand", 6, 17, normal);
            feed_forward.contract = nn::Linear<B>(store, "contract", 17, 6, normal);
            feed_forward.activation = activation;
            nn::FeedForward<B, nn::NoAdapter>::Saved saved;
            // ReLU has kinks, which a smaller step is less likely to cross.
            check_gradients({store, 10, 6, 6,
                             [&](auto& context, auto x, auto y) { feed_forward.forward(context, x, y, saved); },
                             [&](auto& context, auto dy, auto dx) { feed_forward.backward(context, dy, dx, saved); },
                             false, activation == Activation::relu ? 1e-6 : 3e-4});
        }
    }

    TEST_CASE("attention's gradients are its slopes, with separate and joined projections, causal or not") {
        for (const bool causal : {false, true})
            for (const double dropout : {0.0, 0.3}) {
                CAPTURE(causal);
                CAPTURE(dropout);
                check_attention<1>(short_sequences, causal, dropout);
                check_attention<3>(short_sequences, causal, dropout);
            }
        check_attention<3>(a_long_sequence, true, 0.3);
        check_attention<3>(a_long_sequence, false, 0);
    }

    TEST_CASE("a block's gradients are its slopes, with norms before or after the sub-layers") {
        for (const double dropout : {0.0, 0.2}) {
            CAPTURE(dropout);
            check_block<nn::NormPlace::post, 3>(false, dropout);
            check_block<nn::NormPlace::pre, 1>(true, dropout);
            for (const auto& read : some_tokens) {
                check_block<nn::NormPlace::post, 3>(false, dropout, read);
                check_block<nn::NormPlace::pre, 1>(true, dropout, read);
            }
        }
    }

    TEST_CASE("a block that computes some tokens only agrees with one that computes all") {
        for (const auto& read : some_tokens)
            for (const bool causal : {false, true}) {
                check_read<nn::NormPlace::post, 3>(causal, read);
                check_read<nn::NormPlace::post, 1>(causal, read);
                check_read<nn::NormPlace::pre, 3>(causal, read);
                check_read<nn::NormPlace::pre, 1>(causal, read);
            }
    }

    TEST_CASE("the vocabulary loss has the slopes of a cross-entropy over all logits") {
        for (const bool bias : {true, false}) {
            constexpr std::size_t vocabulary = 11, rows = 17;
            ParameterStore<B> store(6);
            nn::VocabularyLoss<B> loss;
            loss.table = store.add_matrix("table", vocabulary, 3, normal);
            if (bias) loss.bias = store.add_vector("bias", vocabulary, normal);
            std::vector<std::int32_t> labels(rows);
            Random random(8);
            for (std::int32_t& label : labels) label = std::int32_t(random.below(vocabulary));
            nn::VocabularyLoss<B>::Saved saved;
            std::vector<double> weights;
            check_gradients({store, rows, 3, 1,
                             [&](auto& context, auto x, auto y) {
                                 loss.forward(context, x, labels, saved);
                                 std::copy(saved.losses.begin(), saved.losses.end(), y.data);
                             },
                             [&](auto& context, auto dy, auto dx) {
                                 weights.assign(dy.data, dy.data + rows);
                                 loss.backward(context, labels, weights, dx, saved);
                             }});
        }
    }

    TEST_CASE("the vocabulary loss over several blocks of rows is that of its rows one by one") {
        constexpr std::size_t vocabulary = 70000, rows = 18, hidden = 3;
        ParameterStore<B> store(6);
        nn::VocabularyLoss<B> loss;
        loss.table = store.add_matrix("table", vocabulary, hidden, normal);
        loss.bias = store.add_vector("bias", vocabulary, normal);
        loss.most_logits = 1 << 20;
        CHECK(loss.block_rows(vocabulary) == 16);
        store.plan();
        ThreadPool pool(2);
        Arena arena;
        Context<B> context{store, pool, arena};
        Random random(8);
        std::vector<std::int32_t> labels(rows);
        for (std::int32_t& label : labels) label = std::int32_t(random.below(vocabulary));
        AlignedVector<double> x(rows * hidden), dx(rows * hidden);
        for (double& v : x) v = random.normal();
        std::vector<double> weights(rows);
        for (double& w : weights) w = random.uniform();

        const auto run = [&](std::size_t begin, std::size_t count) {
            nn::VocabularyLoss<B>::Saved saved;
            const auto part = std::span<const std::int32_t>(labels).subspan(begin, count);
            loss.forward(context, View<double>(&x[begin * hidden], count, hidden), part, saved);
            loss.backward(context, part, std::span<const double>(weights).subspan(begin, count),
                          View<double>(&dx[begin * hidden], count, hidden), saved);
            return std::vector<double>(saved.losses.begin(), saved.losses.end());
        };
        const std::vector<double> losses = run(0, rows);
        const AlignedVector<double> together(store.gradients().begin(), store.gradients().end()), dx_together = dx;
        std::fill(store.gradients().begin(), store.gradients().end(), 0.0);
        for (std::size_t i = 0; i < rows; ++i) CHECK(run(i, 1)[0] == doctest::Approx(losses[i]).epsilon(1e-13));
        double difference = 0;
        for (std::size_t i = 0; i < together.size(); ++i)
            difference = std::max(difference, std::abs(together[i] - store.gradients()[i]));
        for (std::size_t i = 0; i < dx.size(); ++i) difference = std::max(difference, std::abs(dx[i] - dx_together[i]));
        CHECK(difference < 1e-13);
    }
}

TEST_SUITE("unit") {

    TEST_CASE("dropout layers of one pass draw different masks and count their places") {
        ParameterStore<B> store(2);
        ThreadPool pool(1);
        Arena arena;
        Context<B> context{store, pool, arena, true, 12, 0};
        const nn::Dropout<B> dropout{0.5};
        std::vector<double> a(400, 1.0), b(400, 1.0), again(400, 1.0);
        nn::Dropout<B>::Saved saved;
        dropout.forward(context, View<double>(a.data(), 4, 100), saved);
        dropout.forward(context, View<double>(b.data(), 4, 100), saved);
        CHECK(context.dropout_site == 2);
        CHECK(a != b);
        context.dropout_site = 0;
        dropout.forward(context, View<double>(again.data(), 4, 100), saved);
        CHECK(again == a);
    }

    TEST_CASE("dropout is the identity in evaluation") {
        ParameterStore<B> store(2);
        ThreadPool pool(1);
        Arena arena;
        Context<B> context{store, pool, arena, false, 12, 0};
        std::vector<double> x{1, 2, 3};
        nn::Dropout<B>::Saved saved;
        nn::Dropout<B>{0.5}.forward(context, View<double>(x.data(), 1, 3), saved);
        CHECK(x == std::vector<double>{1, 2, 3});
        CHECK(saved.mask.empty());
    }

    TEST_CASE("a frozen weight gets no gradient while the layer's bias and input do") {
        ParameterStore<B> store(1);
        const nn::Linear<B> linear(store, "linear", 4, 3, normal);
        store.set_trainable(linear.weight, false);
        store.plan();
        CHECK(store.gradient(linear.weight).empty());
        ThreadPool pool(1);
        Arena arena;
        Context<B> context{store, pool, arena};
        std::vector<double> x(8, 1.0), y(6), dy{1, -2, 3, 0.5, 4, -1}, dx(8, 0.0);
        nn::Linear<B>::Saved saved;
        linear.forward(context, View<double>(x.data(), 2, 4), View<double>(y.data(), 2, 3), saved);
        linear.backward(context, View<double>(dy.data(), 2, 3), View<double>(dx.data(), 2, 4), saved);
        CHECK(store.gradient(linear.bias)(0, 0) == 1.5);
        CHECK(store.gradient(linear.bias)(0, 1) == 2.0);
        CHECK(store.gradient(linear.bias)(0, 2) == 2.0);
        CHECK(dx[0] == doctest::Approx(dy[0] * std::as_const(store).value(linear.weight)(0, 0) +
                                       dy[1] * std::as_const(store).value(linear.weight)(1, 0) +
                                       dy[2] * std::as_const(store).value(linear.weight)(2, 0)));
    }
}

}
