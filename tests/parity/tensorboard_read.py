"""Reads a folder of event files with TensorBoard's own reader and compares its scalars with what was written.

    pip install tensorboard
    python3 tests/parity/tensorboard_read.py RUN_FOLDER EXPECTED_JSON

EXPECTED_JSON holds {tag: [[step, value], ...]}. Values must be equal after rounding to single precision, NaN to NaN; no
tag, step or value may be missing or left over. Ends with 0 where all agree, with 1 and a list of differences where not,
with 77 where the package `tensorboard` is not installed.
"""

import argparse
import json
import math
import struct
import sys


def single_precision(value):
    if value is None:
        return math.nan
    return struct.unpack("<f", struct.pack("<f", value))[0]


def equal(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

    accumulator = EventAccumulator(folder, size_guidance={SCALARS: 0})  # 0: keep all of them
    accumulator.Reload()
    return {tag: [(e.step, e.value) for e in accumulator.Scalars(tag)] for tag in accumulator.Tags()[SCALARS]}


def differences(found, expected):
    for tag in sorted(set(found) - set(expected)):
        yield f"{tag}: is in the file and was not expected"
    for tag, points in expected.items():
        if tag not in found:
            yield f"{tag}: is not in the file"
            continue
        if [step for step, _ in found[tag]] != [step for step, _ in points]:
            yield f"{tag}: steps {[step for step, _ in found[tag]]}, expected {[step for step, _ in points]}"
            continue
        for (step, value), (_, wanted) in zip(found[tag], points):
            if not equal(value, single_precision(wanted)):
                yield f"{tag}: {value} at step {step}, expected {wanted}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder with event files")
    parser.add_argument("expected", help="JSON file with {tag: [[step, value], ...]}")
    arguments = parser.parse_args()
    with open(arguments.expected, encoding="utf-8") as file:
        expected = json.load(file)
    try:
        found = read(arguments.folder)
    except ModuleNotFoundError as error:
        print(f"skipped: {error}")
        return 77
    wrong = list(differences(found, expected))
    for line in wrong:
        print(line)
    print(f"{sum(len(points) for points in found.values())} values under {len(found)} tags, {len(wrong)} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
