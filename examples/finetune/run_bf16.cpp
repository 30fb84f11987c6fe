#include "run.hpp"

std::optional<nlohmann::ordered_json> finetune::run_bf16(const Job& job) {
    return run_if_in<didact::Cpu<didact::bf16>>(Bf16Table{}, Bf16CurriculumTable{}, job);
}
