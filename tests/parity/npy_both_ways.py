"""Checks that .npy files of NumPy are read by the library and the other way round.

    pip install numpy
    python3 tests/parity/npy_both_ways.py build/tests/programs/npy_copy

The program copies a file through the library's reader and writer (tests/data/npy_copy.cpp).
"""
import argparse
import pathlib
import subprocess
import tempfile

import numpy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path, help="the built npy_copy")
    program = parser.parse_args().program.resolve()
    generator = numpy.random.default_rng(3)
    count = 0
    with tempfile.TemporaryDirectory() as name:
        source, target = pathlib.Path(name) / "in.npy", pathlib.Path(name) / "out.npy"

        def check(array, version):
            with open(source, "wb") as file:
                numpy.lib.format.write_array(file, array, version=version)
            kind = "float" if array.dtype.kind == "f" else "int"
            result = subprocess.run([program, kind, source, target], capture_output=True, text=True)
            assert result.returncode == 0, (array.dtype, array.shape, version, result.stderr)
            back = numpy.load(target)
            wanted = array.astype(numpy.float64 if kind == "float" else numpy.int64)
            assert back.dtype == wanted.dtype and back.shape == wanted.shape, (array.dtype, array.shape)
            assert numpy.array_equal(back, wanted), (array.dtype, array.shape)

        for type_name in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "b1"]:
            for order in ["<", ">"]:
                for shape in [(), (1,), (7,), (3, 4), (2, 3, 5), (4, 0, 2)]:
                    values = (generator.standard_normal(shape) * 50).astype(numpy.float64)
                    values = numpy.abs(values) if type_name[0] == "u" else values
                    array = numpy.asarray(values).astype(numpy.dtype(order + type_name))
                    for version in [(1, 0), (2, 0), (3, 0)]:
                        check(array, version)
                        check(numpy.asfortranarray(array), version)
                        count += 2
    print(f"numpy {numpy.__version__}: {count} arrays equal both ways")


if __name__ == "__main__":
    main()
