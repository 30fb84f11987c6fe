#include "didact/didact.hpp"
#include "didact/io/hugging_face.hpp"
#include "didact/text/tokenizer_save.hpp"
#include "didact/text/vocabulary.hpp"

/// make_small_model FOLDER TEXT...: a Hugging Face folder with a fresh BERT of 2 blocks of 16, and a vocabulary that
/// is trained on the texts.
int main(int argc, char** argv) {
    using namespace didact;
    const std::vector<std::string> texts(argv + 2, argv + argc);
    const text::WordPieceTokenizer tokenizer(text::train_wordpiece(texts, {.vocab_size = 200}));
    const TransformerConfig config{.vocab_size = tokenizer.size(),
                                   .hidden_size = 16,
                                   .num_layers = 2,
                                   .num_heads = 2,
                                   .intermediate_size = 32,
                                   .max_positions = 48,
                                   .type_vocab_size = 2,
                                   .initializer_range = 0.2};
    Model<Transformer<arch::Bert, Cpu<float>>, heads::MaskedLanguageModel> model(config, 1);
    model.add_head({.num_labels = config.vocab_size});
    io::save_pretrained(model, argv[1]);
    text::save_tokenizer(argv[1], tokenizer);
}
