// Counts what a training step takes from the heap. Prints a line for each setting and fails where a step that had a
// shape known from before took anything. In a program of its own, for it replaces operator new.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "../model/small_models.hpp"

namespace {

std::atomic<std::size_t> taken{0};

void* take(std::size_t size, std::size_t alignment) {
    ++taken;
    void* const p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (!p) throw std::bad_alloc();
    return p;
}

}

// The other forms call these. Inlined, they would look to g++ like a mismatch of malloc and delete.
[[gnu::noinline]] void* operator new(std::size_t size) { return take(size, alignof(std::max_align_t)); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
    return take(size, std::size_t(alignment));
}
// Where a sanitizer brings an operator of its own for this form, it would not call the first.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return take(size, alignof(std::max_align_t));
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
[[gnu::noinline]] void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

using namespace didact;

namespace {

bool all_well = true;

/// Sentences of one length, so that all steps have the same shape.
Dataset sentences(std::uint64_t seed) {
    const Dataset ragged = small::sentences("train", 400, 3, seed);
    Dataset data("train");
    for (std::size_t i = 0; i < ragged.size() && data.size() < 32; ++i)
        if (ragged.length(i) == 7) data.append(ragged.sample(i));
    return data;
}

/// Counts from one step to the next, within the epochs and experiences after the first.
struct Count {
    std::size_t before = 0, least_experience = 0, most = 0, steps = 0;
    std::size_t last_epoch = 0, last_experience = 0;
    void step(const report::StepReport& report) {
        const bool same = report.epoch == last_epoch && report.experience == last_experience;
        // The first epoch of a setting meets its shapes, and fills caches.
        if (same && report.epoch > 0 && report.experience >= least_experience) {
            most = std::max(most, taken.load() - before);
            ++steps;
        }
        last_epoch = report.epoch;
        last_experience = report.experience;
        before = taken.load();
    }
};

template <class Model, class... Policies>
void check(const char* name, Model&& model, std::size_t heads, const Policies&... policies) {
    for (std::size_t t = 0; t < heads; ++t) model.add_head({.num_labels = 3});
    Trainer trainer(model, policies...);
    Stream stream;
    for (const std::uint64_t seed : {1u, 2u}) {
        stream.push_back({.name = std::to_string(seed)});
        for (std::size_t t = 0; t < heads; ++t)
            stream.back().tasks.push_back({.task = t, .train = sentences(seed + 10 * t)});
    }
    Count count{.least_experience = 1};
    // One thread, for a second one takes its scratch memory when it first gets a tile, and that is up to the scheduler.
    trainer.fit(stream, {.epochs = 3, .batch_size = 4 * heads, .accumulation = 2, .threads = 1}, count);
    std::printf("%-24s %zu steps, at most %zu allocations in one\n", name, count.steps, count.most);
    if (count.most > 0 || count.steps == 0) all_well = false;
}

template <class Adapter = nn::NoAdapter>
auto bert() {
    return small::BertModel<Cpu<float>, Adapter>(small::config(0.1), 3);
}

}

int main() {
    check("plain", bert(), 1);
    check("SGD", bert(), 1, optimizer::Sgd{.momentum = 0.9});
    check("GPT-2", Model<Transformer<arch::Gpt2, Cpu<float>>, heads::CausalLanguageModel>(small::config(0.1)), 1);
    check("freeze::Prefix", bert(), 1, freeze::Prefix{.layers = 1});
    check("freeze::Discriminative", bert(), 1, freeze::Discriminative{});
    check("freeze::L2Sp", bert(), 1, freeze::L2Sp{});
    check("freeze::Lora", bert<adapters::Lora>(), 1, freeze::Lora{.dropout = 0.1});
    check("curriculum::Competence", bert(), 1, curriculum::Competence<>{});
    check("curriculum::Mastery", bert(), 1, curriculum::Mastery<>{});
    check("two tasks", bert(), 2);
    check("sharing::Hard", bert(), 2, sharing::Hard{.exponent = 0.5});
    check("sharing::Uncertainty", bert(), 2, sharing::UncertaintyWeighting{});
    check("sharing::Pcgrad", bert(), 2, sharing::Pcgrad{});
    check("sharing::CrossStitch",
          Model<CrossStitch<Transformer<arch::Bert, Cpu<float>>>, heads::SequenceClassification<>>(
              CrossStitchConfig{.transformer = small::config(0.1)}),
          2, sharing::CrossStitch{});
    check("forgetting::Replay", bert(), 1, forgetting::Replay{.batch_size = 4});
    check("forgetting::OnlineEwc", bert(), 1, forgetting::OnlineEwc{});
    check("forgetting::LwF", bert(), 1, forgetting::LearningWithoutForgetting{});
    check("forgetting::AveragedGem", bert(), 1, forgetting::AveragedGem{.batch_size = 4});
    return all_well ? 0 : 1;
}
