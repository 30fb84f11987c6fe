#include "run.hpp"
#include "strategies.hpp"

/// Fine-tunes a pretrained transformer on a labelled file: finetune --help.
/// Ends with 0, with 2 where a flag or a file is wrong, with 1 where training failed, with 130 where it was
/// interrupted.
int main(int argc, char** argv) {
    using namespace finetune;
    int failure = 2;
    try {
        const Options options = parse(argc, argv);
        const auto config = didact::io::read_config<didact::arch::Bert>(options.model);
        const auto tokenizer = didact::text::load_tokenizer(options.model);
        didact::require(options.max_length <= config.transformer.max_positions, "--max-length ", options.max_length,
                        ": the model has ", config.transformer.max_positions, " positions");
        nlohmann::ordered_json result;
        choose("--freeze", options.freeze, FreezeTable{}, [&](const auto& freeze) {
            choose("--curriculum", options.curriculum, CurriculumTable{}, [&](const auto& curriculum) {
                const Task task = read_task(options, tokenizer);
                if (!options.quiet)
                    for (const std::string& note : task.notes) std::cerr << "finetune: " << note << '\n';
                failure = 1;
                std::signal(SIGINT, [](int) { interrupted = 1; });
                result = run(options, config, tokenizer, task, freeze, curriculum);
            });
        });
        if (options.json == "-" || options.json.empty())
            std::cout << result.dump(options.json.empty() ? 2 : -1) << std::endl;
        else
            didact::io::write_json(options.json, result);
        didact::require(bool(std::cout), "standard output cannot be written");
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "finetune: " << error.what() << '\n';
        return interrupted ? 130 : failure;
    }
}
