#include "run.hpp"

std::optional<nlohmann::ordered_json> finetune::run_partly_frozen(const Job& job) {
    return run_if_in<didact::Cpu<float>>(PartlyFrozenTable{}, CurriculumTable{}, job);
}
