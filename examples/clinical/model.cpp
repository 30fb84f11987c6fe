#include "model.hpp"

#include "didact/data/encode.hpp"
#include "didact/io/hugging_face.hpp"
#include "didact/report/progress.hpp"

namespace clinical {

using namespace didact;

namespace {

using LanguageModel = didact::Model<Encoder<>, heads::MaskedLanguageModel>;

Pretrained weights_of(const LanguageModel& model, const TransformerConfig& config, const std::string& description) {
    Pretrained result{description, config, {}};
    const auto& store = model.parameters();
    for (const Parameter& p : store.parameters())
        result.weights[p.name].assign(store.values().begin() + std::ptrdiff_t(p.offset),
                                      store.values().begin() + std::ptrdiff_t(p.offset + p.size()));
    return result;
}

}

Pretrained load_pretrained(const std::string& folder) {
    const io::ModelConfig config = io::read_config<arch::Bert>(folder);
    LanguageModel model(config.transformer, 1);
    model.add_head({.num_labels = config.transformer.vocab_size});
    io::load_weights(model, folder);
    const std::size_t parameters = model.parameters().total_parameters();
    return weights_of(model, config.transformer,
                      folder + " (BERT, " + std::to_string(config.transformer.num_layers) + " blocks of " +
                          std::to_string(config.transformer.hidden_size) + ", " +
                          std::to_string((parameters + 500000) / 1000000) + " million parameters)");
}

Pretrained small_model(std::size_t vocab_size) {
    TransformerConfig config;
    config.vocab_size = vocab_size;
    config.hidden_size = 128;
    config.num_layers = 2;
    config.num_heads = 4;
    config.intermediate_size = 512;
    config.max_positions = 128;
    config.type_vocab_size = 2;
    config.hidden_dropout = config.attention_dropout = 0; // it underfits rather than overfits
    LanguageModel model(config, 1);
    model.add_head({.num_labels = vocab_size});
    return weights_of(model, config, "a fresh model");
}

Pretrained pretrain(const Pretrained& start, const text::WordPieceTokenizer& tokenizer,
                    const std::vector<std::string>& texts, std::size_t steps, std::size_t batch_size,
                    double learning_rate, std::size_t threads, const std::string& description) {
    LanguageModel model(start.config, 1);
    model.add_head({.num_labels = start.config.vocab_size});
    copy_weights(start, model);

    Dataset data("text");
    for (const std::string& text : texts)
        for (const Sample& piece : encode_chunks(tokenizer, text, 64)) data.append(piece);
    Masking masking;
    masking.mask_token_id = tokenizer.mask_id();
    masking.vocab_size = std::int32_t(start.config.vocab_size);
    masking.special_token_ids = {tokenizer.cls_id(), tokenizer.sep_id(), tokenizer.pad_id(), tokenizer.unk_id()};
    const Stream stream{{.name = "text", .tasks = {{.task = 0, .train = data, .masking = masking}}}};

    Trainer trainer(model, optimizer::AdamW{.learning_rate = learning_rate});
    TrainingOptions options;
    options.steps = steps;
    options.batch_size = batch_size;
    options.threads = threads;
    options.seed = 1;
    report::Progress progress;
    trainer.fit(stream, options, progress);
    return weights_of(model, start.config, description);
}

}
