#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

#include <sys/resource.h>

#include "../io/scratch.hpp"
#include "didact/io/atomic_file.hpp"
#include "small_models.hpp"

namespace prefix_cache_file_test {

using namespace didact;

namespace {

using F = Cpu<float>;

const Dataset data = small::sentences("data", 18, 3, 1);

struct Outcome {
    AlignedVector<float> values;
    std::size_t samples = 0;
    std::string failure;
};

/// Trains the last block and the head, with the states of the rest in `folder`.
Outcome trained(const std::string& folder, std::uint64_t model_seed = 3) {
    small::BertModel<F> model(small::config(0.1), model_seed);
    model.add_head({.num_labels = 3});
    Trainer trainer(model, freeze::Prefix{.layers = 2}, optimizer::AdamW{.learning_rate = 1e-2});
    trainer.fit(data, {.epochs = 2, .batch_size = 5, .seed = 1, .threads = 1, .prefix_cache = folder});
    const auto& cache = trainer.engine().prefix_cache();
    return {small::values_of(model), cache.samples(), cache.failure()};
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
    return files;
}

void change_byte(const std::filesystem::path& path, std::uint64_t place) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(std::streamoff(place));
    const char byte = char(file.get());
    file.seekp(std::streamoff(place));
    file.put(char(byte ^ 64));
}

}

TEST_SUITE("unit") {

    TEST_CASE("states of a frozen prefix that are kept in a folder give the same bits, and the next run finds them") {
        const ScratchFolder folder;
        const AlignedVector<float> expected = trained({}).values;
        const Outcome first = trained(folder.path);
        CHECK(first.values == expected);
        CHECK(first.samples == data.size());
        CHECK(first.failure == "");
        const auto files = files_of(folder.path);
        REQUIRE(files.size() == 1);
        const std::string bytes = io::read_file(files[0]);
        CHECK(trained(folder.path).values == expected);
        CHECK(io::read_file(files[0]) == bytes);

        // That they come from there shows in the result where they are others.
        PrefixCacheFile<float> file(files[0], small::config().hidden_size);
        CHECK(file.samples() == data.size());
        std::filesystem::remove(files[0]);
        PrefixCacheFile<float> another(files[0], small::config().hidden_size);
        Batch batch = small::batch_of(data);
        small::BertModel<F> model(small::config(), 3);
        PrefixCache<F> cache;
        cache.keep_in(folder.path);
        cache.begin(model.trunk(), model.parameters(), 3);
        const std::vector<float> zeros(16 * small::config().hidden_size);
        for (std::size_t s = 0; s < data.size(); ++s)
            cache.store(batch, s, {zeros.data(), data.length(s), small::config().hidden_size});
        CHECK(trained(folder.path).values != expected);
    }

    TEST_CASE("what a crash cut off or a disk damaged is computed again") {
        const ScratchFolder folder;
        const AlignedVector<float> expected = trained(folder.path).values;
        const std::filesystem::path path = files_of(folder.path).at(0);
        const std::string whole = io::read_file(path);

        std::filesystem::resize_file(path, whole.size() - 5);
        CHECK(PrefixCacheFile<float>(path, small::config().hidden_size).samples() == data.size() - 1);
        CHECK(trained(folder.path).values == expected);
        CHECK(std::filesystem::file_size(path) == whole.size());

        change_byte(path, whole.size() - 5); // in the states of the last sequence
        CHECK(trained(folder.path).values == expected);
        CHECK(std::filesystem::file_size(path) > whole.size());
        const Outcome again = trained(folder.path);
        CHECK(again.values == expected);
        CHECK(again.samples == data.size());

        change_byte(path, 40); // the first record: nothing after it can be found
        CHECK(PrefixCacheFile<float>(path, small::config().hidden_size).samples() == 0);
        CHECK(trained(folder.path).values == expected);
        CHECK(std::filesystem::file_size(path) == whole.size());
    }

    TEST_CASE("frozen prefixes of other weights have other files") {
        const ScratchFolder folder;
        trained(folder.path, 3);
        trained(folder.path, 4);
        CHECK(files_of(folder.path).size() == 2);
        CHECK(trained(folder.path, 4).values == trained({}, 4).values);
        CHECK(files_of(folder.path).size() == 2);
    }

    TEST_CASE("two runs may write to one file of states") {
        const ScratchFolder folder;
        const std::filesystem::path path = folder.path / "states";
        PrefixCacheFile<float> a(path, 4), b(path, 4);
        const std::vector<float> states(12, 1.5f);
        a.store(1, {states.data(), 3, 4});
        b.store(2, {states.data(), 2, 4});
        b.store(1, {states.data(), 3, 4});
        a.store(3, {states.data(), 1, 4});
        PrefixCacheFile<float> both(path, 4);
        CHECK(both.samples() == 3);
        std::vector<float> read(8);
        CHECK(both.load(2, {read.data(), 2, 4}));
        CHECK(read == std::vector<float>(8, 1.5f));
        CHECK(!both.load(2, {read.data(), 1, 4}));
        CHECK(!both.load(4, {read.data(), 1, 4}));
    }

    TEST_CASE("what a crash cut off of another run's sequence is dropped before the next one is appended") {
        const ScratchFolder folder;
        const std::filesystem::path path = folder.path / "states";
        PrefixCacheFile<float> a(path, 4);
        const std::vector<float> states(12, 1.5f), others(12, 2.5f);
        a.store(1, {states.data(), 3, 4});
        const std::string one = io::read_file(path);
        std::string fragment;
        {
            PrefixCacheFile<float> b(path, 4);
            b.store(2, {others.data(), 3, 4});
            fragment = io::read_file(path).substr(one.size(), 40);
        }
        std::filesystem::resize_file(path, one.size() + fragment.size());
        a.store(3, {states.data(), 3, 4});
        CHECK(std::filesystem::file_size(path) == one.size() + (one.size() - 40));
        PrefixCacheFile<float> c(path, 4);
        CHECK(c.samples() == 2);
        c.store(2, {others.data(), 3, 4});
        a.store(4, {states.data(), 3, 4});
        std::vector<float> read(12);
        CHECK(a.samples() == 4);
        for (const std::uint64_t sequence : {1, 2, 3, 4}) {
            CAPTURE(sequence);
            CHECK(a.load(sequence, {read.data(), 3, 4}));
            CHECK(read == (sequence == 2 ? others : states));
        }
        CHECK(PrefixCacheFile<float>(path, 4).samples() == 4);
    }

    TEST_CASE("a folder or file for states that cannot be is an error that names it") {
        const ScratchFolder folder;
        const std::filesystem::path path = folder.path / "file";
        std::ofstream(path) << "something else that is longer than the head of such a file";
        CHECK(error_of([&] { trained(path); }, folder.path).ends_with(".states: cannot be opened: Not a directory"));
        CHECK(error_of([&] { PrefixCacheFile<float>(path, 12); }, folder.path) ==
              "file: this is not a file of hidden states of 12 numbers of 4 bytes");
        CHECK(error_of([&] { PrefixCacheFile<float>(folder.path / "none" / "file", 12); }, folder.path) ==
              "none/file: cannot be opened: No such file or directory");
    }

    TEST_CASE("where the disk is full a run goes on with what the file has") {
        const ScratchFolder folder;
        const AlignedVector<float> expected = trained({}).values;
        struct rlimit before;
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
        std::signal(SIGXFSZ, SIG_IGN);
        struct rlimit little = before;
        little.rlim_cur = 2000;
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &little) == 0);
        const Outcome outcome = trained(folder.path);
        ::setrlimit(RLIMIT_FSIZE, &before);
        std::signal(SIGXFSZ, SIG_DFL);
        CHECK(outcome.values == expected);
        CHECK(outcome.samples > 0);
        CHECK(outcome.samples < data.size());
        CHECK(outcome.failure == files_of(folder.path).at(0).string() + ": cannot be written: File too large");
        CHECK(trained(folder.path).samples == data.size());
    }
}

}
