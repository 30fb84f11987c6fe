"""Checks that files written by Python's safetensors are read by the library and the other way round, and that both
accept and refuse the same files.

    pip install safetensors numpy
    python3 tests/parity/safetensors_both_ways.py build/tests/programs/safetensors_copy

The program copies a file through the library's reader and writer (tests/io/safetensors_copy.cpp).
"""
import argparse
import json
import pathlib
import random
import struct
import subprocess
import tempfile

import numpy
import safetensors
import safetensors.numpy

# What the library refuses on purpose and the package accepts.
STRICTER = {"space before", "unknown field", "65 extents", "tensor of nothing twice"}


def file_of(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, begin, end, **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **more}


def verdict_of_package(path):
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            list(file.keys())
        return True
    except (safetensors.SafetensorError, UnicodeDecodeError, OSError, ValueError):
        return False


def copy(program, source, target):
    return subprocess.run([program, source, target], capture_output=True, text=True)


def check_values(program, folder):
    generator = numpy.random.default_rng(7)
    tensors = {}
    for shape in [(), (1,), (3, 4), (2, 0, 5), (70001,)]:
        for dtype in [numpy.float64, numpy.float32, numpy.float16]:
            tensors[f"{numpy.dtype(dtype).name} {shape}"] = generator.standard_normal(shape).astype(dtype)
        for dtype in [numpy.int64, numpy.int32, numpy.int16, numpy.int8, numpy.uint8, numpy.uint16, numpy.uint32]:
            low = max(numpy.iinfo(dtype).min, -(2**62))
            high = min(numpy.iinfo(dtype).max, 2**62)
            tensors[f"{numpy.dtype(dtype).name} {shape}"] = generator.integers(low, high, shape).astype(dtype)
    halves = numpy.arange(65536, dtype=numpy.uint16)
    tensors["every half"] = halves.view(numpy.float16)
    tensors["truth"] = numpy.array([True, False])
    tensors['caf\u00e9 "\\\n'] = numpy.array([1.0, float("inf"), float("-inf")], numpy.float32)
    metadata = {"format": "pt", "note": 'a "quoted" \u00e9'}
    source, target = folder / "in.safetensors", folder / "out.safetensors"
    safetensors.numpy.save_file(tensors, source, metadata=metadata)
    result = copy(program, source, target)
    assert result.returncode == 0, result.stderr
    back = safetensors.numpy.load_file(target)
    with safetensors.safe_open(target, framework="numpy") as file:
        assert file.metadata() == metadata, file.metadata()
    assert set(back) == set(tensors)
    for name, value in tensors.items():
        wanted = value if value.dtype.kind == "f" else value.astype(numpy.int64)
        assert back[name].dtype == wanted.dtype and back[name].shape == wanted.shape, name
        assert numpy.array_equal(back[name], wanted, equal_nan=wanted.dtype.kind == "f"), name

    # A copy of floating-point tensors is the package's own file, byte for byte.
    only_floats = {name: value for name, value in tensors.items() if value.dtype.kind == "f" and name != "every half"}
    safetensors.numpy.save_file(only_floats, source, metadata={"format": "pt"})
    assert copy(program, source, target).returncode == 0
    assert source.read_bytes() == target.read_bytes(), "the same tensors gave other bytes"

    # bfloat16 is the upper half of a float.
    upper = numpy.arange(65536, dtype=numpy.uint32)
    upper = upper[((upper >> 7) & 255) != 255]
    source.write_bytes(file_of({"b": entry("BF16", [len(upper)], 0, 2 * len(upper))},
                               upper.astype("<u2").tobytes()))
    assert copy(program, source, target).returncode == 0
    assert target.read_bytes()[-2 * len(upper):] == upper.astype("<u2").tobytes()
    return len(tensors)


def hostile_files():
    good = {"a": entry("F32", [2], 0, 8)}
    yield "good", file_of(good, bytes(8))
    yield "no tensors", file_of({}, b"")
    yield "padded", file_of(json.dumps(good).encode() + b"     ", bytes(8))
    yield "padded with line ends", file_of(json.dumps(good).encode() + b"\n\n", bytes(8))
    yield "padded with zeros", file_of(json.dumps(good).encode() + b"\0\0", bytes(8))
    yield "space before", file_of(b" " + json.dumps(good).encode(), bytes(8))
    yield "empty", b""
    yield "seven bytes", bytes(7)
    yield "eight zeros", bytes(8)
    yield "header of all ones", b"\xff" * 8 + b"{}"
    yield "header beyond the file", struct.pack("<Q", 1000) + b"{}"
    yield "header over the limit", struct.pack("<Q", 100_000_001) + b"{}"
    yield "cut", file_of(good, bytes(7))
    yield "too long", file_of(good, bytes(9))
    yield "hole before", file_of({"a": entry("U8", [1], 1, 2)}, bytes(2))
    yield "hole between", file_of({"a": entry("U8", [1], 0, 1), "b": entry("U8", [1], 2, 3)}, bytes(3))
    yield "overlap", file_of({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, bytes(3))
    yield "same place", file_of({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 0, 2)}, bytes(2))
    yield "backwards", file_of({"a": entry("U8", [1], 1, 0)}, bytes(1))
    yield "other order", file_of({"b": entry("U8", [1], 1, 2), "a": entry("U8", [1], 0, 1)}, bytes(2))
    yield "shape too small", file_of({"a": entry("F32", [1], 0, 8)}, bytes(8))
    yield "overflow", file_of({"a": entry("U8", [2**32, 2**32], 0, 0)}, b"")
    yield "overflow after nothing", file_of({"a": entry("U8", [0, 2**32, 2**32], 0, 0)}, b"")
    yield "overflow before nothing", file_of({"a": entry("U8", [2**32, 2**32, 0], 0, 0)}, b"")
    yield "overflow of bits", file_of({"a": entry("F64", [2**61], 0, 0)}, b"")
    yield "extent of 65 bits", file_of({"a": entry("U8", [2**64], 0, 0)}, b"")
    yield "negative extent", file_of({"a": entry("U8", [-1], 0, 1)}, bytes(1))
    yield "extent of 1.0", file_of({"a": entry("U8", [1.0], 0, 1)}, bytes(1))
    yield "offset as text", file_of({"a": {"dtype": "U8", "shape": [1], "data_offsets": ["0", 1]}}, bytes(1))
    yield "three offsets", file_of({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1, 1]}}, bytes(1))
    yield "one offset", file_of({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0]}}, bytes(1))
    yield "no offsets", file_of({"a": {"dtype": "U8", "shape": [1]}}, bytes(1))
    yield "no shape", file_of({"a": {"dtype": "U8", "data_offsets": [0, 1]}}, bytes(1))
    yield "no dtype", file_of({"a": {"shape": [1], "data_offsets": [0, 1]}}, bytes(1))
    yield "unknown dtype", file_of({"a": entry("F128", [1], 0, 16)}, bytes(16))
    yield "dtype in small letters", file_of({"a": entry("u8", [1], 0, 1)}, bytes(1))
    yield "unknown field", file_of({"a": entry("U8", [1], 0, 1, more=1)}, bytes(1))
    yield "65 extents", file_of({"a": entry("U8", [1] * 65, 0, 1)}, bytes(1))
    yield "tensor twice", file_of(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                                  b'"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', bytes(2))
    yield "tensor of nothing twice", file_of(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'
                                             b'"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}', b"")
    yield "dtype twice", file_of(b'{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', bytes(1))
    yield "metadata", file_of({"__metadata__": {"a": "b"}, **good}, bytes(8))
    yield "metadata of null", file_of({"__metadata__": None, **good}, bytes(8))
    yield "metadata with number", file_of({"__metadata__": {"a": 1}, **good}, bytes(8))
    yield "metadata twice", file_of(b'{"__metadata__":{},"__metadata__":{}}', b"")
    yield "metadata as a list", file_of({"__metadata__": [], **good}, bytes(8))
    yield "a list", file_of(b"[]", b"")
    yield "null", file_of(b"null", b"")
    yield "tensor of null", file_of({"a": None}, b"")
    yield "invalid UTF-8", file_of(b'{"\xff":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', bytes(1))
    yield "half a surrogate", file_of(b'{"\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', bytes(1))
    yield "trailing comma", file_of(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},}', bytes(1))
    yield "comment", file_of(b'{/* */}', b"")
    yield "byte order mark", file_of(b"\xef\xbb\xbf{}", b"")
    yield "deep", file_of(b'{"a":' + b"[" * 100000, b"")
    yield "half a byte", file_of({"a": entry("F4", [3], 0, 1)}, bytes(1))


def check_verdicts(program, folder):
    source, target = folder / "in.safetensors", folder / "out.safetensors"
    count = 0
    for name, content in hostile_files():
        source.write_bytes(content)
        package, result = verdict_of_package(source), copy(program, source, target)
        assert result.returncode in (0, 1), (name, result)
        library = result.returncode == 0
        assert result.returncode == 0 or result.stderr.startswith(str(source)), (name, result.stderr)
        if name in STRICTER:
            assert package and not library, (name, package, library)
        else:
            assert package == library, f"{name}: package {package}, library {library}: {result.stderr}"
        count += 1

    # Random damage: whatever the library accepts, the package accepts too.
    random.seed(11)
    whole = file_of({"a": entry("F32", [2], 0, 8), "b": entry("I16", [1, 3], 8, 14)}, bytes(range(14)))
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(random.randint(1, 3)):
            content[random.randrange(len(content))] = random.choice(b'0123456789{}[]",: \x00\xffabFI')
        source.write_bytes(content)
        result = copy(program, source, target)
        assert result.returncode in (0, 1), (bytes(content), result)
        if result.returncode == 0:
            assert verdict_of_package(source), bytes(content)
        count += 1
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path, help="the built safetensors_copy")
    program = parser.parse_args().program.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tensors = check_values(program, folder)
        files = check_verdicts(program, folder)
    print(f"safetensors {safetensors.__version__}: {tensors} tensors equal both ways, {files} files judged alike "
          f"({len(STRICTER)} the library refuses on purpose)")


if __name__ == "__main__":
    main()
