#!/usr/bin/env python3
"""Counts the instructions of a training step, written by hand and through Trainer, and fails where Trainer takes more
than it may:

    python3 benchmarks/zero_overhead/count.py build/release/benchmarks/zero_overhead

A step's instructions are (count of a run of 24 steps - count of a run of 8 steps) / 16, under callgrind. The difference
of two runs leaves out whatever happens once (the model, the data, an earlier experience, Fisher information, the first
allocation of each buffer, the first epoch, in which a cache fills) and keeps all that happens in a step or at an
epoch's end, in whatever function it is; switching the count on and off at one function would count its callers' work
on neither side. Both ways must leave the same bits.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

FIRST, LAST = 8, 24
# A `rep stosb` or `rep movsb` counts as one instruction a byte: memset and memcpy are kept from using them.
MANY = 1 << 40
TUNABLES = f"glibc.cpu.x86_rep_stosb_threshold={MANY}:glibc.cpu.x86_rep_movsb_threshold={MANY}"
LIMITS = {
    "None": 1.001,
    "Prefix": 1.01,
    "OnlineEwc": 1.01,
    "Replay": 1.01,
    "Pcgrad": 1.01,
    "AllFour": 1.01,
}


def run(program, valgrind, folder, case, way, steps):
    """What the program printed, and how many instructions it took."""
    command = [valgrind, "--tool=callgrind", f"--callgrind-out-file={folder}/{case}.{way}.{steps}", program,
               "--case", case, "--way", way, "--steps", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True,
                          env={**os.environ, "GLIBC_TUNABLES": TUNABLES})
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not counted:
        sys.exit(f"{' '.join(command)}\nfailed with {done.returncode}:\n{done.stderr}")
    return done.stdout.strip(), int(counted[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the zero_overhead that was built")
    parser.add_argument("--valgrind", default="valgrind")
    parser.add_argument("--case", action="append", choices=LIMITS, help="only this case; may be repeated")
    parser.add_argument("--profiles", help="keep the profiles in this folder, for callgrind_annotate")
    arguments = parser.parse_args()

    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.profiles or temporary
        os.makedirs(folder, exist_ok=True)
        print(f"{'instructions a step':20} {'by hand':>12} {'by Trainer':>12} {'more':>8} {'ratio':>8} {'limit':>7}")
        for case in arguments.case or LIMITS:
            step = {}
            printed = {}
            for way in ("hand", "trainer"):
                first, last = (run(arguments.program, arguments.valgrind, folder, case, way, n) for n in (FIRST, LAST))
                printed[way] = (first[0], last[0])
                step[way] = (last[1] - first[1]) / (LAST - FIRST)
            ratio = step["trainer"] / step["hand"]
            remark = ""
            if ratio > LIMITS[case]:
                remark = "  TOO MANY"
            if printed["hand"] != printed["trainer"]:
                remark += f"  OTHER BITS: {printed['hand']} by hand, {printed['trainer']} by Trainer"
            failed = failed or bool(remark)
            print(f"{case:20} {step['hand']:12.0f} {step['trainer']:12.0f} {step['trainer'] - step['hand']:8.0f} "
                  f"{ratio:8.5f} {LIMITS[case]:7.3f}{remark}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
