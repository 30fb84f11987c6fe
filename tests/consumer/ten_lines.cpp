#include <didact/didact.hpp>
using namespace didact;

int main() {
    Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>> model(
        TransformerConfig{.vocab_size = 30,
                          .hidden_size = 32,
                          .num_layers = 2,
                          .num_heads = 4,
                          .intermediate_size = 64,
                          .type_vocab_size = 2});
    model.add_head({.labels = {"even", "odd"}});
    Dataset train("numbers");
    for (std::int32_t i = 0; i < 30; ++i) train.append({.token_ids = {i}, .labels = {i % 2}});
    Trainer trainer(model, freeze::Prefix{.layers = 1}, curriculum::Competence<difficulty::Length>{});
    return trainer.fit(train, {.epochs = 2}).finished ? 0 : 1;
}
