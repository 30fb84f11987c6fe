#include <didact/pretrained.hpp>
using namespace didact;

int main() {
    const text::WordPieceTokenizer tokenizer = text::load_tokenizer("minilm"); // a Hugging Face folder
    const Table table = read_table("train.tsv");                               // with columns "text" and "label"
    const LabelSet labels = labels_of(table);
    Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>> model(
        io::read_config<arch::Bert>("minilm").transformer);
    model.add_head({.labels = labels.names()});
    io::load_weights(model, "minilm");
    Trainer trainer(model, freeze::Prefix{.layers = 3}, curriculum::Competence<difficulty::Length>{});
    trainer.fit(encode_classification(tokenizer, table, labels), {.epochs = 3, .batch_size = 32});
    io::save_pretrained(model, "trained"); // which Python's Transformers opens
    text::save_tokenizer("trained", tokenizer);
}
