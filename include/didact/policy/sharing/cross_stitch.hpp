#pragma once
#include "didact/model/cross_stitch.hpp"
#include "didact/policy/policy.hpp"
#include "didact/train/archive.hpp"

namespace didact::sharing {

template <class Trunk>
inline constexpr bool is_cross_stitch = false;
template <class Column>
inline constexpr bool is_cross_stitch<didact::CrossStitch<Column>> = true;

/// Soft sharing by a cross-stitch network (formula in model/cross_stitch.hpp): what tasks share is learned, block by
/// block. Needs a model whose trunk is CrossStitch<…> with a column for each task.
struct CrossStitch {
    static constexpr Family family = Family::sharing;

    template <class Model>
    struct State {
        static_assert(is_cross_stitch<typename Model::Trunk>,
                      "didact: sharing::CrossStitch needs a column for each task; build the model as "
                      "Model<CrossStitch<Transformer<…>>, Heads…>");
        State(const CrossStitch&, Model& model) {
            require(model.tasks() <= model.trunk().num_columns(), "sharing::CrossStitch: the model has ", model.tasks(),
                    " tasks and ", model.trunk().num_columns(), " columns");
        }
    };
    static std::string name() { return "cross-stitch"; }
    static void fields(auto&, const auto&) {}
    friend bool operator==(const CrossStitch&, const CrossStitch&) = default;
};

}
