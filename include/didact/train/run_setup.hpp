#pragma once
#include <sstream>
#include <string>

#include "didact/data/stream.hpp"
#include "didact/model/config.hpp"
#include "didact/train/options.hpp"

namespace didact {

/// Throws Error where a model with so many tasks could not train on this stream.
inline void check_setup(const Stream& stream, const TrainingOptions& options, std::size_t tasks) {
    options.check();
    require(!stream.empty(), "there is nothing to train on: the stream has no experience");
    bool validates = false;
    for (const Experience& experience : stream) {
        require(experience.train_size() > 0, "experience '", experience.name, "' has no training samples");
        for (const TaskData& data : experience.tasks) {
            require(data.task < tasks, "experience '", experience.name, "' has data for task ", data.task,
                    ", the model has ", tasks, " heads");
            if (data.masking) data.masking->check("experience '" + experience.name + "'");
            validates |= !data.validation.empty();
        }
    }
    require(options.patience == 0 || validates, "TrainingOptions: patience is ", options.patience,
            " and no experience has validation data to stop by");
}

/// What a model computes and trains for beside its parameters' names and shapes, one thing a line.
template <class Model>
void describe_model(const Model& model, std::ostream& text) {
    text << "backend " << Model::B::name << '\n';
    if constexpr (requires { model.trunk().config().num_heads; }) {
        const TransformerConfig& config = model.trunk().config();
        text << "num_heads " << config.num_heads << "\nactivation " << config.activation << "\nlayer_norm_epsilon "
             << config.layer_norm_epsilon << "\nhidden_dropout " << config.hidden_dropout << "\nattention_dropout "
             << config.attention_dropout << "\nembedding_dropout " << config.dropout_of_embeddings() << '\n';
    }
    if constexpr (requires { model.trunk().config().classifier_dropout; })
        text << "classifier_dropout " << model.trunk().config().classifier_dropout << '\n';
    for (std::size_t task = 0; task < model.tasks(); ++task)
        model.with_head(task, [&](const auto& head) {
            text << "a head for " << head.problem_type << " of task '" << model.task_name(task) << '\'';
            if constexpr (requires { head.pooling_name; }) text << ", pooling " << head.pooling_name;
            if constexpr (requires { head.options(); }) {
                text << ", label_smoothing " << head.options().label_smoothing;
                for (const float weight : head.options().class_weights) text << ", class weight " << weight;
            }
            text << '\n';
        });
}

/// What a run must have in common with the checkpoint that it goes on from, one thing a line: its data, its model and
/// the options that decide which sample comes when. Its length, the threads and how it evaluates may change.
template <class Model>
std::string describe_run(const Model& model, const Stream& stream, const TrainingOptions& options) {
    std::ostringstream text;
    text << "seed " << options.seed << "\nbatch_size " << options.batch_size << "\naccumulation "
         << options.accumulation << "\nmicro_batch_tokens " << options.micro_batch_tokens << "\nmax_gradient_norm "
         << options.max_gradient_norm << "\nreset_optimizer " << options.reset_optimizer << '\n';
    describe_model(model, text);
    for (const Experience& experience : stream)
        for (const TaskData& data : experience.tasks) {
            text << "in experience '" << experience.name << "' for task " << data.task << ' ' << data.train.size()
                 << " training samples of digest " << std::hex << data.train.digest() << std::dec;
            if (data.masking) {
                text << ", masked by token " << data.masking->mask_token_id << " of " << data.masking->vocab_size
                     << " with probability " << data.masking->probability << " but for tokens";
                for (const std::int32_t id : data.masking->special_token_ids) text << ' ' << id;
            }
            text << '\n';
        }
    return text.str();
}

/// The first line in which two descriptions differ: "<before>LINE OF a<between>LINE OF b".
inline std::string first_difference(const std::string& before, const std::string& a, const std::string& between,
                                    const std::string& b) {
    const std::string end = "nothing more";
    std::istringstream lines_a(a), lines_b(b);
    std::string line_a, line_b;
    do {
        if (!std::getline(lines_a, line_a)) line_a = end;
        if (!std::getline(lines_b, line_b)) line_b = end;
    } while (line_a == line_b && line_a != end);
    return before + line_a + between + line_b;
}

}
