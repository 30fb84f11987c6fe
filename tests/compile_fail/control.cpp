#include "didact/didact.hpp"

using namespace didact;

/// A strategy of each family with every hook in its right form: what the other files here get wrong.
struct Freezes {
    static constexpr Family family = Family::freeze;
    template <class Model>
    struct State {
        State(const Freezes&, const Model&) {}
        void plan(Model&, const Moment&) {}
        typename Model::S penalty(std::size_t, typename Model::S) const { return 0; }
        bool epoch_done(Model&, const Moment&, std::optional<double>) { return false; }
    };
};
struct Chooses {
    static constexpr Family family = Family::curriculum;
    template <class Model>
    struct State {
        State(const Chooses&, const Model&) {}
        void select(const Dataset&, std::size_t, const Moment&, std::span<std::uint32_t>) {}
        void weigh_samples(const Dataset&, std::size_t, const Moment&, std::span<const std::uint32_t>,
                           std::span<float>) {}
        void observe(const Batch&, std::span<const float>, const Moment&) {}
    };
};
struct Shares {
    static constexpr Family family = Family::sharing;
    template <class Model>
    struct State {
        State(const Shares&, const Model&) {}
        void mix(std::span<const std::size_t>, const Moment&, std::span<std::size_t>) {}
        void weigh_groups(std::span<const StepGroup>, std::span<double>, const Moment&) {}
        void weigh_losses(std::span<const StepGroup>, std::span<double>, const Moment&) {}
        void losses_known(std::span<const StepGroup>, const Moment&) {}
        void combine(const GramMatrix&, const Moment&, std::span<double>) {}
        void step_done(Model&, const Moment&) {}
    };
};
struct Keeps {
    static constexpr Family family = Family::forgetting;
    template <class Model>
    struct State {
        using S = typename Model::S;
        State(const Keeps&, const Model&) {}
        void experience_began(Engine<Model>&, const Experience&, const Moment&) {}
        void rehearse(StepBatches&, const Moment&) {}
        double distil(Engine<Model>&, const Batch&, typename Model::Saved&, const StepGroup&, View<S>, const Moment&) {
            return 0;
        }
        void project(Engine<Model>&, const Moment&) {}
        void accumulate(std::size_t, S, S, S) {}
        void experience_ended(Engine<Model>&, const Experience&, const Moment&) {}
        void layout_changed(const TrainableLayout&, const TrainableLayout&) {}
        void serialize(Archive&) {}
    };
};
struct Falls {
    static constexpr Family family = Family::schedule;
    double factor(std::size_t step, std::size_t total) const { return 1 - double(step) / double(total); }
};
struct Listens {
    void step(const report::StepReport&) {}
};

using M = Model<Transformer<arch::Bert, Cpu<float>>, heads::SequenceClassification<>, heads::TokenClassification>;

void right(M& model, const Dataset& data) {
    Listens listens;
    model.add_head<heads::TokenClassification>({.num_labels = 3});
    Trainer(model).fit(data, data);
    Trainer(model, Falls{}, Keeps{}, Freezes{}, Shares{}, Chooses{}).fit(data, TrainingOptions{}, listens);
    Trainer(model, forgetting::Both<Keeps, forgetting::OnlineEwc>{}, optimizer::Sgd{}).fit(data);
}
