#include <doctest/doctest.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <sys/resource.h>

#include "didact/io/safetensors.hpp"
#include "didact/io/safetensors_folder.hpp"
#include "didact/io/safetensors_writer.hpp"

#include "scratch.hpp"

namespace safetensors_test {

using namespace didact;
using namespace didact::io;

namespace {

/// A safetensors file put together by hand: the length of the header, the header, `data` zero bytes.
std::string file_of(std::string_view header, std::size_t data) {
    const std::uint64_t length = header.size();
    std::string bytes(reinterpret_cast<const char*>(&length), 8);
    return bytes.append(header).append(data, '\0');
}

/// What opening a file of these bytes says.
std::string opening(std::string_view bytes) {
    const ScratchFolder folder;
    const auto path = folder.file("m", bytes);
    return error_of([&] { Safetensors file(path); }, folder.path);
}

std::string header_said(std::string_view header, std::size_t data) { return opening(file_of(header, data)); }

}

TEST_SUITE("unit") {

    TEST_CASE("tensors that were written are read back, in every type, with shapes and metadata") {
        const ScratchFolder folder;
        const auto path = folder.path / "model.safetensors";
        const std::vector<float> weight = {1.5f, -2, 0, 4, 5, 6}, bias = {0.25f, -3};
        const std::vector<double> exact = {1e300, -1e-300};
        const std::vector<std::int64_t> ids = {0, -7, 1LL << 40};
        const std::vector<std::uint8_t> bytes = {0, 255};
        const float scalar = 42;
        {
            SafetensorsWriter writer(path, {{"format", "pt"}, {"note", "caf\u00e9 \"1\""}});
            writer.add("weight", {2, 3}, weight);
            writer.add("half", {2}, bias, Dtype::F16);
            writer.add("brain", {1, 2}, bias, Dtype::BF16);
            writer.add("widened", {2}, bias, Dtype::F64);
            writer.add("exact", {2}, exact);
            writer.add("ids", {3}, ids);
            writer.add("bytes", {2}, bytes);
            writer.add("scalar", {}, std::span(&scalar, 1));
            writer.add("empty \"quoted\"\n", {0, 5}, std::span<const float>());
            writer.commit();
        }
        const Safetensors file(path);
        CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "pt"}, {"note", "caf\u00e9 \"1\""}});
        CHECK(file.names().size() == 9);
        CHECK(file.contains("weight"));
        CHECK_FALSE(file.contains("Weight"));

        const TensorView view = file.tensor("weight");
        CHECK(view.dtype == Dtype::F32);
        CHECK(std::vector(view.shape.begin(), view.shape.end()) == std::vector<std::size_t>{2, 3});
        CHECK(std::memcmp(view.bytes.data(), weight.data(), 24) == 0);

        std::vector<float> six(6), two(2), one(1), none;
        file.read("weight", six);
        CHECK(six == weight);
        for (const char* name : {"half", "brain", "widened"}) {
            two.assign(2, 0);
            file.read(name, two);
            CHECK(two == bias);
        }
        std::vector<double> wide(2), as_double(6);
        file.read("exact", wide);
        CHECK(wide == exact);
        file.read("weight", as_double);
        CHECK(as_double == std::vector<double>(weight.begin(), weight.end()));
        std::vector<std::int64_t> three(3);
        file.read("ids", three);
        CHECK(three == ids);
        std::vector<int> small(2);
        file.read("bytes", small);
        CHECK(small == std::vector<int>{0, 255});
        file.read("scalar", one);
        CHECK(one[0] == 42);
        CHECK(file.tensor("scalar").shape.empty());
        file.read("empty \"quoted\"\n", none);
    }

    TEST_CASE("the bytes of a file do not depend on the order in which tensors are added") {
        const ScratchFolder folder;
        const std::vector<float> a = {1, 2}, b = {3};
        const std::vector<std::uint8_t> c = {9};
        {
            SafetensorsWriter writer(folder.path / "1");
            writer.add("c", {1}, c), writer.add("b", {1}, b), writer.add("a", {2}, a);
            writer.commit();
        }
        {
            SafetensorsWriter writer(folder.path / "2");
            writer.add("a", {2}, a), writer.add("c", {1}, c), writer.add("b", {1}, b);
            writer.commit();
        }
        const std::string bytes = read_file(folder.path / "1");
        CHECK(bytes == read_file(folder.path / "2"));
        CHECK(Safetensors(folder.path / "1").names() == std::vector<std::string>{"a", "b", "c"});
        std::uint64_t length;
        std::memcpy(&length, bytes.data(), 8);
        CHECK(length % 8 == 0);
        std::string header = R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},)"
                             R"("c":{"dtype":"U8","shape":[1],"data_offsets":[12,13]}})";
        header.resize(length, ' ');
        CHECK(bytes.substr(8, length) == header);
        CHECK(bytes.size() == 8 + length + 13);
    }

    TEST_CASE("a large tensor is converted in parts without a seam") {
        const ScratchFolder folder;
        std::vector<float> values(200001), back(values.size());
        std::iota(values.begin(), values.end(), -100000.0f);
        SafetensorsWriter writer(folder.path / "m");
        writer.add("x", {values.size()}, values, Dtype::F64);
        writer.commit();
        Safetensors(folder.path / "m").read("x", back);
        CHECK(back == values);
    }

    TEST_CASE("a file without tensors, a padded header and metadata of null are valid") {
        CHECK(header_said("{}", 0) == "no error");
        CHECK(header_said("{}      ", 0) == "no error");
        CHECK(header_said(R"({"__metadata__":null,"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})", 1) ==
              "no error");
        CHECK(header_said(R"({"a":{"data_offsets":[0,3],"shape":[4,1],"dtype":"F6_E2M3"}})", 3) == "no error");
        CHECK(header_said(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},)"
                          R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                          R"("z":{"dtype":"F64","shape":[7,0],"data_offsets":[1,1]}})",
                          3) == "no error");
    }

    TEST_CASE("a file that is cut off anywhere is an error that names it") {
        const std::string whole = file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
        CHECK(opening(whole) == "no error");
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const std::string said = opening(whole.substr(0, size));
            REQUIRE(said.rfind("m: ", 0) == 0);
        }
        CHECK(opening("") == "m: has 0 bytes, a safetensors file has at least 10");
        CHECK(opening(whole.substr(0, 30)) ==
              "m: its header says that it has 54 bytes, the file has 22 after the first 8: it is cut off");
        CHECK(opening(whole.substr(0, whole.size() - 1)) ==
              "m: tensor 'a': ends at 8, the file holds 7 bytes of data: it is cut off");
        CHECK(opening(whole + "x") == "m: the tensors end at 8, the file holds 9 bytes of data");
    }

    TEST_CASE("a length of the header that cannot be is an error before anything is allocated") {
        CHECK(opening("this is a text, not a safetensors file") ==
              "m: its header says that it has 2338328219631577204 bytes, more than the limit of 100000000; this is no "
              "safetensors file");
        CHECK(
            opening(std::string(8, '\xFF') + "{}").find("m: its header says that it has 18446744073709551615 bytes") ==
            0);
        CHECK(opening(std::string("\x00\xE1\xF5\x05\0\0\0\0{}", 10)) ==
              "m: its header says that it has 100000000 bytes, the file has 2 after the first 8: it is cut off");
        CHECK(opening(std::string(8, '\0')) == "m: has 8 bytes, a safetensors file has at least 10");
        CHECK(opening(std::string(16, '\0')) == "m: the header does not begin with '{'");
    }

    TEST_CASE("a header that is not the format's JSON is an error") {
        CHECK(header_said("[]", 0) == "m: the header does not begin with '{'");
        CHECK(header_said("\xEF\xBB\xBF{}", 0) == "m: the header does not begin with '{'");
        CHECK(header_said(std::string_view("{}\0 ", 4), 0) == "m: the header holds a zero byte");
        CHECK(header_said("{\"a\":", 0).find("m: the header is not valid JSON at its byte 6: ") == 0);
        CHECK(header_said("{\"\xFF\":{}}", 0).find("m: the header is not valid JSON at its byte 3: ") == 0);
        CHECK(header_said("{} {}", 0).find("m: the header is not valid JSON at its byte 4: ") == 0);
        CHECK(header_said("{\"a\":1}", 0) == "m: 'a' is 1 in the header, expected an object");
        CHECK(header_said("{\"a\":null}", 0) == "m: 'a' is null in the header, expected an object");
        CHECK(header_said("{\"a\":[]}", 0) == "m: 'a' is an array in the header, expected an object");
        CHECK(header_said("{\"a\":{\"b\":{}}}", 0) == "m: tensor 'a': unknown field 'b'");
        CHECK(header_said("{\"a\":{\"shape\":{}}}", 0) == "m: tensor 'a': shape is an object");
        CHECK(header_said("{\"a\":{\"shape\":[[1]]}}", 0) ==
              "m: tensor 'a': shape holds an array, expected numbers from 0");
        CHECK(header_said("{\"__metadata__\":{\"a\":1}}", 0) == "m: __metadata__ 'a' is 1, expected a string");
        CHECK(header_said("{\"__metadata__\":{\"a\":{}}}", 0) == "m: __metadata__ 'a' is an object, expected a string");
        CHECK(header_said("{\"__metadata__\":\"x\"}", 0) ==
              "m: '__metadata__' is the string 'x' in the header, expected an object");
        std::string deep = "{\"a\":{\"shape\":";
        CHECK(header_said(deep + std::string(1000000, '['), 0) ==
              "m: tensor 'a': shape holds an array, expected numbers from 0");
    }

    TEST_CASE("what stands twice in a header is an error") {
        const std::string one = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
        CHECK(header_said("{" + one + "," + one + "}", 1) == "m: 'a' stands twice in the header");
        CHECK(header_said(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1) ==
              "m: tensor 'a': 'dtype' stands twice in the header");
        CHECK(header_said(R"({"__metadata__":{"x":"1","x":"2"}})", 0) == "m: 'x' stands twice in the header");
        CHECK(header_said(R"({"__metadata__":{},"__metadata__":{}})", 0) ==
              "m: '__metadata__' stands twice in the header");
    }

    TEST_CASE("a tensor's entry that is incomplete or of other types is an error that names the tensor") {
        const auto said = [](std::string_view entry) { return header_said("{\"a\":{" + std::string(entry) + "}}", 4); };
        CHECK(said("") == "m: tensor 'a': dtype is missing");
        CHECK(said(R"("dtype":"F32","shape":[1])") == "m: tensor 'a': data_offsets is missing");
        CHECK(said(R"("dtype":"F32","data_offsets":[0,4])") == "m: tensor 'a': shape is missing");
        CHECK(said(R"("dtype":"float32","shape":[1],"data_offsets":[0,4])") ==
              "m: tensor 'a': dtype 'float32' is not known");
        CHECK(said(R"("dtype":7)") == "m: tensor 'a': dtype is 7");
        CHECK(said(R"("dtype":["F32"])") == "m: tensor 'a': dtype is an array");
        CHECK(said(R"("shape":"1")") == "m: tensor 'a': shape is the string '1'");
        CHECK(said(R"("shape":[-1])") == "m: tensor 'a': shape holds -1, expected numbers from 0");
        CHECK(said(R"("shape":[1.0])") == "m: tensor 'a': shape holds 1.0, expected numbers from 0");
        CHECK(said(R"("shape":[1e3])") == "m: tensor 'a': shape holds 1e3, expected numbers from 0");
        CHECK(said(R"("shape":[true])") == "m: tensor 'a': shape holds a truth value, expected numbers from 0");
        CHECK(said(R"("shape":[18446744073709551616])") ==
              "m: tensor 'a': shape holds 18446744073709551616, expected numbers from 0");
        CHECK(said(R"("data_offsets":[0])") == "m: tensor 'a': data_offsets has 1 numbers, expected two");
        CHECK(said(R"("data_offsets":[0,4,8])") == "m: tensor 'a': data_offsets has more than two numbers");
        CHECK(said(R"("data_offsets":[0,-4])") == "m: tensor 'a': data_offsets holds -4, expected numbers from 0");
        std::string many = "1";
        for (int i = 0; i < 64; ++i) many += ",1";
        CHECK(said("\"shape\":[" + many + "]") == "m: tensor 'a': shape has more than 64 extents");
    }

    TEST_CASE("offsets that overlap, leave holes or lie outside are errors that name the tensor") {
        const auto said = [](std::string_view dtype, std::string_view shape, std::string_view offsets,
                             std::size_t data) {
            return header_said("{\"a\":{\"dtype\":\"" + std::string(dtype) + "\",\"shape\":[" + std::string(shape) +
                                   "],\"data_offsets\":[" + std::string(offsets) + "]}}",
                               data);
        };
        CHECK(said("U8", "4", "4,0", 4) == "m: tensor 'a': ends at 0, before its begin at 4");
        CHECK(said("U8", "4", "1,5", 5) ==
              "m: tensor 'a': begins at 1, the data before it end at 0: bytes between belong to nothing");
        CHECK(said("U8", "4", "0,5", 5) == "m: tensor 'a': has 5 bytes, U8 of its shape needs 4");
        CHECK(said("F32", "2,3", "0,8", 8) == "m: tensor 'a': has 8 bytes, F32 of its shape needs 24");
        CHECK(said("U8", "4", "0,4", 5) == "m: the tensors end at 4, the file holds 5 bytes of data");
        CHECK(said("U8", "18446744073709551615", "0,18446744073709551615", 4) ==
              "m: tensor 'a': ends at 18446744073709551615, the file holds 4 bytes of data: it is cut off");
        CHECK(said("U8", "4294967296,4294967296", "0,0", 0) ==
              "m: tensor 'a': shape: size overflow: 4294967296 * 4294967296");
        CHECK(said("F64", "2305843009213693952", "0,0", 0) ==
              "m: tensor 'a': shape: size overflow: 2305843009213693952 * 64");
        CHECK(said("F4", "3", "0,1", 1) == "m: tensor 'a': its 12 bits end within a byte");
        CHECK(header_said(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                          R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                          3) == "m: tensor 'b': begins at 1, the data before it end at 2: they overlap");
        CHECK(header_said(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                          R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                          2) == "m: tensor 'b': begins at 0, the data before it end at 2: they overlap");
    }

    TEST_CASE("reading says which tensor is missing or does not fit") {
        const ScratchFolder folder;
        const std::vector<float> w(6, 1);
        const std::vector<std::int64_t> ids = {1LL << 40};
        SafetensorsWriter writer(folder.path / "m");
        writer.add("w", {2, 3}, w), writer.add("ids", {1}, ids);
        writer.commit();
        const Safetensors file(folder.path / "m");
        std::vector<float> six(6), four(4), one(1);
        std::vector<int> integer(1), integers(6);
        const auto said = [&](auto action) { return error_of(action, folder.path); };
        CHECK(said([&] { file.tensor("v"); }) == "m: there is no tensor 'v'");
        CHECK(said([&] { file.read("v", six); }) == "m: there is no tensor 'v'");
        CHECK(said([&] { file.read("w", four); }) == "m: tensor 'w' is (2, 3), 6 elements, expected 4");
        CHECK(said([&] { file.read("w", integers); }) == "m: tensor 'w' is F32, expected an integer type");
        CHECK(said([&] { file.read("ids", one); }) == "m: tensor 'ids' is I64, expected F64, F32, F16 or BF16");
        CHECK(said([&] { file.read("ids", integer); }) ==
              "m: tensor 'ids' holds 1099511627776, out of the range wanted");
        CHECK(said([&] { Safetensors(folder.path / "n"); }) == "n: there is no such file");
        CHECK(said([&] { Safetensors(folder.path / "."); }) == ".: is a folder, a file was expected");
        CHECK(error_of([] { Safetensors("/dev/null"); }) == "/dev/null: is a device or pipe, a file was expected");
    }

    TEST_CASE("writing says which tensor is wrong, and no file appears") {
        const ScratchFolder folder;
        const std::vector<float> six(6, 1);
        const std::vector<double> large = {1e6};
        {
            SafetensorsWriter writer(folder.path / "m");
            const auto said = [&](std::string name, std::vector<std::size_t> shape) {
                return error_of([&] { writer.add(name, shape, six); }, folder.path);
            };
            CHECK(said("w", {2, 3}) == "no error");
            CHECK(said("w", {2, 3}) == "m: tensor 'w' is added twice");
            CHECK(said("v", {2, 4}) == "m: tensor 'v' is (2, 4), 8 elements, but 6 values were given");
            CHECK(said("__metadata__", {6}) == "m: tensor '__metadata__': this name is the format's own");
            CHECK(said("\xFF", {6}).find("its name is not valid UTF-8") != std::string::npos);
            writer.add("large", {1}, large, Dtype::F16);
            CHECK(error_of([&] { writer.commit(); }, folder.path) ==
                  "m: tensor 'large' holds 1e+06, too large for F16");
            CHECK(error_of([&] { writer.commit(); }, folder.path) == "m: commit twice");
            CHECK(said("late", {6}) == "m: tensor 'late' is added after commit");
        }
        CHECK(folder.entries() == 0);
        CHECK(error_of([&] { SafetensorsWriter(folder.path / "out/m"); }, folder.path) ==
              "out/m: cannot be written: there is no folder 'out'");
        CHECK(error_of(
                  [&] {
                      SafetensorsWriter(folder.path / "m", {{"k", "\xFF"}});
                  },
                  folder.path) == "m: metadata 'k' is not valid UTF-8");
    }

    TEST_CASE("a model that does not fit on the disk leaves the old one in place") {
        const ScratchFolder folder;
        const std::vector<float> old = {1}, large(100000, 2);
        const auto path = folder.path / "model.safetensors";
        const auto save = [&](const std::vector<float>& values) {
            SafetensorsWriter writer(path);
            writer.add("w", {values.size()}, values);
            writer.commit();
        };
        save(old);
        const auto handler = std::signal(SIGXFSZ, SIG_IGN);
        rlimit before;
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
        const rlimit small = {65536, before.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
        const std::string said = error_of([&] { save(large); }, folder.path);
        ::setrlimit(RLIMIT_FSIZE, &before);
        std::signal(SIGXFSZ, handler);
        CHECK(said == "model.safetensors: cannot be written: File too large");
        std::vector<float> back(1);
        Safetensors(path).read("w", back);
        CHECK(back == old);
        CHECK(folder.entries() == 1);
    }

    TEST_CASE("a model can be saved over the file that it is being read from") {
        const ScratchFolder folder;
        const auto path = folder.path / "m";
        const std::vector<float> values(50000, 3), twos(10, 2);
        const auto save = [&](const std::vector<float>& list) {
            SafetensorsWriter writer(path);
            writer.add("w", {list.size()}, list);
            writer.commit();
        };
        save(values);
        const Safetensors file(path);
        save(twos);
        std::vector<float> back(values.size());
        file.read("w", back);
        CHECK(back == values);
    }

    TEST_CASE("a folder is opened by its one file or by its index of several") {
        const ScratchFolder folder;
        const std::vector<float> a = {1, 2}, b = {3};
        const auto save = [&](const char* file, const char* name, const std::vector<float>& values) {
            SafetensorsWriter writer(folder.path / file, {{"format", "pt"}, {file, "here"}});
            writer.add(name, {values.size()}, values);
            writer.commit();
        };
        const auto said = [&] { return error_of([&] { open_safetensors(folder.path); }, folder.path.parent_path()); };
        const std::string name = folder.path.filename().string();
        CHECK(said() == name + ": has neither model.safetensors nor model.safetensors.index.json");
        folder.file("pytorch_model.bin", "");
        CHECK(said().find(name + ": has pytorch_model.bin only") == 0);

        save("1.safetensors", "a", a), save("2.safetensors", "b", b);
        folder.file("model.safetensors.index.json",
                    R"({"metadata": {"total_size": 12}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
        for (const auto& path : {folder.path, folder.path / "model.safetensors.index.json"}) {
            const ShardedSafetensors model = open_safetensors(path);
            CHECK(model.shards() == 2);
            CHECK(model.names() == std::vector<std::string>{"a", "b"});
            CHECK(model.contains("b"));
            CHECK(model.metadata().size() == 3);
            std::vector<float> two(2), one(1);
            model.read("a", two), model.read("b", one);
            CHECK(two == a);
            CHECK(one == b);
            CHECK(model.tensor("b").size() == 1);
            CHECK(error_of([&] { model.tensor("c"); }, folder.path) ==
                  "model.safetensors.index.json: there is no tensor 'c'");
        }

        save("model.safetensors", "only", b);
        const ShardedSafetensors model = open_safetensors(folder.path);
        CHECK(model.names() == std::vector<std::string>{"only"});
        CHECK(model.shards() == 1);
        CHECK(open_safetensors(folder.path / "2.safetensors").contains("b"));
        CHECK(error_of([&] { open_safetensors(folder.path / "gone"); }, folder.path) == "gone: there is no such file");
    }

    TEST_CASE("an index that does not fit its files is an error that names both") {
        const ScratchFolder folder;
        const std::vector<float> a = {1};
        SafetensorsWriter writer(folder.path / "1.safetensors");
        writer.add("a", {1}, a);
        writer.commit();
        const auto said = [&](std::string_view index) {
            folder.file("model.safetensors.index.json", index);
            return error_of([&] { open_safetensors(folder.path); }, folder.path);
        };
        CHECK(said("{}") == "model.safetensors.index.json: 'weight_map' is missing");
        CHECK(said(R"({"weight_map": []})") ==
              "model.safetensors.index.json: 'weight_map' is an array of 0, expected an object");
        CHECK(said(R"({"weight_map": {"a": 1}})") == "model.safetensors.index.json: 'a' is 1, expected a string");
        CHECK(said(R"({"weight_map": {"a": "2.safetensors"}})") == "2.safetensors: there is no such file");
        CHECK(said(R"({"weight_map": {"b": "1.safetensors"}})") ==
              "1.safetensors: there is no tensor 'b', the index says that there is");
        for (const char* file : {"../1.safetensors", "/etc/passwd", "..", ".", ""})
            CHECK(said("{\"weight_map\": {\"a\": \"" + std::string(file) + "\"}}") ==
                  "model.safetensors.index.json: tensor 'a' is in '" + std::string(file) +
                      "', expected a file of the same folder");
        CHECK(said("{\"weight_map\": {\"a\": \"1.safetensors\"")
                  .find("model.safetensors.index.json:1:37: not valid JSON") == 0);
    }
}

TEST_SUITE("property") {

    TEST_CASE("a file with any one bit turned is refused or read without touching memory that is not its own") {
        const ScratchFolder folder;
        const std::string whole = file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                                          R"("b":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]}})",
                                          14);
        std::size_t refused = 0;
        for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
            std::string bytes = whole;
            bytes[bit / 8] = char(bytes[bit / 8] ^ (1 << bit % 8));
            const auto path = folder.file("m", bytes);
            try {
                const Safetensors file(path);
                for (const std::string& name : file.names()) {
                    const TensorView tensor = file.tensor(name);
                    REQUIRE(tensor.size() * bits_of(tensor.dtype) == tensor.bytes.size() * 8);
                    std::vector<double> values(tensor.size());
                    if (tensor.dtype == Dtype::F32 || tensor.dtype == Dtype::BF16) file.read(name, values);
                }
            } catch (const Error&) {
                ++refused;
            }
        }
        CHECK(refused > 8 * 100); // most bits of the header matter
    }
}

}
