#include <doctest/doctest.h>

#include "small_files.hpp"

#include "../io/scratch.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/report/tensorboard.hpp"

#include <cstring>
#include <vector>

namespace tensorboard_test {

using namespace didact;
using namespace didact::report;

namespace {

std::uint64_t little_endian(const std::string& bytes, std::size_t at, int count) {
    std::uint64_t value = 0;
    for (int i = 0; i < count; ++i) value |= std::uint64_t(static_cast<unsigned char>(bytes.at(at + i))) << 8 * i;
    return value;
}

/// The data of a file's records, whose frames are checked.
std::vector<std::string> records_of(const std::filesystem::path& path) {
    const std::string bytes = io::read_file(path);
    std::vector<std::string> records;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t length = little_endian(bytes, at, 8);
        CHECK(little_endian(bytes, at + 8, 4) == masked_crc32c(bytes.substr(at, 8)));
        records.push_back(bytes.substr(at + 12, length));
        REQUIRE(records.back().size() == length);
        CHECK(little_endian(bytes, at + 12 + length, 4) == masked_crc32c(records.back()));
        at += length + 16;
    }
    return records;
}

}

TEST_SUITE("unit") {
    TEST_CASE("a record's checksum is rotated and shifted") {
        const std::uint32_t rotated = masked_crc32c("123456789") - 0xA282EAD8u;
        CHECK((rotated >> 17 | rotated << 15) == didact::io::crc32c("123456789"));
    }

    TEST_CASE("protocol buffers: the bytes are those of the encoding's specification") {
        ProtobufMessage message;
        message.varint(1, 150); // the specification's own example: 08 96 01
        CHECK(message.bytes() == "\x08\x96\x01");
        ProtobufMessage outer;
        outer.message(3, message); // 1a 03 08 96 01
        outer.text(2, "testing");
        CHECK(outer.bytes() == "\x1a\x03\x08\x96\x01\x12\x07testing");
        ProtobufMessage numbers;
        numbers.fixed64(1, 1.0);
        numbers.fixed32(2, -2.0f);
        CHECK(numbers.bytes() == std::string("\x09\0\0\0\0\0\0\xf0\x3f\x15\0\0\0\xc0", 14));
        ProtobufMessage large;
        large.varint(1, ~std::uint64_t(0));
        CHECK(large.bytes() == "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    }

    TEST_CASE("TensorBoard: the file begins with its version, then the start of the session, then the scalars") {
        const ScratchFolder folder;
        TensorBoard board(folder.path / "deep" / "er");
        board.step({.step = 1, .tokens = 100, .loss = 0.5, .seconds = 1});
        board.epoch({.split = "validation", .metrics = {{"accuracy", 0.75}}, .seconds = 2});
        board.finish();
        CHECK(board.path().parent_path() == folder.path / "deep" / "er");
        CHECK(board.path().filename().string().find("tfevents") != std::string::npos);
        const auto records = records_of(board.path());
        REQUIRE(records.size() == 4);
        // Each event: wall time (9 bytes), step (2 bytes), content.
        CHECK(records[0].substr(9) == std::string("\x10\0\x1a\x0d"
                                                  "brain.Event:2",
                                                  17));
        CHECK(records[1].substr(9) == std::string("\x10\x01\x3a\x02\x08\x01", 6));
        CHECK(records[2].find(std::string("\x0a\x0atrain/loss\x15\0\0\0\x3f", 17)) != std::string::npos);
        CHECK(records[2].find("tokens_per_second") == std::string::npos); // one moment says no speed
        CHECK(records[3].substr(9) == std::string("\x10\x01\x2a\x1c\x0a\x1a\x0a\x13") + "validation/accuracy" +
                                          std::string("\x15\0\0\x40\x3f", 5));
    }

    TEST_CASE("TensorBoard: two objects write two files, and the names keep their order") {
        const ScratchFolder folder;
        const TensorBoard first(folder.path), second(folder.path);
        CHECK(first.path() != second.path());
        CHECK(first.path().filename() < second.path().filename());
    }

    TEST_CASE("TensorBoard: a disk that fills up and a folder that cannot be are errors with the file's name") {
        const ScratchFolder folder;
        TensorBoard board(folder.path);
        const std::string full = [&] {
            const SmallFiles limit(1000);
            return error_of([&] {
                for (std::size_t step = 1; step < 100; ++step) board.step({.step = step, .seconds = double(step)});
            });
        }();
        CHECK(full.rfind(board.path().string() + ": cannot be written: ", 0) == 0);

        AppendFile(folder.path / "file").close();
        CHECK(error_of([&] { TensorBoard inside(folder.path / "file"); }).rfind((folder.path / "file").string(), 0) ==
              0);
        if (std::filesystem::exists("/proc/self")) // which refuses new files, even to root
            CHECK(error_of([] { TensorBoard board("/proc"); }).rfind("/proc/events.out.tfevents.", 0) == 0);
    }
}

}
