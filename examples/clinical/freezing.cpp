#include "study.hpp"

namespace clinical {

using namespace didact;

/// What should train where labels are few?
void run_freezing(Study& study) {
    const Setting setting = diagnosis_setting(study, "freezing", study.budget.few_labels, "plain");
    const std::size_t layers = study.base.config.num_layers;
    if (!reuse(study, setting, "plain", "curve")) run(study, setting, strategy("plain", 1));
    compare(study, setting, //
            strategy("Prefix", 1, freeze::Prefix{.layers = layers / 2}),
            strategy("AllButHead", 10, freeze::AllButHead{}), //
            strategy<Encoder<adapters::Lora>>("Lora", 5, freeze::Lora{.rank = 8, .alpha = 16}));
    if (!study.budget.all_strategies) return;
    // All blocks are to be thawed in the first half of the epochs.
    const std::size_t epochs = study.budget.steps * study.budget.batch_size / study.budget.few_labels;
    const std::size_t per_epoch = std::max<std::size_t>(1, 2 * (layers + 2) / std::max<std::size_t>(1, epochs));
    compare(study, setting, strategy("Discriminative", 1, freeze::Discriminative{.decay = 0.8}),
            strategy("GradualUnfreeze", 1, freeze::GradualUnfreeze{.layers_per_epoch = per_epoch}),
            strategy("L2Sp", 1, freeze::L2Sp{.alpha = 0.01, .beta = 0.01}));
}

}
