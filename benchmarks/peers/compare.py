#!/usr/bin/env python3
"""Training steps of didact beside those of PyTorch, PEFT and Avalanche, on the same work and in turn: peers.sh runs it.

A row first runs every mode of the peer once (attention paths, compiled or not), a disturbed one twice, and keeps the
best. Then rounds follow: this library, the peer, this library, the peer, each a process of its own. The ratio is taken
within a round; the table shows the median, the least and the most of the rounds that other processes left undisturbed:
in which they had less than a twentieth of the processors' time, while each step was counted, or the whole process where
its steps are too short to notice. `--only` takes rows whose name contains a text.

In each round it is also measured what the machine does at most: multiply-adds in registers, bytes read from memory. A
row's "share of peak" is the rate at which its step does the products, or reads the bytes, that it cannot do without; at
a share of 1 the ratio would be the one under "at most".

The work is the same for both, from a batch to changed weights: the same losses and gradients. How it is done is each
side's own; see NOTE.
"""
import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time

NOTE = ("Both sides make the same losses and gradients, but with LoRA or the head alone the pooler trains here and not "
        "there. Here the last block computes what the head reads of it, a classifier the first token of each sequence; "
        "the peers compute every token there. Beside Avalanche, both sides are timed from the second experience on. EWC: "
        "both take the empirical Fisher information, here of each sample, Avalanche of each batch; Avalanche has a "
        "penalty for each past experience, here one is for all.")
ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


class Mode:
    """One way in which a peer does a row's work: its script's arguments and, where it prints lines of other work too,
    the `mode`s of those that count: the fastest does."""

    def __init__(self, arguments, *lines):
        self.arguments, self.lines = arguments.split(), lines

    def __str__(self):
        return " ".join(self.arguments)


class Row:
    """One line of the table: what this library runs, what the peer runs (the best of several modes), what is compared
    and which ratio is aimed at."""

    def __init__(self, name, ours, script, modes, goal, measure="tokens_per_s"):
        self.name, self.ours, self.script, self.modes = name, ours.split(), script, modes
        self.goal, self.measure = goal, measure

    def ratio(self, ours, peer):
        """Above 1 where this library is faster."""
        if self.measure == "tokens_per_s":
            return ours["tokens_per_s"] / peer["tokens_per_s"]
        return peer[self.measure] / ours[self.measure]


def transformer(name, flags, goal, peer_flags="", compiled=True, **rest):
    """A row of torch_transformer.py: the flags of both, then the peer's modes."""
    modes = ["", "--attn eager"] + (["--compile", "--compile --attn eager"] if compiled else [])
    return Row(name, "transformer " + flags, "torch_transformer.py", [Mode(f"{flags} {peer_flags} {m}") for m in modes],
               goal, **rest)


def small(name, mode, goal, **peers):
    """A row of torch_small.py: this library's mode, then what the peer is and the modes of its lines."""
    modes = [Mode(f"--what {what} --batch 10", *lines) for what, lines in peers.items()]
    return Row(name, f"mlp --mode {mode}", "torch_small.py", modes, goal, "step_ms")


def transformer_rows(precision):
    """The rows of one precision; goals are set for MiniLM's full step in fp32 and for all rows in bf16."""
    bf16 = precision == "bf16"
    name = lambda text: text + (", bf16" if bf16 else "")
    flags = lambda text: text + (" --precision bf16" if bf16 else "")
    goal = lambda of_bf16, of_fp32=None: of_bf16 if bf16 else of_fp32
    bucketed = flags("--model minilm --lengths bucketed")
    return [
        transformer(name("MiniLM-L6, full, 32 x 128"), flags("--model minilm"), goal(2, 1.3)),
        transformer(name("BERT-base, full, 16 x 128"), flags("--model bert-base"), goal(1.8)),
        transformer(name("GPT-2 124M, full, 4 x 256"), flags("--model gpt2"), goal(2)),
        transformer(name("MiniLM-L6, real lengths, padded peer"), flags("--model minilm --lengths lognormal"), goal(6),
                    compiled=False),
        Row(name("MiniLM-L6, real lengths, bucketed peer"), flags("transformer --model minilm --lengths lognormal"),
            "torch_transformer.py", [Mode(bucketed), Mode(bucketed + " --attn eager")], goal(3)),
        transformer(name("MiniLM-L6, LoRA r 8"), flags("--model minilm --mode lora"), goal(2.5)),
        transformer(name("MiniLM-L6, half frozen, later epochs"), flags("--model minilm --mode half"), goal(4),
                    compiled=False),
        transformer(name("MiniLM-L6, head only, later epochs"), flags("--model minilm --mode head"), goal(100, 100),
                    compiled=False),
        transformer(name("MiniLM-L6, dropout 0.1"), flags("--model minilm --dropout 0.1"), goal(4)),
    ]


def start(bf16):
    """From nothing to the first step, in the precision that is the faster on this processor; the peer in its best."""
    once = "--steps 1 --warmup 0"
    peer = once + " --wait-quiet 0 --tries 1"  # a disturbed step is not run again: the time is that of one
    modes = [Mode(peer)]
    if bf16:
        modes += [Mode(peer + " --precision bf16"), Mode(peer + " --precision bf16 --attn eager")]
    flags, name = (" --precision bf16", ", bf16") if bf16 else ("", "")
    return Row("start to first step, MiniLM-L6" + name, "transformer " + once + flags, "torch_transformer.py", modes, 10,
               "wall_ms")


OTHER_ROWS = [
    small("MLP, batch 10, SGD, 1 thread", "sgd", 5, torch=["sgd", "sgd-fused"], compile=["sgd-fused"]),
    small("MLP, batch 10, SGD, Avalanche", "sgd", 8, avalanche=["naive"]),
    small("MLP, EWC, Avalanche", "ewc", 30, avalanche=["ewc"]),
    small("MLP, replay, Avalanche", "replay", 8, avalanche=["replay"]),
    Row("clip + AdamW, 110 M parameters", "optimizer", "torch_optim.py", [Mode("--threads 2")], 1.7, "step_ms"),
]
MEMORY_GOALS = {"MiniLM-L6, full, 32 x 128": 0.4, "MiniLM-L6, LoRA r 8": 0.25,
                "MiniLM-L6, half frozen, later epochs": 0.25}
MEMORY_GOALS |= {name + ", bf16": goal for name, goal in MEMORY_GOALS.items()}


def cpu():
    """What the system says of the processor."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    return {key.strip(): value.strip() for key, value in lines.items()}


def choose_rows(precision):
    """What bf16's goals are set for is a processor with AMX. Another has its rows in fp32, and MiniLM's full step in
    bf16 as well where it multiplies bf16 faster, as AMD's do; the first step is in the faster precision."""
    flags = cpu().get("flags", "").split()
    amx, dot_products = "amx_bf16" in flags, "avx512_bf16" in flags and "AMD" in cpu().get("vendor_id", "")
    fp32, bf16 = transformer_rows("fp32"), transformer_rows("bf16")
    starts = {"auto": [amx or dot_products], "fp32": [False], "bf16": [True], "both": [False, True]}[precision]
    if precision == "auto":
        rows = fp32[:1] + bf16 if amx else fp32 + (bf16[:1] if dot_products else [])
    else:
        rows = {"fp32": fp32, "bf16": bf16, "both": fp32 + bf16}[precision]
    if not amx:
        for row in bf16:
            row.goal = None
    print(f"The CPU has {'AMX: the goals of rows in bf16 count' if amx else 'no AMX: rows in bf16 have no goals'}.",
          flush=True)
    return rows + OTHER_ROWS + [start(in_bf16) for in_bf16 in starts]


def positive(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"is '{text}', a whole number above 0 was expected")
    return int(text)


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ours", default=os.path.join(ROOT, "build", "release", "benchmarks", "peers"))
    p.add_argument("--peers", default=os.path.join(ROOT, "..", "shared", "peers"), help="folder of the peers' scripts")
    p.add_argument("--python", default=sys.executable, help="Python that runs the peers")
    p.add_argument("--rounds", type=positive, default=5, help="undisturbed ones; twice as many are tried")
    p.add_argument("--steps", type=positive, default=5, help="counted steps of a process")
    p.add_argument("--only", default="", help="rows whose name contains this")
    p.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16", "both"],
                   help="auto: what this processor is best at")
    p.add_argument("--list", action="store_true", help="print the names of the rows, measure nothing")
    p.add_argument("--out", default=os.path.join(ROOT, "benchmarks", "results"))
    p.add_argument("--resume", action="store_true",
                   help="keep the rows in --out that this program measured on this kind of processor with as many rounds")
    return p.parse_args()


def busy_seconds():
    """Of all processors since the system began, with what a virtual machine's neighbours took; then the part of it that
    this process and those it waited for had."""
    with open("/proc/stat", encoding="utf-8") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    idle, waiting = ticks[3:5]
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    own = sum(each.ru_utime + each.ru_stime for each in used)
    return (sum(ticks) - idle - waiting) / os.sysconf("SC_CLK_TCK"), own


def run(command):
    """The process's JSON lines, with its wall time in ms and the share of all processors that others had meanwhile."""
    busy, own = busy_seconds()
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - began
    busy, own = (after - before for after, before in zip(busy_seconds(), (busy, own)))
    measured = {"wall_ms": seconds * 1e3, "others": max(0.0, busy - own) / seconds / os.cpu_count()}
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-1000:]}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [dict(line, **measured) for line in lines if "error" not in line]


def optimizer_line(lines, threads):
    """clip + fused AdamW, of the peer's separate lines."""
    parts = {line["mode"]: line for line in lines if line["threads"] == threads}
    return dict(parts["fused"], step_ms=parts["fused"]["step_ms"] + parts["clip_norm"]["step_ms"])


def measure_ours(a, row):
    command = [a.ours, *row.ours]
    if row.ours[0] == "transformer" and "--steps" not in row.ours:
        command += ["--steps", str(a.steps)]
    return run(command)[-1]


def measure_peer(a, row, mode):
    command = [a.python, os.path.join(a.peers, row.script), *mode.arguments]
    if row.script == "torch_transformer.py" and "--steps" not in mode.arguments:
        command += ["--steps", str(3 * a.steps if "--lengths" in mode.arguments else a.steps), "--wait-quiet", "2"]
    lines = run(command)
    if row.script == "torch_optim.py":
        return optimizer_line(lines, 2)
    lines = [line for line in lines if not mode.lines or line["mode"] in mode.lines]
    if not lines:
        raise RuntimeError(f"{row.script} {mode}: printed no result")
    line = min(lines, key=lambda line: line[row.measure]) if mode.lines else lines[-1]
    # PyTorch's memory is in MiB.
    return dict(line, rss_mb=line["rss_mb"] * 1.048576, arguments=str(mode))


def counted_steps(a, row):
    """Of one process of this library; the peer's counts as many, or more."""
    return int(row.ours[row.ours.index("--steps") + 1]) if "--steps" in row.ours else a.steps


def undisturbed(result, steps):
    if "quiet_steps" in result:
        return result["quiet_steps"] >= min(3, steps)
    return result["others"] < 0.05


def measure_limits(a, ours):
    return run([a.ours, "limits", "--threads", str(ours["threads"]), "--precision", ours["precision"]])[-1]


def share_of_peak(row, ours, limits):
    """None where a row's necessary work, or the machine's peak at it, is not known."""
    for unit in ("gflop", "gb"):
        rate = unit + "_per_s"
        if unit in ours and rate in limits:
            done = ours[unit] / ours["wall_ms"] * 1e3 if row.measure == "wall_ms" else ours[rate]
            return done / limits[rate]
    return None


def compare(a, row):
    best, tried = None, []
    for mode in row.modes:
        try:
            result = measure_peer(a, row, mode)
            if not undisturbed(result, counted_steps(a, row)):  # or another mode would be chosen for good
                tried.append(result)
                result = measure_peer(a, row, mode)
        except RuntimeError as error:
            tried.append({"arguments": str(mode), "error": str(error)[-300:]})
            continue
        tried.append(result)
        if best is None or row.ratio(best[1], result) < 1:
            best = (mode, result)
    if best is None:
        raise RuntimeError(f"{row.name}: no mode of the peer ran: {tried[-1]['error']}")
    rounds, quiet, steps = [], 0, counted_steps(a, row)
    while quiet < a.rounds and len(rounds) < 2 * a.rounds:
        ours, peer = measure_ours(a, row), measure_peer(a, row, best[0])
        limits = measure_limits(a, ours)
        rounds.append({"ours": ours, "peer": peer, "limits": limits, "ratio": row.ratio(ours, peer),
                       "share": share_of_peak(row, ours, limits),
                       "undisturbed": undisturbed(ours, steps) and undisturbed(peer, steps)})
        quiet += rounds[-1]["undisturbed"]
    kept = [r for r in rounds if r["undisturbed"]] or rounds
    ratios = [r["ratio"] for r in kept]
    # The peer's script of the optimizer holds the moments of three of them.
    memory = [r["ours"]["rss_mb"] / r["peer"]["rss_mb"] for r in kept if row.script != "torch_optim.py"]
    counted = [r for r in kept if r["share"]]
    share = statistics.median(r["share"] for r in counted) if counted else None
    at_most = statistics.median(r["ratio"] / r["share"] for r in counted) if counted else None
    value = lambda side: statistics.median(r[side][row.measure] for r in kept)
    return {"row": row.name, "measure": row.measure, "ours": value("ours"), "peer": value("peer"),
            "peer_mode": str(best[0]), "ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios),
            "share_of_peak": share, "at_most": at_most, "rounds": len(kept), "undisturbed": quiet, "goal": row.goal,
            "memory": statistics.median(memory) if memory else None, "memory_goal": MEMORY_GOALS.get(row.name),
            "peer_modes": tried, "all_rounds": rounds}


def digest(paths):
    sha = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            sha.update(file.read())
    return sha.hexdigest()


def measured_by(a):
    """What rows of a table must share: the programs of both sides, kind of processor, how often and how long."""
    scripts = [os.path.join(a.peers, name) for name in sorted(os.listdir(a.peers)) if name.endswith(".py")]
    versions = ("import importlib.metadata as m; print(*(f'{d.name} {d.version}' for d in m.distributions() if d.name "
                "in ('torch', 'transformers', 'peft', 'avalanche-lib')), sep=', ')")
    try:
        peers = subprocess.run([a.python, "-c", versions], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"--python {a.python}: does not run the peers ({error})")
    keys = ("vendor_id", "cpu family", "model", "model name", "CPU implementer", "CPU part")
    return {"program": digest([a.ours]), "scripts": digest([os.path.abspath(__file__), *scripts]), "peers": peers,
            "processor": ", ".join(cpu().get(key, "") for key in keys), "rounds": a.rounds, "steps": a.steps}


def measured_before(a, by):
    """By name, the rows in --out that need not be measured again. A file with others is kept beside the new one."""
    path = os.path.join(a.out, "peers.json")
    if not os.path.exists(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
        kept = {r["row"]: r for r in before if a.resume and r.get("measured_by") == by}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f"{path}: not a table of this program's ({error}); move it, or name another --out")
    if a.resume:
        print(f"Of {len(before)} rows measured before, {len(kept)} are kept.", flush=True)
    if len(kept) < len(before):
        number = 1
        while os.path.exists(f"{path}.before.{number}"):
            number += 1
        os.rename(path, f"{path}.before.{number}")
        print(f"{path} is now {path}.before.{number}", flush=True)
    return kept


def write(path, text):
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".part", path)


def reached(result):
    if result["goal"] is None:
        return "-"
    return f"{result['goal']:g} " + ("reached" if result["ratio"] >= result["goal"] else "MISSED")


def peak(result):
    if result["share_of_peak"] is None:
        return "-"
    return f"{result['share_of_peak']:.2f} (at most {result['at_most']:.2f})"


def memory(result):
    goal = result["memory_goal"]
    if result["memory"] is None:
        return "-"
    text = f"{result['memory']:.2f}"
    return text if goal is None else f"{text} (goal {goal:g} {'reached' if result['memory'] <= goal else 'MISSED'})"


def table(results):
    lines = [f"{'row':40s} {'ours / best peer':>24s}  {'n':>2s}  {'goal':14s} {'share of peak':24s} "
             f"{'memory, ours / peer':28s} ours, peer, the peer's best mode"]
    for r in results:
        unit = "tokens/s" if r["measure"] == "tokens_per_s" else "ms"
        digits = 0 if unit == "tokens/s" else 3
        lines.append(f"{r['row']:40s} {r['ratio']:8.2f} ({r['least']:.2f} to {r['most']:.2f})".ljust(65) +
                     f"  {r['rounds']:2d}  {reached(r):14s} {peak(r):24s} {memory(r):28s} {r['ours']:.{digits}f}, "
                     f"{r['peer']:.{digits}f} {unit}, {r['peer_mode']}" +
                     ("" if r["undisturbed"] >= r["rounds"] else "  [disturbed]") +
                     "".join(f"  [failed: {m['arguments']}]" for m in r["peer_modes"] if "error" in m))
    return "\n".join(lines) + "\n"


def picture(results):
    """Ratios as bars on a logarithmic axis, goals as marks; a bar's thin line spans the rounds."""
    import math
    left, width, step, top = 300, 560, 30, 46
    most = max([1.0] + [max(r["most"], r["goal"] or 1, r["at_most"] or 1) for r in results])
    least = min([1.0] + [min(r["least"], r["at_most"] or 1) for r in results])
    low, high = math.floor(math.log10(least) * 2) / 2, math.ceil(math.log10(most) * 2) / 2
    x = lambda ratio: left + width * (math.log10(ratio) - low) / (high - low)
    height = top + step * len(results) + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 80}" height="{height}" '
             f'font-family="sans-serif" font-size="13">',
             f'<rect width="100%" height="100%" fill="white"/>',
             f'<text x="10" y="24" font-size="15" font-weight="bold">Training steps: times as fast as the best peer '
             f'(logarithmic)</text>',
             f'<text x="{left + width + 60}" y="{top - 10}" text-anchor="end" fill="#555">ratio</text>']
    for exponent in range(math.floor(low), math.ceil(high) + 1):
        for factor in (1, 2, 5):
            tick = factor * 10.0**exponent
            if not low <= math.log10(tick) <= high:
                continue
            parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top - 6}" y2="{height - 34}" '
                         f'stroke="{"#333" if tick == 1 else "#ddd"}"/>'
                         f'<text x="{x(tick):.1f}" y="{height - 16}" text-anchor="middle" fill="#555">{tick:g}</text>')
    for i, r in enumerate(results):
        y = top + step * i
        begin, end = sorted((x(1), x(r["ratio"])))
        parts.append(f'<text x="{left - 10}" y="{y + 15}" text-anchor="end">{r["row"]}</text>'
                     f'<rect x="{begin:.1f}" y="{y + 3}" width="{max(end - begin, 1):.1f}" height="16" '
                     f'fill="{"#0072b2" if r["ratio"] >= 1 else "#d55e00"}"/>'
                     f'<line x1="{x(r["least"]):.1f}" x2="{x(r["most"]):.1f}" y1="{y + 11}" y2="{y + 11}" '
                     f'stroke="black"/>'
                     f'<text x="{left + width + 60}" y="{y + 16}" text-anchor="end">{r["ratio"]:.2f}</text>')
        if r["at_most"]:
            parts.append(f'<path d="M {x(r["at_most"]):.1f} {y} v 22" stroke="#999" stroke-width="3"/>')
        if r["goal"]:
            parts.append(f'<path d="M {x(r["goal"]):.1f} {y} v 22" stroke="#009e73" stroke-width="3"/>')
    parts.append(f'<text x="10" y="{height - 16}" fill="#009e73">green mark: goal</text>'
                 f'<text x="130" y="{height - 16}" fill="#777">grey: at peak</text></svg>')
    return "\n".join(parts) + "\n"


def main():
    a = parse()
    all_rows = choose_rows(a.precision)
    rows = [row for row in all_rows if a.only in row.name]
    if not rows:
        sys.exit(f"--only {a.only}: no row is called so; there are: {'; '.join(row.name for row in all_rows)}")
    if a.list:
        print("\n".join(row.name for row in rows))
        return
    for path in (a.ours, a.peers):
        if not os.path.exists(path):
            sys.exit(f"{path}: not found; see --help")
    try:
        os.makedirs(a.out, exist_ok=True)
    except OSError as error:
        sys.exit(f"--out {a.out}: not a folder that can be written to ({error})")
    by = measured_by(a)
    kept = measured_before(a, by)
    names = [each.name for each in all_rows]
    results, failed = [], []
    for row in rows:
        try:
            if row.name not in kept:
                kept[row.name] = dict(compare(a, row), measured_by=by)
        except RuntimeError as error:
            failed.append(row.name)
            print(f"{row.name}: {error}", file=sys.stderr, flush=True)
            continue
        print(table([kept[row.name]]).splitlines()[1], flush=True)
        # Row by row, so that a run that ends early leaves what it measured.
        results = sorted(kept.values(), key=lambda r: names.index(r["row"]) if r["row"] in names else len(names))
        write(os.path.join(a.out, "peers.json"), json.dumps(results, indent=1) + "\n")
        write(os.path.join(a.out, "peers.svg"), picture(results))
        write(os.path.join(a.out, "peers.txt"), table(results) + f"\n{NOTE}\n")
    if results:
        print("\n" + table(results) + f"\n{NOTE}\n", end="")
        print(f"\n{os.path.join(a.out, 'peers.json')}, peers.svg, peers.txt")
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
