#pragma once
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "didact/core/checked_size.hpp"
#include "didact/core/error.hpp"
#include "didact/core/xtensor.hpp"
#include "didact/io/atomic_file.hpp"
#include "didact/io/dtype.hpp"
#include "didact/io/shape.hpp"
#include "didact/io/utf8.hpp"

namespace didact {

/// What the header of an .npy file says, a Python dictionary such as
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
struct NpyHeader {
    io::Dtype dtype = io::Dtype::F32;
    bool big_endian = false, fortran_order = false;
    std::vector<std::size_t> shape;
};

/// Reads such a dictionary, and no other Python.
class NpyHeaderReader {
  public:
    NpyHeaderReader(std::string_view text, const std::string& source) : text_(text), source_(source) {}

    NpyHeader read() {
        NpyHeader header;
        bool has_descr = false, has_order = false, has_shape = false;
        const auto once = [&](bool& seen, std::string_view key) {
            require(!seen, source_, ": '", key, "' stands twice in the header");
            seen = true;
        };
        expect('{');
        while (!accept('}')) {
            const std::string key = quoted();
            expect(':');
            if (key == "descr") {
                once(has_descr, key);
                set_type(header, quoted());
            } else if (key == "fortran_order") {
                once(has_order, key);
                header.fortran_order = accept_word("True");
                if (!header.fortran_order && !accept_word("False")) unexpected("True or False");
            } else if (key == "shape") {
                once(has_shape, key);
                header.shape = shape();
            } else {
                fail(source_, ": unknown key '", io::printable(key), "' in the header");
            }
            if (!accept(',') && peek() != '}') unexpected("',' or '}'");
        }
        peek();
        if (at_ != text_.size()) unexpected("the end");
        require(has_descr, source_, ": 'descr' is missing in the header");
        require(has_order, source_, ": 'fortran_order' is missing in the header");
        require(has_shape, source_, ": 'shape' is missing in the header");
        return header;
    }

  private:
    /// The next character that is no space, 0 at the end.
    char peek() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool accept(char c) {
        if (peek() != c) return false;
        ++at_;
        return true;
    }
    bool accept_word(std::string_view word) {
        peek();
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }
    void expect(char c) {
        if (!accept(c)) unexpected(std::string("'") + c + "'");
    }
    [[noreturn]] void unexpected(std::string_view expected) {
        fail(source_, ": the header has '", io::printable(text_.substr(at_), 20), "' where ", expected,
             " was expected");
    }

    std::string quoted() {
        const char quote = peek();
        if (quote != '\'' && quote != '"') unexpected("a quoted string");
        const std::size_t end = text_.find(quote, at_ + 1);
        if (end == std::string_view::npos) unexpected("a closed string");
        const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        return std::string(inside);
    }

    std::vector<std::size_t> shape() {
        std::vector<std::size_t> extents;
        expect('(');
        while (!accept(')')) {
            require(extents.size() < 64, source_, ": the shape has more than 64 extents");
            if (!std::isdigit(static_cast<unsigned char>(peek()))) unexpected("an extent");
            CheckedSize extent = 0;
            for (; at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])); ++at_)
                extent = extent * 10 + std::uint64_t(text_[at_] - '0');
            accept('L'); // Python 2 wrote 3L
            extents.push_back(extent.within(SIZE_MAX, source_ + ": an extent"));
            if (!accept(',') && peek() != ')') unexpected("',' or ')'");
        }
        return extents;
    }

    void set_type(NpyHeader& header, const std::string& descr) {
        struct Code {
            std::string_view code;
            io::Dtype dtype;
        };
        constexpr Code codes[] = {{"f2", io::Dtype::F16}, {"f4", io::Dtype::F32}, {"f8", io::Dtype::F64},
                                  {"i1", io::Dtype::I8},  {"i2", io::Dtype::I16}, {"i4", io::Dtype::I32},
                                  {"i8", io::Dtype::I64}, {"u1", io::Dtype::U8},  {"u2", io::Dtype::U16},
                                  {"u4", io::Dtype::U32}, {"u8", io::Dtype::U64}, {"b1", io::Dtype::BOOL}};
        const char order = descr.empty() ? '\0' : descr.front();
        header.big_endian = order == '>';
        for (const Code& known : codes)
            if ((order == '<' || order == '>' || order == '|' || order == '=') && descr.substr(1) == known.code) {
                header.dtype = known.dtype;
                return;
            }
        fail(source_, ": its type is '", io::printable(descr), "', expected numbers or truth values such as '<f4'");
    }

    std::string_view text_;
    std::string source_;
    std::size_t at_ = 0;
};

/// Reads the bytes of an .npy file; see read_npy.
template <class T>
xt::xarray<T> parse_npy(std::string_view bytes, const std::string& source) {
    require(bytes.substr(0, 6) == "\x93NUMPY", source, ": does not begin as an .npy file does");
    const auto byte = [&](std::size_t i) { return std::uint64_t(static_cast<unsigned char>(bytes[i])); };
    require(bytes.size() >= 12, source, ": is cut off in its header");
    const std::uint64_t version = byte(6);
    require(version >= 1 && version <= 3, source, ": its version is ", version, ".", byte(7), ", expected 1 to 3");
    const std::size_t begin = version == 1 ? 10 : 12;
    std::uint64_t length = byte(8) | byte(9) << 8;
    if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
    require(length <= bytes.size() - begin, source, ": its header says that it has ", length, " bytes, the file has ",
            bytes.size() - begin, " after the first ", begin, ": it is cut off");
    const NpyHeader header = NpyHeaderReader(bytes.substr(begin, length), source).read();

    const std::size_t width = io::bits_of(header.dtype) / 8;
    const std::size_t size = io::element_count(header.shape, width, source) * width;
    std::string data(bytes.substr(begin + length));
    require(size == data.size(), source, ": is ", io::shape_text(header.shape), " of ", io::name_of(header.dtype), ", ",
            size, " bytes, the file holds ", data.size());
    for (std::size_t i = 0; header.big_endian && i < data.size(); i += width)
        std::reverse(data.begin() + std::ptrdiff_t(i), data.begin() + std::ptrdiff_t(i + width));

    // Columns first is the transpose of rows first with the extents in reverse.
    std::vector<std::size_t> shape = header.shape;
    if (header.fortran_order) std::reverse(shape.begin(), shape.end());
    xt::xarray<T> array = xt::xarray<T>::from_shape(shape);
    io::decode_elements(header.dtype, std::as_bytes(std::span(data)), std::span<T>(array.data(), array.size()), source);
    if (header.fortran_order && shape.size() > 1) {
        xt::xarray<T> transposed = xt::transpose(array);
        return transposed;
    }
    return array;
}

/// Reads an array that NumPy saved (NumPy Enhancement Proposal 1; versions 1.0 to 3.0), into row-major order.
/// Floating-point types are read into float or double, integers and truth values into integers. Throws Error that names
/// the file where it is missing, damaged, cut off, or of a type that T cannot hold.
template <class T>
xt::xarray<T> read_npy(const std::filesystem::path& path) {
    return parse_npy<T>(io::read_file(path), path.string());
}

/// Writes an array or an expression as an .npy file of version 1.0, row-major, complete or not at all.
template <class Expression>
void write_npy(const std::filesystem::path& path, const xt::xexpression<Expression>& expression) {
    using T = typename Expression::value_type;
    const xt::xarray<T, xt::layout_type::row_major> array = expression.derived_cast();
    std::string header = "{'descr': '";
    header += sizeof(T) == 1 ? '|' : '<';
    header += std::is_same_v<T, bool> ? 'b' : std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
    header += std::to_string(sizeof(T)) + "', 'fortran_order': False, 'shape': (";
    for (const std::size_t extent : array.shape()) header += std::to_string(extent) + ",";
    header += "), }";
    header.resize(CheckedSize(10 + header.size() + 1).aligned_up(64).value() - 11, ' ');
    header += '\n';
    require(header.size() <= 0xFFFF, path.string(), ": the header of ", array.dimension(), " extents is too long");
    io::AtomicFile file(path);
    file.write(std::string("\x93NUMPY\x01\x00", 8) + char(header.size() & 0xFF) + char(header.size() >> 8) + header);
    file.write(std::as_bytes(std::span(array.data(), array.size())));
    file.commit();
}

}
