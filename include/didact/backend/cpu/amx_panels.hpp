#pragma once
#include "didact/backend/cpu/tag.hpp"

#if DIDACT_WITH_AMX

namespace didact::cpu {

/// An operand of a product as tile registers take it: rounded to bf16, in panels of 32 rows of op(A) or columns of
/// op(B), each filled up with zeros. A panel is `chunks` chunks of 32 terms, a chunk two tiles of 16 rows of 64 bytes,
/// one after another: of op(A) a row's 32 terms, of op(B) two terms of each of 16 columns (Intel 64 and IA-32
/// Architectures Software Developer's Manual, volume 1, chapter 18).
struct AmxPanels {
    const bf16* data = nullptr;
    std::size_t size = 0; ///< rows of op(A), or columns of op(B)
    std::size_t chunks = 0;

    const bf16* chunk(std::size_t panel, std::size_t chunk) const { return data + offset(panel, chunk); }
    std::size_t offset(std::size_t panel, std::size_t chunk) const { return (panel * chunks + chunk) * chunk_elements; }
    std::size_t elements() const { return tile_count(size, panel_width) * chunks * chunk_elements; }
    static constexpr std::size_t panel_width = 32, terms = 32, chunk_elements = panel_width * terms;
};

}
#endif
