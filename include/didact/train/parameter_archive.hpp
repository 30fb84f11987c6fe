#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "didact/core/parameter_store.hpp"
#include "didact/train/archive.hpp"

namespace didact {

/// Writes a store's values and what of it trains how fast, or reads them and plans. Throws Error where an archive's
/// parameters have other names or shapes.
template <Backend B>
void serialize_parameters(Archive& archive, ParameterStore<B>& store) {
    std::size_t count = store.count();
    archive("parameters", count);
    require(count == store.count(), archive.source(), ": ", count, " parameters, the model has ", store.count());
    std::vector<std::uint8_t> trainable;
    std::vector<float> multiples;
    for (const Parameter& p : store.parameters()) {
        std::string name = p.name;
        std::size_t rows = p.rows, cols = p.cols;
        archive("name", name);
        archive("rows", rows);
        archive("cols", cols);
        require(name == p.name && rows == p.rows && cols == p.cols, archive.source(), ": parameter '", excerpt(name),
                "' is (", rows, ", ", cols, "), the model has '", p.name, "' of (", p.rows, ", ", p.cols,
                ") in its place");
        trainable.push_back(p.trainable);
        multiples.push_back(p.learning_rate_multiple);
    }
    archive("values", store.values());
    archive("trainable", std::span<std::uint8_t>(trainable));
    archive("multiples", std::span<float>(multiples));
    if (!archive.reading()) return;
    for (ParameterId id = 0; id < store.count(); ++id) store.set_trainable(id, trainable[id], multiples[id]);
    store.plan();
}

}
