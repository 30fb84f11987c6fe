#include "run.hpp"

std::optional<nlohmann::ordered_json> finetune::run_whole(const Job& job) {
    return run_if_in<didact::Cpu<float>>(WholeTable{}, CurriculumTable{}, job);
}
