#pragma once
#include <concepts>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace didact {

/// What a policy decides. A run has at most one policy of each family.
enum class Family {
    freeze,     ///< what trains, and how fast
    curriculum, ///< which samples, in which order and with which weight
    sharing,    ///< what tasks share, and how their losses or gradients are put together
    forgetting, ///< how earlier experiences are kept
    optimizer,
    schedule
};

constexpr const char* family_name(Family family) {
    constexpr const char* names[] = {"freeze", "curriculum", "sharing", "forgetting", "optimizer", "schedule"};
    return names[int(family)];
}

/// A policy is a copyable aggregate of hyper-parameters that names its family; its nested State<Model> is made at the
/// start of a run and holds whatever changes.
template <class P>
concept Policy = std::copyable<P> && requires {
    { P::family } -> std::convertible_to<Family>;
};

/// Stops the compilation with a sentence where P is no policy; `true` otherwise.
template <class P>
consteval bool check_policy() {
    static_assert(
        requires {
            { P::family } -> std::convertible_to<Family>;
        },
        "didact: this argument is no policy: a policy names its family, e.g. `static constexpr Family family = "
        "Family::forgetting;`; training options go to Trainer::fit");
    static_assert(std::copyable<P>, "didact: a policy must be copyable: one value starts many runs");
    static_assert(
        std::is_aggregate_v<P>,
        "didact: a policy is an aggregate of hyper-parameters, without constructors and private members; what "
        "changes during a run belongs to its State");
    return true;
}

/// A policy that can be printed, read from text and stored: `P::name()`, and `P::fields(policy, visit)`, which calls
/// visit(name, member) for each hyper-parameter. All policies of the library are; one's own need not be.
template <class P>
concept Described = requires(const P& policy) {
    { P::name() } -> std::convertible_to<std::string>;
    P::fields(policy, [](const char*, const auto&) {});
};

/// The absent policy of a family: no state, no hook, no instruction.
template <Family f>
struct None {
    static constexpr Family family = f;
    static std::string name() { return "none"; }
    static void fields(auto&, const auto&) {}
    template <class Model>
    struct State {
        State(const None&, const Model&) {}
    };
    friend bool operator==(const None&, const None&) = default;
};

template <Family family, class... Policies>
inline constexpr std::size_t count_of = (std::size_t(Policies::family == family) + ... + 0);

template <Family family, class Default, class... Policies>
struct FindPolicy {
    using type = Default;
};
template <Family family, class Default, class First, class... Rest>
struct FindPolicy<family, Default, First, Rest...> {
    using type =
        std::conditional_t<First::family == family, First, typename FindPolicy<family, Default, Rest...>::type>;
};

/// The policy of a family among `Policies`, or `Default` (None) where there is none. The order does not matter.
template <Family family, class Default, class... Policies>
using policy_of_or = typename FindPolicy<family, Default, Policies...>::type;
template <Family family, class... Policies>
using policy_of = policy_of_or<family, None<family>, Policies...>;

/// The value of the policy of type P among `policies`, or a default one.
template <class P, class... Policies>
P pick_policy(const Policies&... policies) {
    P result{};
    [[maybe_unused]] const auto take = [&](const auto& policy) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(policy)>, P>) result = policy;
    };
    (take(policies), ...);
    return result;
}

}
