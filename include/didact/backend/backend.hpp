#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "didact/core/arena.hpp"
#include "didact/core/bf16.hpp"
#include "didact/core/parallel.hpp"
#include "didact/core/view.hpp"

namespace didact {

/// A backend is a tag that says where a model lives and in which precision it computes:
/// `Scalar` (storage and compute) and `Accumulator` (sums, losses, norms). In products of at least `independent_rows`
/// rows the bits of a row do not depend on the other rows. The operations that layers use are free
/// functions over `Context<Backend>`, one file an operation in backend/<name>/, the same names on every backend.
template <class B>
concept Backend = requires {
    typename B::Scalar;
    typename B::Accumulator;
    { B::independent_rows } -> std::convertible_to<std::size_t>;
    { B::name } -> std::convertible_to<const char*>;
};

template <Backend B>
using Scalar = typename B::Scalar;

template <Backend B>
class ParameterStore;

/// How a matrix enters a product.
enum class Transpose { no, yes };

/// A matrix as a factor of products. A backend that makes something of a matrix before it multiplies makes it once
/// where several products take the matrix; for the others this is the matrix itself. Converts from a view, and to one
/// of the matrix, which has no data where the values were left out.
template <Backend B>
struct FactorOf {
    using type = View<const Scalar<B>>;
};
template <Backend B>
using Factor = typename FactorOf<B>::type;

/// What a factor is made for: to be A, Aᵀ or B of `gemm`, and to have its column sums taken.
struct FactorUses {
    bool left = false, left_transposed = false, right = false, column_sums = false;

    FactorUses& operator|=(const FactorUses& other) {
        left |= other.left;
        left_transposed |= other.left_transposed;
        right |= other.right;
        column_sums |= other.column_sums;
        return *this;
    }
    bool any() const { return left || left_transposed || right || column_sums; }
};

/// What the gradient of an activation is computed from: the values before it or, where a backend makes factors of its
/// operands, its slopes there, rounded. (rows, cols)
template <Backend B>
struct BeforeActivation {
    View<Scalar<B>> values = {};
    View<bf16> slopes = {};
};

/// gelu: x Φ(x) (Hendrycks and Gimpel 2016, arXiv 1606.08415); gelu_tanh: its tanh form ("gelu_new" in Transformers).
enum class Activation { gelu, gelu_tanh, relu, tanh };

/// What attention over packed sequences needs to know. Sequence s covers rows [cu_seqlens[s], cu_seqlens[s + 1]).
struct AttentionShape {
    std::span<const std::int32_t> cu_seqlens;
    std::size_t num_heads = 1;
    bool causal = false;
    double scale = 1;   ///< of the scores, 1/√head_size as a rule
    double dropout = 0; ///< of the probabilities
    std::uint64_t dropout_key = 0;
    /// The rows, in ascending order, that have a query, and so a row of q and of the output; empty: every row.
    std::span<const std::int32_t> queries = {};

    std::size_t sequences() const { return cu_seqlens.empty() ? 0 : cu_seqlens.size() - 1; }
    std::size_t longest() const {
        std::int32_t longest = 0;
        for (std::size_t s = 0; s < sequences(); ++s) longest = std::max(longest, cu_seqlens[s + 1] - cu_seqlens[s]);
        return std::size_t(longest);
    }
};

/// What every layer call gets: the parameters, the threads, the step's memory and how to behave.
template <Backend B>
struct Context {
    ParameterStore<B>& parameters;
    ThreadPool& pool;
    Arena& arena;
    bool training = false;          ///< dropout is active
    std::uint64_t dropout_key = 0;  ///< key of this step's dropout masks
    std::uint32_t dropout_site = 0; ///< counts the dropout layers passed, so that each draws its own mask
    /// The tokens that the rows of a layer's input are, by which dropout draws its mask; empty: row t is token t.
    std::span<const std::int32_t> tokens = {};
    /// The last block computes every token, not only those that the head reads.
    bool every_token = false;
    /// Backward follows: what it needs may be made ahead.
    bool keeps = true;
    /// Other passes may follow before weights that train change: what is made of them is kept, which takes memory.
    bool weights_stay = false;
    /// The gradients of weights may wait as their factors (DeferredProducts): who reads them next knows.
    bool defers_gradients = false;
    /// Numbers that stay as they are until those gradients are read: a factor that lies among them is not copied.
    std::span<const Scalar<B>> lasting = {};

    View<Scalar<B>> scratch(std::size_t rows, std::size_t cols) { return arena.matrix<Scalar<B>>(rows, cols); }
};

/// While it lives, the rows of what layers get are these tokens only.
template <Backend B>
class OnlyTokens {
  public:
    OnlyTokens(Context<B>& context, std::span<const std::int32_t> tokens)
        : context_(context), before_(std::exchange(context.tokens, tokens)) {}
    OnlyTokens(const OnlyTokens&) = delete;
    OnlyTokens& operator=(const OnlyTokens&) = delete;
    ~OnlyTokens() { context_.tokens = before_; }

  private:
    Context<B>& context_;
    std::span<const std::int32_t> before_;
};

}
