#include "transformer.hpp"

namespace peers {

void run_fp32(const TransformerRow& row, nlohmann::ordered_json& json) { run_on<Cpu<float>>(row, json); }

nlohmann::ordered_json measure_transformer(const TransformerRow& asked) {
    TransformerRow row = asked;
    if (row.batch_size == 0) row.batch_size = row.model == "minilm" ? 32 : row.model == "bert-base" ? 16 : 4;
    if (row.length == 0) row.length = row.model == "gpt2" ? 256 : 128;
    nlohmann::ordered_json json = {{"system", "didact"},      {"model", row.model},
                                   {"mode", row.mode},        {"precision", row.precision},
                                   {"batch", row.batch_size}, {"seq", row.length},
                                   {"lengths", row.lengths},  {"dropout", row.dropout},
                                   {"threads", row.threads},  {"checkpointing", row.checkpointing}};
    row.precision == "bf16" ? run_bf16(row, json) : run_fp32(row, json);
    return json;
}

}
