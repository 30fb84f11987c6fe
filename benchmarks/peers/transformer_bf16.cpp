#include "transformer.hpp"

void peers::run_bf16(const TransformerRow& row, nlohmann::ordered_json& json) {
    run_on<didact::Cpu<didact::bf16>>(row, json);
}
