#include <doctest/doctest.h>

#include "../model/small_models.hpp"

namespace archive_test {

using namespace didact;

namespace {

enum class Colour : std::uint8_t { red, blue };

struct Inner {
    int a = 0;
    std::string b = {};
    void serialize(Archive& archive) {
        archive("a", a);
        archive("b", b);
    }
    friend bool operator==(const Inner&, const Inner&) = default;
};

struct Everything {
    bool flag = false;
    double number = 0;
    Colour colour = Colour::red;
    std::string text = {};
    std::vector<std::int32_t> list = {};
    AlignedVector<float> aligned = {};
    Inner inner = {};
    std::vector<Inner> inners = {};
    Sample sample = {};
    std::array<double, 3> fixed = {};

    void serialize(Archive& archive) {
        archive("flag", flag);
        archive("number", number);
        archive("colour", colour);
        archive("text", text);
        archive("list", list);
        archive("aligned", aligned);
        archive("inner", inner);
        archive("inners", inners);
        archive("sample", sample);
        archive("fixed", std::span<double>(fixed));
    }
};

Everything example() {
    return {.flag = true,
            .number = -0.1,
            .colour = Colour::blue,
            .text = std::string("a\0b", 3),
            .list = {1, -2, 3},
            .aligned = {0.5f, 2.5f},
            .inner = {7, "seven"},
            .inners = {{1, "one"}, {2, ""}},
            .sample = {.token_ids = {4, 5},
                       .token_type_ids = {0, 1},
                       .features = {},
                       .labels = {2},
                       .values = {1.5f},
                       .difficulty = 0.25f},
            .fixed = {1, 2, 3}};
}

std::string error_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}

TEST_SUITE("unit") {

    TEST_CASE("what an archive wrote it reads back, of every kind of value") {
        Everything written = example();
        Archive out;
        written.serialize(out);
        CHECK(!out.reading());
        Everything read;
        Archive in(out.bytes(), "memory");
        CHECK(in.reading());
        read.serialize(in);
        in.finish();
        CHECK(read.flag == written.flag);
        CHECK(read.number == written.number);
        CHECK(read.colour == written.colour);
        CHECK(read.text == written.text);
        CHECK(read.list == written.list);
        CHECK(read.aligned == written.aligned);
        CHECK(read.inner == written.inner);
        CHECK(read.inners == written.inners);
        CHECK(read.sample.token_ids == written.sample.token_ids);
        CHECK(read.sample.token_type_ids == written.sample.token_type_ids);
        CHECK(read.sample.labels == written.sample.labels);
        CHECK(read.sample.values == written.sample.values);
        CHECK(read.sample.difficulty == written.sample.difficulty);
        CHECK(read.fixed == written.fixed);

        Archive again;
        read.serialize(again);
        CHECK(again.bytes() == out.bytes());
    }

    TEST_CASE("an archive that ends anywhere too early is an error that names the source") {
        Everything written = example();
        Archive out;
        written.serialize(out);
        for (std::size_t size = 0; size < out.bytes().size(); ++size) {
            Everything read;
            Archive in(out.bytes().substr(0, size), "state.bin");
            CHECK(contains(error_of([&] { read.serialize(in); }), "state.bin: "));
        }
    }

    TEST_CASE("an archive with any byte changed is read to its end or refused with an error that names the source") {
        Everything written = example();
        Archive out;
        written.serialize(out);
        std::size_t refused = 0;
        for (std::size_t at = 0; at < out.bytes().size(); ++at)
            for (const int change : {0x01, 0x02, 0x80, 0xff}) {
                std::string bytes = out.bytes();
                bytes[at] = char(bytes[at] ^ change);
                Everything read;
                const std::string message = error_of([&] {
                    Archive in(bytes, "state.bin");
                    read.serialize(in);
                    in.finish();
                });
                if (message == "no error") continue;
                ++refused;
                CHECK((message.starts_with("state.bin: ") || contains(message, "overflow")));
            }
        CHECK(refused > 2 * out.bytes().size()); // names, kinds and counts; changed numbers are numbers too
    }

    TEST_CASE("an entry of another name, kind or size is an error that says what was expected where") {
        Archive out;
        std::vector<double> values{1, 2};
        out("values", values);
        const auto reading = [&](const auto& call) {
            return error_of([&] {
                Archive in(out.bytes(), "run.bin");
                call(in);
            });
        };
        CHECK(contains(reading([](Archive& in) {
                           std::vector<double> other;
                           in("weights", other);
                       }),
                       "run.bin: entry 'weights' was expected at byte 0, found '?values"));
        CHECK(contains(reading([](Archive& in) {
                           std::vector<float> other;
                           in("values", other);
                       }),
                       "entry 'values' was expected at byte 0"));
        CHECK(contains(reading([](Archive& in) {
                           double other = 0;
                           in("values", other);
                       }),
                       "entry 'values' was expected at byte 0"));
        CHECK(reading([](Archive& in) {
                  std::array<double, 3> other;
                  in("values", std::span<double>(other));
              }) == "run.bin: entry 'values' has 2 elements, the run has 3");
        CHECK(reading([](Archive& in) { in.finish(); }) ==
              "run.bin: " + std::to_string(out.bytes().size()) + " bytes are left over");
    }

    TEST_CASE("a count larger than the rest of the archive is refused before anything is allocated") {
        Archive out;
        std::vector<double> values{1, 2};
        out("values", values);
        for (const std::uint64_t count : {std::uint64_t(3), std::uint64_t(1) << 40, ~std::uint64_t(0)}) {
            std::string bytes = out.bytes();
            std::memcpy(bytes.data() + bytes.size() - 24, &count, 8);
            const std::string message = error_of([&] {
                Archive in(bytes, "run.bin");
                std::vector<double> read;
                in("values", read);
            });
            CAPTURE(message);
            CHECK((contains(message, "run.bin: entry 'values' says " + std::to_string(count) + " elements") ||
                   contains(message, "overflow")));
        }
    }

    TEST_CASE("a trainer's state of another model is refused") {
        small::MlpModel<Cpu<float>> model(small::mlp_config()), other(small::mlp_config());
        model.add_head({.num_labels = 3});
        other.add_head({.num_labels = 4});
        Trainer trainer(model), reader(other);
        trainer.fit(small::vectors("train", 8, 5, 3, 1), {.epochs = 1, .batch_size = 4});
        Archive out;
        trainer.serialize(out);
        // Padded to whole cache lines both heads are as large, so sizes alone would not tell.
        CHECK(error_of([&] {
                  Archive in(out.bytes(), "other.bin");
                  reader.serialize(in);
              }) ==
              "other.bin: parameter 'classifier.weight' is (3, 7), the model has 'classifier.weight' of (4, 7) in "
              "its place");
        other.add_head({.num_labels = 2});
        CHECK(error_of([&] {
                  Archive in(out.bytes(), "other.bin");
                  reader.serialize(in);
              }) == "other.bin: 6 parameters, the model has 8");
    }
}

}
