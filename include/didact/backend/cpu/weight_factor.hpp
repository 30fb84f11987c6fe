#pragma once
#include "didact/backend/cpu/factor.hpp"
#include "didact/core/parameter_store.hpp"

namespace didact {

/// The weight `id` as B, or with `transpose` as Bᵀ, of a product whose A has `rows` rows. What is made of a weight for
/// that is kept until its values change where several products will take it: where it is frozen, while
/// `context.weights_stay`, and where the caller says `often`.
template <CpuBackend B>
Factor<B> weight_factor(Context<B>& context, ParameterId id, [[maybe_unused]] Transpose transpose,
                        [[maybe_unused]] std::size_t rows, [[maybe_unused]] bool often = false) {
    Factor<B> weight = std::as_const(context.parameters).value(id);
#if DIDACT_WITH_AMX
    if constexpr (!std::is_same_v<Factor<B>, View<const Scalar<B>>>) {
        using Tiles = cpu::AmxTiles<Scalar<B>>;
        if (!cpu::makes_factors<B>(rows)) return weight;
        ParameterStore<B>& store = context.parameters;
        DerivedValues& derived = store.derived_values();
        const bool terms_in_rows = transpose == Transpose::yes;
        const std::size_t form = terms_in_rows ? 1 : 0;
        const ValueVersion version = store.version(id);
        cpu::AmxPanels panels = Tiles::panels(weight, terms_in_rows, nullptr);
        const auto make = [&](std::byte* data) {
            Tiles::pack(context, weight, terms_in_rows, Tiles::Side::right, reinterpret_cast<bf16*>(data));
        };
        const bool keeps = often || context.weights_stay || !store.trains(id);
        const std::byte* const data = keeps ? derived.get(id, form, version, panels.elements() * sizeof(bf16), make)
                                            : derived.find(id, form, version);
        if (data == nullptr) return weight;
        panels.data = reinterpret_cast<const bf16*>(data);
        (terms_in_rows ? weight.right_transposed : weight.right) = panels;
    }
#endif
    return weight;
}

}
