/// What didact computes for the cases that transformers_parity.py writes:   parity_transformers CASE_FOLDER...
///
/// CASE_FOLDER/case.json names a model folder, a head, samples and how to train; see write_case in the script. For each
/// precision asked for, CASE_FOLDER/<precision>/ gets result.safetensors (hidden states, logits, gradients, trained
/// weights and logits), result.json (losses, learning rates, gradient norms) and saved/, the trained model.

#include <cstdio>
#include <deque>

#include "didact/didact.hpp"
#include "didact/io/hugging_face.hpp"

using namespace didact;
using Json = nlohmann::json;

namespace {

/// Tensors that are written as F64 whatever they were computed in.
class Results {
  public:
    template <class S>
    void add(std::string name, View<S> values) {
        std::vector<double>& copy = values_.emplace_back();
        for (std::size_t i = 0; i < values.rows; ++i)
            copy.insert(copy.end(), values.row(i), values.row(i) + values.cols);
        tensors_.push_back({std::move(name), {values.rows, values.cols}});
    }
    void write(const std::filesystem::path& path) const {
        io::SafetensorsWriter writer(path);
        for (std::size_t i = 0; i < values_.size(); ++i)
            writer.add(tensors_[i].name, tensors_[i].shape, std::span<const double>(values_[i]));
        writer.commit();
    }

  private:
    struct Tensor {
        std::string name;
        std::vector<std::size_t> shape;
    };
    std::vector<Tensor> tensors_;
    std::deque<std::vector<double>> values_;
};

struct Case {
    std::filesystem::path folder;
    Json json;

    std::string source() const { return (folder / "case.json").string(); }
    template <class T>
    T field(const char* name) const {
        return io::field<T>(json, name, source());
    }
    std::filesystem::path model() const { return folder / field<std::string>("model"); }

    Dataset samples() const {
        Dataset data("samples");
        for (const Json& json : field<Json>("samples"))
            data.append(
                {.token_ids = io::field<std::vector<std::int32_t>>(json, "token_ids", source()),
                 .token_type_ids = io::field_or<std::vector<std::int32_t>>(json, "token_type_ids", {}, source()),
                 .labels = io::field_or<std::vector<std::int32_t>>(json, "labels", {}, source()),
                 .values = io::field_or<std::vector<float>>(json, "values", {}, source())});
        return data;
    }
    HeadOptions head() const {
        const Json json = field<Json>("head");
        return {.num_labels = io::field_or<std::size_t>(json, "num_labels", 0, source()),
                .label_smoothing = io::field_or<double>(json, "label_smoothing", 0, source()),
                .class_weights = io::field_or<std::vector<float>>(json, "class_weights", {}, source())};
    }
};

/// Writes down what the trainer reports of each step.
struct Curve {
    Json losses = Json::array(), learning_rates = Json::array(), gradient_norms = Json::array();
    void step(const report::StepReport& report) {
        losses.push_back(report.loss);
        learning_rates.push_back(report.learning_rate);
        gradient_norms.push_back(report.gradient_norm);
    }
};

/// The logits of a pass; for language models those of the predicted positions.
template <class Model>
View<typename Model::S> logits_of(const Model& model, Context<typename Model::B>& context, const Batch& batch,
                                  typename Model::Saved& saved) {
    return model.with_head(batch.task, saved, [&](const auto& head, auto& kept) -> View<typename Model::S> {
        if constexpr (requires { kept.logits; }) {
            return kept.logits;
        } else {
            const auto out = context.scratch(kept.normed.rows, model.trunk().config().vocab_size);
            head.vocabulary().logits(context, kept.normed, out);
            return out;
        }
    });
}

template <class Model>
void add_parameters(Results& results, const std::string& prefix, const Model& model) {
    const auto& store = model.parameters();
    for (ParameterId id = 0; id < store.count(); ++id) results.add(prefix + store[id].name, store.value(id));
}

/// One pass over all samples: hidden states, logits, loss and, where parameters train, their gradients.
template <class Model>
double pass(Results& results, Engine<Model>& engine, const Batch& batch) {
    Model& model = engine.model();
    auto& store = model.parameters();
    std::fill(store.gradients().begin(), store.gradients().end(), 0);
    engine.arena().reset();
    auto context = engine.context();
    typename Model::Saved saved;
    context.every_token = true; // Transformers gives all last states, of which the head reads some
    model.forward(context, batch, saved);
    // As Transformers gives them: the last one is what the final norm, where there is one, makes of the last block's.
    for (std::size_t i = 0; i + 1 < saved.trunk.hidden.size(); ++i)
        results.add("hidden." + std::to_string(i), saved.trunk.hidden[i]);
    results.add("hidden." + std::to_string(model.trunk().num_layers()), saved.hidden);
    context.every_token = false;
    model.forward(context, batch, saved);
    results.add("logits", logits_of(model, context, batch, saved));
    const double units = model.units(batch);
    const double loss = model.loss(context, batch, saved, engine.losses_for(batch)) / units;
    model.backward(context, batch, saved, 1 / units);
    for (ParameterId id = 0; id < store.count(); ++id)
        if (store.trains(id)) results.add("gradient." + store[id].name, store.gradient(id));
    std::fill(store.gradients().begin(), store.gradients().end(), 0);
    return loss;
}

/// The loss and each parameter's gradient under `masks` draws of dropout: their means, and their variances (summed over
/// the elements of a parameter).
template <class Model>
Json under_dropout(Results& results, Engine<Model>& engine, const Batch& batch, std::size_t masks) {
    auto& store = engine.parameters();
    const double units = engine.model().units(batch);
    std::vector<double> mean(store.gradients().size()), square(mean.size());
    double loss_mean = 0, loss_square = 0;
    for (std::size_t i = 0; i < masks; ++i) {
        std::fill(store.gradients().begin(), store.gradients().end(), 0);
        const std::uint64_t key = RandomKey{.purpose = RandomPurpose::dropout, .step = i}.bits();
        const double loss = engine.add_gradient(batch, 1 / units, true, key) / units;
        loss_mean += loss / double(masks);
        loss_square += loss * loss / double(masks);
        for (std::size_t k = 0; k < mean.size(); ++k) {
            const double g = double(store.gradients()[k]);
            mean[k] += g / double(masks);
            square[k] += g * g / double(masks);
        }
    }
    std::fill(store.gradients().begin(), store.gradients().end(), 0);
    Json json{{"loss", {{"mean", loss_mean}, {"variance", loss_square - loss_mean * loss_mean}}},
              {"variance", Json::object()}};
    for (const TrainableLayout::Slice& slice : store.layout().slices) {
        double variance = 0;
        for (std::size_t k = slice.offset; k < slice.offset + slice.size; ++k)
            variance += square[k] - mean[k] * mean[k];
        json["variance"][store[slice.id].name] = variance;
        results.add("mean." + store[slice.id].name,
                    View<double>{mean.data() + slice.offset, 1, slice.size, slice.size});
    }
    return json;
}

template <class Head, class Trunk, class... Heads>
void run(const Case& the_case, Model<Trunk, Heads...>& model, const std::filesystem::path& out,
         const auto&... policies) {
    using M = Model<Trunk, Heads...>;
    model.template add_head<Head>(the_case.head());
    const io::LoadReport report = io::load_weights(model, the_case.model());
    const Json training = the_case.field<Json>("training");
    const auto number = [&](const char* name) { return io::field<double>(training, name, the_case.source()); };
    Trainer trainer(model,
                    optimizer::AdamW{.learning_rate = number("learning_rate"), .weight_decay = number("weight_decay")},
                    schedule::Linear{.warmup = number("warmup")}, policies...);
    trainer.policies().plan(model, trainer.moment());

    const Dataset data = the_case.samples();
    Batch batch;
    for (std::size_t i = 0; i < data.size(); ++i) batch.append(data, i);
    Results results;
    if (sizeof...(policies) > 0) add_parameters(results, "initial.", model);
    Json json{{"loss", pass(results, trainer.engine(), batch)}, {"missing", report.missing}, {"unused", report.unused}};

    const auto masks = io::field_or<std::size_t>(the_case.json, "masks", 0, the_case.source());
    if (masks > 0) json["under_dropout"] = under_dropout(results, trainer.engine(), batch, masks);

    Curve curve;
    const std::size_t accumulation = io::field<std::size_t>(training, "accumulation", the_case.source());
    require(accumulation > 0 && data.size() % accumulation == 0, the_case.source(), ": ", data.size(),
            " samples are not ", accumulation, " batches of one size");
    trainer.fit(data,
                {.steps = io::field<std::size_t>(training, "steps", the_case.source()),
                 .batch_size = data.size() / accumulation,
                 .accumulation = accumulation,
                 .max_gradient_norm = number("max_gradient_norm"),
                 .threads = 2},
                curve);
    json["losses"] = curve.losses;
    json["learning_rates"] = curve.learning_rates;
    json["gradient_norms"] = curve.gradient_norms;
    add_parameters(results, "trained.", model);
    io::save_pretrained(model, out / "saved");
    Engine<M> engine(model, 1);
    auto context = engine.context();
    typename M::Saved saved;
    model.forward(context, batch, saved);
    results.add("trained_logits", logits_of(model, context, batch, saved));
    results.write(out / "result.safetensors");
    io::write_json(out / "result.json", json);
}

template <class Adapter, class B>
void run_family(const Case& the_case, const std::filesystem::path& out, const auto&... policies) {
    const std::string family = the_case.field<std::string>("family");
    const std::string head = io::field<std::string>(the_case.field<Json>("head"), "problem_type", the_case.source());
    const auto run_with = [&]<class A, class... Heads>() {
        const auto config = io::read_config<A>(the_case.model());
        bool found = false;
        const auto try_head = [&]<class Head>() {
            if (head != Head::problem_type) return;
            found = true;
            Model<Transformer<A, B, Adapter>, Heads...> model(config.transformer, 1);
            run<Head>(the_case, model, out, policies...);
        };
        (try_head.template operator()<Heads>(), ...);
        require(found, the_case.source(), ": a ", A::model_type, " model has no head '", head, "'");
    };
    using heads::Pooling;
    constexpr bool adapted = sizeof...(policies) > 0;
    if (family == "gpt2") {
        if constexpr (adapted)
            run_with.template operator()<arch::Gpt2, heads::CausalLanguageModel>();
        else
            run_with.template
            operator()<arch::Gpt2, heads::CausalLanguageModel, heads::SequenceClassification<Pooling::last_token>>();
    } else if constexpr (adapted) {
        run_with.template operator()<arch::Bert, heads::SequenceClassification<>>();
    } else {
        run_with.template
        operator()<arch::Bert, heads::SequenceClassification<>, heads::MultiLabelClassification<>, heads::Regression<>,
                   heads::TokenClassification, heads::Span, heads::MaskedLanguageModel>();
    }
}

void run_case(const std::filesystem::path& folder) {
    const Case the_case{folder, io::read_json(folder / "case.json")};
    for (const std::string& precision : the_case.field<std::vector<std::string>>("precisions")) {
        const std::filesystem::path out = folder / precision;
        io::make_folder(out);
        if (the_case.json.contains("lora")) {
            const Json lora = the_case.field<Json>("lora");
            run_family<adapters::Lora, Cpu<double>>(
                the_case, out,
                freeze::Lora{.rank = io::field<std::size_t>(lora, "rank", the_case.source()),
                             .alpha = io::field<double>(lora, "alpha", the_case.source()),
                             .targets = io::field<std::vector<std::string>>(lora, "targets", the_case.source())});
        } else if (precision == "float64") {
            run_family<nn::NoAdapter, Cpu<double>>(the_case, out);
        } else {
            run_family<nn::NoAdapter, Cpu<float>>(the_case, out);
        }
    }
}

}

int main(int argc, char** argv) {
    if (argc < 2) return std::fputs("usage: parity_transformers CASE_FOLDER...\n", stderr), 2;
    try {
        for (int i = 1; i < argc; ++i) run_case(argv[i]);
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
