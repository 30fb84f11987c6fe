#include <iostream>

#include "didact/io/json.hpp"
#include "didact/text/tokenizer_json.hpp"
#include "job.hpp"
#include "strategies.hpp"

/// Fine-tunes a pretrained transformer on a labelled file: finetune --help.
/// Ends with 0, with 2 where a flag or a file is wrong, with 1 where training failed, with 130 where it was
/// interrupted.
int main(int argc, char** argv) {
    using namespace finetune;
    bool training = false;
    try {
        const Options options = parse(argc, argv);
        const auto config = didact::io::read_config<didact::arch::Bert>(options.model);
        const auto tokenizer = didact::text::load_tokenizer(options.model);
        didact::require(options.max_length <= config.transformer.max_positions, "--max-length ", options.max_length,
                        ": the model has ", config.transformer.max_positions, " positions");
        didact::require(tokenizer.size() <= config.transformer.vocab_size, options.model, ": the tokenizer has ",
                        tokenizer.size(), " tokens, the model a vocabulary of ", config.transformer.vocab_size);
        const bool pairs = options.task == "span" || !options.second_text_column.empty();
        didact::require(!pairs || config.transformer.type_vocab_size > 1, options.model, ": the model has ",
                        config.transformer.type_vocab_size, " token types, pairs of texts need two");
        const Job job{options, config, tokenizer, training};
        const bool bf16 = options.precision == "bf16";
        std::optional<nlohmann::ordered_json> result = bf16 ? run_bf16(job) : run_whole(job);
        if (!result && !bf16) result = run_partly_frozen(job);
        didact::require(result.has_value(),
                        unknown("--freeze", options.freeze, bf16 ? names(Bf16Table{}) : freeze_names()),
                        of_precision(options));
        if (options.json == "-" || options.json.empty())
            std::cout << result->dump(options.json.empty() ? 2 : -1) << std::endl;
        else
            didact::io::write_json(options.json, *result);
        didact::require(bool(std::cout), "standard output cannot be written");
        return 0;
    } catch (const std::exception& error) {
        // One line, whatever is quoted in it.
        std::cerr << "finetune: " << didact::excerpt(error.what(), std::string::npos) << '\n';
        return interrupted ? 130 : training ? 1 : 2;
    }
}
