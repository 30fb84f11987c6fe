#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#if DIDACT_WITH_ZLIB
#include <zlib.h>
#endif

#include "didact/data/idx.hpp"
#include "didact/data/npy.hpp"

#include "../io/scratch.hpp"

namespace arrays_test {

using namespace didact;

namespace {

using Shape = std::vector<std::size_t>;

template <class Array>
Shape shape_of(const Array& array) {
    return Shape(array.shape().begin(), array.shape().end());
}

std::string bytes(std::initializer_list<int> list) {
    std::string text;
    for (const int byte : list) text += char(byte);
    return text;
}

/// An .npy file of version 1.0 put together by hand.
std::string npy(const std::string& header, const std::string& data) {
    return "\x93NUMPY" + bytes({1, 0, int(header.size() & 255), int(header.size() >> 8)}) + header + data;
}

template <class T = float>
std::string npy_said(const std::string& file) {
    return error_of([&] { parse_npy<T>(file, "x.npy"); });
}

template <class T = std::uint8_t>
std::string idx_said(const std::string& file) {
    return error_of([&] { parse_idx<T>(file, "x.idx"); });
}

#if DIDACT_WITH_ZLIB
std::string compressed(const std::string& content) {
    z_stream stream = {};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(deflateBound(&stream, content.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = uInt(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = uInt(out.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}
#endif

const std::filesystem::path shared = DIDACT_SOURCE_DIR "/../shared/data";

}

TEST_SUITE("unit") {

    TEST_CASE("IDX: bytes, and big-endian integers and floating-point numbers, are read in their shape") {
        const auto images =
            parse_idx<std::uint8_t>(bytes({0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255}), "x");
        CHECK(shape_of(images) == Shape{2, 1, 3});
        CHECK(images(1, 0, 2) == 255);
        CHECK(parse_idx<int>(bytes({0, 0, 0x0B, 1, 0, 0, 0, 2, 0xFF, 0xFE, 1, 0}), "x") == xt::xarray<int>{-2, 256});
        CHECK(parse_idx<int>(bytes({0, 0, 0x0C, 1, 0, 0, 0, 1, 0, 1, 0, 2}), "x") == xt::xarray<int>{65538});
        CHECK(parse_idx<int>(bytes({0, 0, 0x09, 1, 0, 0, 0, 1, 0x80}), "x") == xt::xarray<int>{-128});
        CHECK(parse_idx<double>(bytes({0, 0, 0x0D, 1, 0, 0, 0, 1, 0x3F, 0xC0, 0, 0}), "x") == xt::xarray<double>{1.5});
        CHECK(parse_idx<float>(bytes({0, 0, 0x0E, 1, 0, 0, 0, 1, 0xBF, 0xE0, 0, 0, 0, 0, 0, 0}), "x") ==
              xt::xarray<float>{-0.5f});
    }

    TEST_CASE("IDX: a damaged file is an error that names it") {
        CHECK(idx_said("") == "x.idx: does not begin as an IDX file does");
        CHECK(idx_said("text of some length") == "x.idx: does not begin as an IDX file does");
        CHECK(idx_said(bytes({0, 0, 7, 1, 0, 0, 0, 1, 5})) ==
              "x.idx: its type of elements is 7, which IDX does not know");
        CHECK(idx_said(bytes({0, 0, 8, 0})) == "x.idx: is cut off in its header of 0 dimensions");
        CHECK(idx_said(bytes({0, 0, 8, 3, 0, 0, 0, 1})) == "x.idx: is cut off in its header of 3 dimensions");
        CHECK(idx_said(bytes({0, 0, 8, 1, 0, 0, 0, 3, 1, 2})) == "x.idx: is (3) of U8, 3 bytes, the file holds 2");
        CHECK(idx_said(bytes({0, 0, 8, 1, 0, 0, 0, 1, 1, 2})) == "x.idx: is (1) of U8, 1 bytes, the file holds 2");
        CHECK(idx_said(bytes({0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}))
                  .find("x.idx: shape (4294967295, 4294967295, 4294967295): size overflow: ") == 0);
        CHECK(idx_said(bytes({0, 0, 0x0D, 1, 0, 0, 0, 1, 0, 0, 0, 0})) == "x.idx is F32, expected an integer type");
        CHECK(idx_said<float>(bytes({0, 0, 8, 1, 0, 0, 0, 1, 0})) == "x.idx is U8, expected F64, F32, F16 or BF16");
        CHECK(idx_said<std::int8_t>(bytes({0, 0, 8, 1, 0, 0, 0, 1, 200})) ==
              "x.idx holds 200, out of the range wanted");
    }

#if DIDACT_WITH_ZLIB
    TEST_CASE("gzip: several members are one content; damage, cuts and too much content are errors") {
        const std::string text = "the same text over and over " + std::string(300000, 'x');
        const std::string one = compressed(text);
        CHECK(io::decompress(one, "x.gz") == text);
        CHECK(io::decompress(one + compressed("more"), "x.gz") == text + "more");
        const auto said = [](const std::string& file, std::uint64_t limit = 1 << 30) {
            return error_of([&] { io::decompress(file, "x.gz", limit); });
        };
        CHECK(said(one.substr(0, one.size() - 1)) == "x.gz: is cut off after 300028 bytes of content");
        CHECK(said(one.substr(0, 5)) == "x.gz: is cut off after 0 bytes of content");
        std::string damaged = one;
        damaged[damaged.size() - 8] = char(damaged[damaged.size() - 8] ^ 1);
        CHECK(said(damaged) == "x.gz: is damaged: incorrect data check");
        CHECK(said(one + "tail") == "x.gz: is damaged: incorrect header check");
        CHECK(said(one, 300027) == "x.gz: holds more than the limit of 300027 bytes");
        CHECK(said(one, 300028) == "no error");
    }

    TEST_CASE("IDX: a compressed file is read as its content") {
        const ScratchFolder folder;
        const auto path = folder.file("labels.gz", compressed(bytes({0, 0, 8, 1, 0, 0, 0, 2, 7, 9})));
        CHECK(read_idx<int>(path) == xt::xarray<int>{7, 9});
        CHECK(error_of([&] { read_idx<int>(folder.path / "none.gz"); }, folder.path) ==
              "none.gz: there is no such file");
    }
#else
    TEST_CASE("gzip: without zlib a compressed file is an error that says so") {
        CHECK(error_of([] { io::decompress("\x1F\x8B", "x.gz"); }) ==
              "x.gz: is compressed by gzip, and this program was built without zlib (DIDACT_WITH_ZLIB)");
    }
#endif

    TEST_CASE("npy: an array that was written is read back, in every type, scalars and empty ones too") {
        const ScratchFolder folder;
        const auto path = folder.path / "x.npy";
        const auto round_trip = [&](const auto& array) {
            using T = typename std::remove_cvref_t<decltype(array)>::value_type;
            write_npy(path, array);
            const auto back = read_npy<T>(path);
            CHECK(shape_of(back) == shape_of(array));
            CHECK(back == array);
            CHECK((io::read_file(path).size() - array.size() * sizeof(T)) % 64 == 0);
        };
        round_trip(xt::xarray<float>{{1.5f, -2, 3}, {4, 5, 6}});
        round_trip(xt::xarray<double>{1e300});
        round_trip(xt::xarray<std::int64_t>{-5, 1LL << 40});
        round_trip(xt::xarray<std::uint8_t>{0, 255});
        round_trip(xt::xarray<std::int16_t>{{-300, 1}, {300, 2}});
        round_trip(xt::xarray<float>(7.0f));
        round_trip(xt::xarray<float>::from_shape({3, 0, 2}));
        const xt::xarray<bool> truth = {true, false};
        write_npy(path, truth);
        CHECK(read_npy<int>(path) == xt::xarray<int>{1, 0});
        const xt::xarray<float> x = {1, 2};
        write_npy(path, x * 2.0f + 1.0f); // an expression
        CHECK(read_npy<double>(path) == xt::xarray<double>{3, 5});
        CHECK(io::read_file(path).substr(0, 74) ==
              "\x93NUMPY" + bytes({1, 0, 118, 0}) + "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }       ");
    }

    TEST_CASE("npy: columns first, big-endian numbers, half precision and versions 2 and 3 are read") {
        const std::string header = "{'shape': (2, 3), 'fortran_order': True, 'descr': '|u1'}";
        CHECK(parse_npy<int>(npy(header, bytes({1, 2, 3, 4, 5, 6})), "x") == xt::xarray<int>{{1, 3, 5}, {2, 4, 6}});
        CHECK(
            parse_npy<int>(npy("{\"descr\": \">i2\", 'fortran_order':False,'shape':(2L,)}\n", bytes({1, 0, 255, 254})),
                           "x") == xt::xarray<int>{256, -2});
        CHECK(parse_npy<float>(npy("{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }", bytes({0, 0x3E})),
                               "x") == xt::xarray<float>{1.5f});
        const std::string scalar = "{'descr': '|i1', 'fortran_order': False, 'shape': (), }";
        for (const int version : {2, 3}) {
            const std::string file =
                "\x93NUMPY" + bytes({version, 0, int(scalar.size()), 0, 0, 0}) + scalar + bytes({0xFF});
            CHECK(parse_npy<int>(file, "x")() == -1);
        }
    }

    TEST_CASE("npy: a file that is damaged or cut off is an error that names it") {
        const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
        const std::string one(4, '\0');
        CHECK(npy_said("") == "x.npy: does not begin as an .npy file does");
        CHECK(npy_said("PK\x03\x04 an archive") == "x.npy: does not begin as an .npy file does");
        CHECK(npy_said("\x93NUMPY\x01") == "x.npy: is cut off in its header");
        CHECK(npy_said("\x93NUMPY" + bytes({4, 0, 2, 0, 0, 0}) + "{}") == "x.npy: its version is 4.0, expected 1 to 3");
        CHECK(npy_said("\x93NUMPY" + bytes({1, 0, 255, 255}) + good) ==
              "x.npy: its header says that it has 65535 bytes, the file has 57 after the first 10: it is cut off");
        CHECK(npy_said("\x93NUMPY" + bytes({2, 0, 255, 255, 255, 255}) + good) ==
              "x.npy: its header says that it has 4294967295 bytes, the file has 57 after the first 12: it is cut off");
        CHECK(npy_said(npy(good, "123")) == "x.npy: is (1) of F32, 4 bytes, the file holds 3");
        CHECK(npy_said(npy(good, "12345")) == "x.npy: is (1) of F32, 4 bytes, the file holds 5");
        CHECK(npy_said<int>(npy(good, one)) == "x.npy is F32, expected an integer type");
    }

    TEST_CASE("npy: a header that is not the format's dictionary is an error that says where") {
        const auto said = [](const std::string& header) { return npy_said(npy(header, "1234")); };
        CHECK(said("[1, 2]") == "x.npy: the header has '[1, 2]' where '{' was expected");
        CHECK(said("{'descr' '<f4'}") == "x.npy: the header has ''<f4'}' where ':' was expected");
        CHECK(said("{'descr': '<f4") == "x.npy: the header has ''<f4' where a closed string was expected");
        CHECK(said("{'descr': [('a', '<f4')]}") ==
              "x.npy: the header has '[('a', '<f4')]}' where a quoted string was expected");
        CHECK(said("{'descr': '|O'}") == "x.npy: its type is '|O', expected numbers or truth values such as '<f4'");
        CHECK(said("{'descr': '<c8'}") == "x.npy: its type is '<c8', expected numbers or truth values such as '<f4'");
        CHECK(said("{'descr': ''}") == "x.npy: its type is '', expected numbers or truth values such as '<f4'");
        CHECK(said("{'fortran_order': 0}") == "x.npy: the header has '0}' where True or False was expected");
        CHECK(said("{'shape': (-1,)}") == "x.npy: the header has '-1,)}' where an extent was expected");
        CHECK(said("{'shape': (1 2)}") == "x.npy: the header has '2)}' where ',' or ')' was expected");
        CHECK(said("{'shape': (99999999999999999999,)}").find("size overflow: ") != std::string::npos);
        CHECK(said("{'x': 1}") == "x.npy: unknown key 'x' in the header");
        CHECK(said("{'shape': (), 'shape': ()}") == "x.npy: 'shape' stands twice in the header");
        CHECK(said("{'shape': (), 'descr': '<f4'}") == "x.npy: 'fortran_order' is missing in the header");
        CHECK(said("{}") == "x.npy: 'descr' is missing in the header");
        CHECK(said("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x") ==
              "x.npy: the header has 'x' where the end was expected");
        CHECK(said("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}") ==
              "x.npy: shape (4294967296, 4294967296): size overflow: 4294967296 * 4294967296");
        CHECK(said("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}") ==
              "x.npy: shape (0, 4294967296, 4294967296): size overflow: 17179869184 * 4294967296");
        CHECK(said("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}") ==
              "x.npy: shape (4611686018427387904): size overflow: 4 * 4611686018427387904");
    }
}

#if DIDACT_WITH_ZLIB
TEST_SUITE("data") {

    TEST_CASE("MNIST's test part has 10,000 images of 28 by 28, and its labels") {
        if (!std::filesystem::exists(shared / "mnist/t10k-images-idx3-ubyte.gz")) {
            MESSAGE("skipped: no mnist");
            return;
        }
        const auto images = read_idx<std::uint8_t>(shared / "mnist/t10k-images-idx3-ubyte.gz");
        const auto labels = read_idx<int>(shared / "mnist/t10k-labels-idx1-ubyte.gz");
        CHECK(shape_of(images) == Shape{10000, 28, 28});
        CHECK(shape_of(labels) == Shape{10000});
        std::vector<std::size_t> count(10);
        for (const int label : labels) ++count.at(std::size_t(label));
        for (const std::size_t n : count) CHECK(n > 800);
        CHECK(labels(0) == 7); // the first images of the set are well known
        CHECK(labels(1) == 2);
    }
}
#endif

}
