#!/usr/bin/env python3
"""examples/finetune beside a fine-tuning script of Python Transformers: same files, same flags, same seeds, run in turn.

    benchmarks/peers/finetune.py --model MODEL --data ../shared/data --python venv/bin/python

Prints a line for each run, then for each data set: accuracy of both (mean and 95 % t interval over seeds), their
difference seed by seed, and the ratios of training seconds and of peak memory. Ends with 1 where the accuracy is below
the peer's by more than that interval holds. The peer prints one JSON object with `accuracy`, `train_seconds` and
`peak_memory_mb` (in MiB) as its last line and takes the flags below; its Python needs torch and transformers.

With one seed both start from the same random classifier, which PyTorch draws: on banking77 the draw alone moves the
accuracy by some 0.02, as much as all else that a seed decides. --own-starts lets each side draw its own.

    benchmarks/peers/finetune.py --model MODEL --precision bf16 --against fp32

takes `finetune` in fp32 for the peer: what is lost and won by bf16.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
STUDENT_T_975 = [float("inf"), 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]  # by degrees of freedom


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="Hugging Face folder of a BERT-type model")
    p.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    p.add_argument("--sets", default="symptom-to-disease,banking77", help="folders with train.tsv and test.tsv")
    p.add_argument("--finetune", default=os.path.join(ROOT, "build", "release", "examples", "finetune"))
    p.add_argument("--peer", default=os.path.join(ROOT, "..", "shared", "peers", "hf_finetune.py"))
    p.add_argument("--python", default=sys.executable, help="Python that runs the peer")
    p.add_argument("--seeds", type=int, default=3, choices=range(2, 11), metavar="2..10")
    p.add_argument("--epochs", type=int, default=3)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--lr", type=float, default=5e-5)
    p.add_argument("--max-length", type=int, default=128)
    p.add_argument("--freeze", default="none")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--limit", type=int, default=0, help="training rows; each side draws its own by the seed")
    p.add_argument("--precision", default="fp32", choices=["fp32", "bf16"], help="this library's")
    p.add_argument("--against", default="peer", choices=["peer", "fp32"], help="fp32: this library in fp32")
    p.add_argument("--own-starts", action="store_true", help="each side draws its own classifier")
    p.add_argument("--json", help="file for all runs")
    return p.parse_args()


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


# Writes MODEL with a classifier for the labels of TRAIN and TEST to FOLDER, drawn by SEED.
DRAW = """
import csv, shutil, sys, torch, transformers
model, train, test, seed, folder = sys.argv[1:]
labels = set()
for path in train, test:
    with open(path, encoding="utf-8", newline="") as file:
        labels |= {row["label"] for row in csv.DictReader(file, delimiter="\\t", quoting=csv.QUOTE_NONE)}
labels = sorted(labels)
torch.manual_seed(int(seed))
start = transformers.AutoModelForSequenceClassification.from_pretrained(
    model, num_labels=len(labels), id2label=dict(enumerate(labels)), label2id={l: i for i, l in enumerate(labels)})
start.save_pretrained(folder)
transformers.AutoTokenizer.from_pretrained(model).save_pretrained(folder)
"""


def start_of(a, train, test, seed, folder):
    """The folder from which both sides start."""
    if a.own_starts or a.against == "fp32":
        return a.model
    done = subprocess.run([a.python, "-c", DRAW, a.model, train, test, str(seed), folder], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"a classifier for {train} could not be drawn:\n{done.stderr[-2000:]}")
    return folder


def interval(values):
    """Mean and half width of the 95 % t interval."""
    return statistics.mean(values), STUDENT_T_975[len(values) - 1] * statistics.stdev(values) / len(values) ** 0.5


def plus_minus(values, digits=4):
    mean, half = interval(values)
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def write(path, runs):
    """All runs so far to PATH.part, which takes the place of PATH at the end: so one that fails loses none, and no
    earlier file. Called at the beginning, too, so that a file that cannot be written is found then."""
    if not path:
        return
    try:
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(runs, file, indent=1)
    except OSError as error:
        sys.exit(f"--json {path}: cannot be written ({error})")


def main():
    a = parse()
    known = re.fullmatch("none|embeddings|prefix:[0-9]+", a.freeze)
    if a.against == "peer" and not known:
        sys.exit(f"--freeze {a.freeze}: the peer's script freezes none, embeddings or prefix:N as `finetune` does")
    folders = [os.path.join(a.data, name, file) for name in a.sets.split(",") for file in ("train.tsv", "test.tsv")]
    for path in (a.finetune, a.data, a.model, *folders, *([a.peer] if a.against == "peer" else [])):
        if not os.path.exists(path):
            sys.exit(f"{path}: not found; see --help")
    runs, below = [], []
    write(a.json, runs)
    for name in a.sets.split(","):
        folder = os.path.join(a.data, name)
        mine, peer = [], []
        train, test = os.path.join(folder, "train.tsv"), os.path.join(folder, "test.tsv")
        for seed in range(1, a.seeds + 1):
            with tempfile.TemporaryDirectory() as start:
                flags = ["--model", start_of(a, train, test, seed, start), "--train", train, "--test", test,
                         "--epochs", str(a.epochs), "--batch", str(a.batch), "--lr", str(a.lr), "--max-length",
                         str(a.max_length), "--freeze", a.freeze, "--seed", str(seed), "--threads", str(a.threads),
                         "--limit", str(a.limit)]
                own = lambda precision: [a.finetune, *flags, "--precision", precision, "--json", "-", "--quiet"]
                other = [a.python, a.peer, *flags] if a.against == "peer" else own("fp32")
                for system, command, results in (("didact", own(a.precision), mine), (a.against, other, peer)):
                    result = run(command)
                    if system == "peer":
                        result["peak_memory_mb"] *= 1.048576  # the peer's is in MiB
                    results.append(result)
                    runs.append({"set": name, "system": system, **result})
                    write(a.json, runs)
                    print(f"{name}, seed {seed}, {system}: accuracy {result['accuracy']:.4f}, loss "
                          f"{result['loss']:.4f}, {result['train_seconds']:.1f} s, {result['peak_memory_mb']:.0f} MB",
                          flush=True)
        column = lambda results, key: [r[key] for r in results]
        difference = [x - y for x, y in zip(column(mine, "accuracy"), column(peer, "accuracy"))]
        mean, half = interval(difference)
        of = "the peer's" if a.against == "peer" else "fp32's"
        if mean + half < 0:
            below.append(name)
        print(f"{name}, {a.seeds} seeds: accuracy {plus_minus(column(mine, 'accuracy'))}, {a.against} "
              f"{plus_minus(column(peer, 'accuracy'))}, difference {plus_minus(difference)}; seconds "
              f"{plus_minus([x / y for x, y in zip(column(mine, 'train_seconds'), column(peer, 'train_seconds'))], 3)}"
              f" of {of}; peak memory "
              f"{plus_minus([x / y for x, y in zip(column(mine, 'peak_memory_mb'), column(peer, 'peak_memory_mb'))], 3)}"
              f" of {of}", flush=True)
    if a.json:
        os.replace(a.json + ".part", a.json)
    if below:
        sys.exit(f"accuracy below the peer's by more than the seeds' interval: {', '.join(below)}")


if __name__ == "__main__":
    main()
