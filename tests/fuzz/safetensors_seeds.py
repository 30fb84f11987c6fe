"""Writes small safetensors files for the fuzzer to start from.

    python3 tests/fuzz/safetensors_seeds.py corpus
"""
import argparse
import json
import pathlib
import struct

SEEDS = {
    "empty": ({}, 0),
    "metadata": ({"__metadata__": {"format": "pt", "a": "b"}}, 0),
    "one": ({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}, 24),
    "scalar": ({"w": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}}, 8),
    "many": ({"__metadata__": None,
              "a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]},
              "b": {"dtype": "F16", "shape": [2], "data_offsets": [8, 12]},
              "c": {"dtype": "BF16", "shape": [0, 7], "data_offsets": [12, 12]},
              "d": {"dtype": "BOOL", "shape": [3], "data_offsets": [12, 15]},
              "e\u00e9": {"dtype": "F4", "shape": [2], "data_offsets": [15, 16]}}, 16),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, (header, size) in SEEDS.items():
        text = json.dumps(header, ensure_ascii=False).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(text)) + text + bytes(range(size)))


if __name__ == "__main__":
    main()
