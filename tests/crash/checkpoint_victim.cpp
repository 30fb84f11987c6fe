/// Trains with a policy of every family and writes a checkpoint after every step, until it is killed or done:
///   checkpoint_victim FOLDER atomic|in_place
/// Goes on from what FOLDER holds. When done, writes FOLDER/result with a digest of all parameters and R.
#include <fstream>
#include <iostream>

#include "didact/didact.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/train/checkpoint.hpp"
using namespace didact;

namespace {

/// The control: overwrites the one file where it stands, as a careless program would.
struct InPlace {
    std::filesystem::path folder;

    template <class TrainerType>
    void checkpoint(TrainerType& trainer) {
        save_checkpoint(trainer, folder / "whole");
        const std::string bytes = io::read_file(folder / "whole");
        std::ofstream(folder / "step-1.checkpoint", std::ios::binary) << bytes;
    }
};

Dataset sequences(const std::string& name, std::uint64_t seed, std::size_t count) {
    Dataset data(name);
    for (std::size_t i = 0; i < count; ++i) {
        Random random({.seed = seed, .purpose = RandomPurpose::data, .sample = i});
        Sample sample;
        for (std::size_t t = 0; t < 4 + random.below(5); ++t)
            sample.token_ids.push_back(std::int32_t(random.below(30)));
        sample.labels = {std::int32_t(sample.token_ids[0] % 3)};
        data.append(sample);
    }
    return data;
}

Stream stream() {
    Stream stream;
    for (std::uint64_t e = 0; e < 2; ++e) {
        Experience experience{.name = "experience " + std::to_string(e)};
        for (std::size_t task = 0; task < 2; ++task)
            experience.tasks.push_back({.task = task,
                                        .train = sequences("train", 10 * e + task, 48),
                                        .validation = sequences("validation", 100 + task, 16),
                                        .test = sequences("test", 200 + task, 16)});
        stream.push_back(std::move(experience));
    }
    return stream;
}

}

int main(int argc, char** argv) {
    try {
        require(argc == 3, "usage: checkpoint_victim FOLDER atomic|in_place");
        const std::filesystem::path folder = argv[1];
        using TheModel = Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>>;
        TransformerConfig config;
        config.vocab_size = 30, config.hidden_size = 32, config.num_layers = 2, config.num_heads = 4;
        config.intermediate_size = 64, config.max_positions = 16, config.type_vocab_size = 2;
        TheModel model(config, 1);
        model.add_head({.name = "first", .num_labels = 3});
        model.add_head({.name = "second", .num_labels = 3});
        Trainer trainer(
            model, freeze::GradualUnfreeze{}, curriculum::Competence<difficulty::ModelLoss>{},
            sharing::UncertaintyWeighting{},
            forgetting::Both<forgetting::Replay, forgetting::OnlineEwc>{
                .first = {.capacity = 40, .batch_size = 8}, .second = {.strength = 10, .fisher_samples = 8}},
            optimizer::AdamW{.learning_rate = 1e-3});
        const TrainingOptions options{.epochs = 4, .batch_size = 8, .seed = 3, .threads = 1, .patience = 3};

        Checkpoint checkpoint({.folder = folder, .every_steps = 1});
        checkpoint.resume(trainer);
        InPlace in_place{folder};
        const TrainingResult result = std::string(argv[2]) == "atomic" ? trainer.fit(stream(), options, checkpoint)
                                                                       : trainer.fit(stream(), options, in_place);
        std::string state;
        const auto values = model.parameters().values();
        state.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
        state.append(reinterpret_cast<const char*>(result.matrix.data()), result.matrix.size() * sizeof(double));
        io::write_atomically(folder / "result", std::to_string(io::crc32c(state)) + " after " +
                                                    std::to_string(trainer.moment().step_of_run) + " steps\n");
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 2;
    }
}
