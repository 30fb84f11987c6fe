#pragma once
#include <optional>
#include <string>
#include <vector>

#include "didact/data/dataset.hpp"
#include "didact/data/masking.hpp"

namespace didact {

/// The data of one task in one experience.
struct TaskData {
    std::size_t task = 0; ///< which head of the model
    Dataset train = {}, validation = {}, test = {};
    std::optional<Masking> masking = {}; ///< of the training data, anew in each epoch, for masked language modelling
};

/// What a model meets at one time: the data of one or several tasks.
struct Experience {
    std::string name = {};
    std::vector<TaskData> tasks = {};

    std::size_t train_size() const {
        std::size_t size = 0;
        for (const TaskData& data : tasks) size += data.train.size();
        return size;
    }
};

/// Experiences in the order in which they arrive. Multi-task learning is one experience with several tasks, continual
/// learning several experiences.
using Stream = std::vector<Experience>;

}
