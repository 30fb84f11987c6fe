#!/usr/bin/env python3
"""Compares the metrics of didact/eval with scikit-learn, seqeval and SciPy on random data.

    python3 -m venv venv && venv/bin/pip install scikit-learn seqeval scipy
    venv/bin/python tests/parity/metrics.py build/tests/programs/metrics_dump [--seed 0] [--rounds 20]

Sends random data to the program (tests/eval/metrics_dump.cpp) as JSON and compares what it prints with what the other
libraries compute from the same data. Prints the largest difference of each number and exits with 1 where one is above
--tolerance. Answers of reading comprehension are compared with the rules of SQuAD's evaluate-v2.0.py, written down
here with Python's own `re` and `string`.
"""

import argparse
import json
import re
import string
import subprocess
import sys
import warnings
from collections import Counter, defaultdict

import numpy as np
from scipy import special, stats
from scipy.stats._resampling import BootstrapResult
from seqeval.metrics import sequence_labeling
from sklearn import metrics

warnings.filterwarnings("ignore")


class Differences:
    def __init__(self):
        self.largest = defaultdict(float)
        self.compared = Counter()

    def add(self, name, ours, theirs):
        ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
        if ours.shape != theirs.shape:
            sys.exit(f"{name}: shape {ours.shape} against {theirs.shape}")
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        difference = np.where(same, 0.0, np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs)))
        difference = np.where(np.isnan(difference), np.inf, difference)
        self.largest[name] = max(self.largest[name], float(difference.max(initial=0.0)))
        self.compared[name] += ours.size


def classification(draw):
    classes, n = draw.integers(2, 9), draw.integers(1, 200)
    gold = draw.choice(classes, n, p=draw.dirichlet(np.full(classes, 0.5)))
    predicted = np.where(draw.random(n) < 0.6, gold, draw.choice(classes, n, p=draw.dirichlet(np.full(classes, 0.5))))
    data = {"predicted": predicted.tolist(), "gold": gold.tolist()}

    def compare(out, differences):
        every = range(len(out["classes"]))
        p, r, f, s = metrics.precision_recall_fscore_support(gold, predicted, labels=every, zero_division=0)
        confusion = metrics.confusion_matrix(gold, predicted, labels=every)
        for name, theirs in (("precision", p), ("recall", r), ("f1", f), ("support", s),
                             ("false_positives", confusion.sum(0) - np.diag(confusion))):
            differences.add("class " + name, [c[name] for c in out["classes"]], theirs)
        differences.add("confusion matrix", out["confusion"], confusion)
        differences.add("accuracy", out["accuracy"], metrics.accuracy_score(gold, predicted))
        for average in ("macro", "micro", "weighted"):
            differences.add(f"{average} F1", out[f"{average}_f1"],
                            metrics.f1_score(gold, predicted, average=average, zero_division=0))
        differences.add("balanced accuracy", out["balanced_accuracy"],
                        metrics.balanced_accuracy_score(gold, predicted))
        differences.add("Matthews", out["matthews_correlation"], metrics.matthews_corrcoef(gold, predicted))

    return data, compare


def multi_label(draw):
    shape = draw.integers(1, 60), draw.integers(2, 9)
    gold = (draw.random(shape) < draw.choice([0, 0.05, 0.4], shape[1])).astype(int)  # some labels do not occur
    predicted = np.where(draw.random(shape) < 0.8, gold, (draw.random(shape) < 0.1).astype(int))

    def compare(out, differences):
        for average in ("macro", "micro"):
            differences.add(f"multi-label {average} F1", out[f"{average}_f1"],
                            metrics.f1_score(gold, predicted, average=average, zero_division=0))
        differences.add("multi-label accuracy", out["subset_accuracy"], metrics.accuracy_score(gold, predicted))

    return {"labels": int(shape[1]), **data_of(predicted.ravel().tolist(), gold.ravel().tolist())}, compare


def tagging(draw):
    tags = ["O"] * 6 + [f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC", "BRAND-NEW")] + ["B", "I"]
    if draw.random() < 0.6:
        tags = [t for t in tags if t[0] in "OBI" and len(t) != 1 or t == "O"]
    gold = [[str(t) for t in draw.choice(tags, draw.integers(1, 15))] for _ in range(draw.integers(1, 30))]
    predicted = [[g if draw.random() < 0.8 else str(draw.choice(tags)) for g in sentence] for sentence in gold]

    def compare(out, differences):
        def scores(average):
            return sequence_labeling.precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)

        names = sorted({e[0] for e in sequence_labeling.get_entities(gold)} |
                       {e[0] for e in sequence_labeling.get_entities(predicted)})
        if list(out["types"]) != names:
            sys.exit(f"types of entities: {list(out['types'])} against {names}")
        found = [[e[0], e[1], e[2] + 1] for sentence in predicted for e in sequence_labeling.get_entities(sentence)]
        differences.add("entities found", out["entities"] == found, True)
        for i, name in enumerate(("precision", "recall", "f1")):
            differences.add(f"entity {name}", out["micro"][name], scores("micro")[i])
            differences.add(f"entity {name} by type", [out["types"][t][name] for t in names], scores(None)[i])
        if names:
            differences.add("entity macro F1", out["macro_f1"], scores("macro")[2])
            differences.add("entity weighted F1", out["weighted_f1"], scores("weighted")[2])

    return data_of(predicted, gold), compare


def data_of(predicted, gold):
    return {"predicted": predicted, "gold": gold}


def squad_words(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def squad_f1(predicted, gold):
    guess, truth = squad_words(predicted), squad_words(gold)
    if not guess or not truth:
        return float(guess == truth)
    common = sum((Counter(guess) & Counter(truth)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(guess), common / len(truth)
    return 2 * precision * recall / (precision + recall)


def answers(draw):
    pieces = ["the", "A", "an", "The", "cat", "Dog", "U.S.", "1,000", "(1999)", "Zürich", "ÉCOLE", "naïve", "–", "a–b",
              "the/a", "theory", "Łódź", "東京", "don't", "x_y", "\u00a0", "№5", "½", "€", "“the”", "a", "--", "über"]
    glue = [" ", " ", " ", "", "\t", "  ", "-", "\u2003"]

    def text(limit):
        return "".join(str(draw.choice(pieces)) + str(draw.choice(glue)) for _ in range(draw.integers(0, limit)))

    questions = []
    for _ in range(40):
        gold = [text(4) for _ in range(draw.integers(0, 4))]
        predicted = gold[0] + str(draw.choice(["", " the", " cat", "."])) if gold and draw.random() < 0.5 else text(4)
        questions.append({"predicted": predicted, "gold": gold})

    def compare(out, differences):
        normalized = [squad_words(q["predicted"]) for q in questions]
        for ours, theirs, q in zip(out["normalized"], normalized, questions):
            if ours != theirs:
                print(f"answer {q['predicted']!r}: {ours} against {theirs}")
        differences.add("normalized answers", out["normalized"] == normalized, True)
        sums = {True: [], False: []}
        for q in questions:
            gold = [g for g in q["gold"] if squad_words(g)]
            scored = [(float(squad_words(q["predicted"]) == squad_words(g)), squad_f1(q["predicted"], g))
                      for g in gold or [""]]
            sums[bool(gold)].append((max(e for e, _ in scored), max(f for _, f in scored)))
        for name, part in (("all", sums[True] + sums[False]), ("with_answer", sums[True]), ("without", sums[False])):
            theirs = [*np.mean(part, axis=0), len(part)] if part else [0, 0, 0]
            differences.add(f"answers, {name}", out[name], theirs)

    return questions, compare


def regression(draw):
    n = int(draw.integers(2, 200))
    gold = draw.normal(size=n) * draw.choice([0.01, 1, 100]) + draw.choice([0, 50])
    if draw.random() < 0.4:
        gold = np.round(gold)
    predicted = gold * draw.normal() + draw.normal(size=n)
    if draw.random() < 0.4:
        predicted = np.round(predicted)
    if draw.random() < 0.1:
        gold = np.full(n, 3.0)

    def compare(out, differences):
        def number(x):
            return np.nan if x is None else x

        differences.add("mean squared error", out["mean_squared_error"], metrics.mean_squared_error(gold, predicted))
        differences.add("mean absolute error", out["mean_absolute_error"],
                        metrics.mean_absolute_error(gold, predicted))
        differences.add("R squared", out["r_squared"], metrics.r2_score(gold, predicted))
        differences.add("Pearson", number(out["pearson"]), stats.pearsonr(predicted, gold)[0])
        differences.add("Spearman", number(out["spearman"]), stats.spearmanr(predicted, gold)[0])

    return data_of(predicted.tolist(), gold.tolist()), compare


def calibration(draw):
    classes, n, bins = int(draw.integers(3, 8)), int(draw.integers(1, 300)), int(draw.integers(1, 20))
    p = special.softmax(draw.normal(size=(n, classes)) * 2, axis=1)
    gold = np.array([draw.choice(classes, p=row) for row in p])

    def compare(out, differences):
        confidence, right = p.max(1), p.argmax(1) == gold
        error = 0.0
        for b in range(bins):
            inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
            if inside.any():
                error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
        differences.add("calibration error", out["expected_calibration_error"], error)
        differences.add("Brier score", out["brier_score"],
                        metrics.brier_score_loss(gold, p, labels=list(range(classes))))
        differences.add("negative log likelihood", out["negative_log_likelihood"],
                        metrics.log_loss(gold, p, labels=list(range(classes))))

    return {"probabilities": p.ravel().tolist(), "gold": gold.tolist(), "bins": bins}, compare


def holm(p_values):
    order, adjusted, largest = np.argsort(p_values, kind="stable"), np.zeros(len(p_values)), 0.0
    for k, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - k) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def significance(draw):
    n, resamples, confidence = int(draw.integers(2, 12)), 999, float(draw.choice([0.8, 0.9, 0.95, 0.99]))
    b = draw.gamma(2.0, size=n)
    a = b + draw.normal(0.5, 1.0, size=n)
    p_values = draw.random(int(draw.integers(1, 8))) ** 3
    data = {"a": a.tolist(), "b": b.tolist(), "confidence": confidence, "resamples": resamples,
            "seed": int(draw.integers(1 << 30)), "p_values": p_values.tolist()}

    def compare(out, differences):
        differences.add("standard deviation", out["standard_deviation"], a.std(ddof=1))

        def t_interval(x):
            return [x.mean(), *stats.t.interval(confidence, n - 1, loc=x.mean(), scale=stats.sem(x))]

        differences.add("t interval", out["t_interval"], t_interval(a))
        differences.add("t interval of differences", out["difference"], t_interval(a - b))
        means = np.array(out["bootstrap_means"])
        means[np.abs(means - a.mean()) <= 1e-13 * np.abs(a).max()] = a.mean()  # ties but for the order of addition
        drawn = BootstrapResult(confidence_interval=None, bootstrap_distribution=means, standard_error=None)
        for method, name in (("percentile", "bootstrap_percentile"), ("BCa", "bootstrap_bca")):
            theirs = stats.bootstrap((a,), np.mean, n_resamples=0, confidence_level=confidence, method=method,
                                     bootstrap_result=drawn).confidence_interval
            differences.add(name, out[name], [a.mean(), theirs.low, theirs.high])
        differences.add("paired t test", out["p_t"], stats.ttest_rel(a, b).pvalue)
        exact = stats.permutation_test((a - b,), np.mean, permutation_type="samples", n_resamples=np.inf)
        differences.add("sign-flip test", out["p_permutation"], exact.pvalue)
        differences.add("Holm", out["holm"], holm(p_values))

    return data, compare


def distributions(draw):
    degrees = [1, 2, 3, 4.5, 9, 30, 1000]
    t = [(float(x), d) for x in np.abs(draw.normal(size=30)) * 4 for d in degrees]
    quantile = [(float(p), d) for p in [*draw.random(10), 0.975, 0.995, 0.9999] for d in degrees]
    normal = [float(p) for p in [*draw.random(30), 1e-9, 0.5, 0.975]]

    def compare(out, differences):
        differences.add("Student t, both tails", out["t"], [2 * stats.t.sf(x, d) for x, d in t])
        differences.add("Student t quantile", out["t_quantile"], [stats.t.ppf(p, d) for p, d in quantile])
        differences.add("normal quantile", out["normal"], stats.norm.ppf(normal))

    return {"t": t, "t_quantile": quantile, "normal": normal}, compare


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built metrics_dump")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tolerance", type=float, default=1e-12)
    arguments = parser.parse_args()

    draw = np.random.default_rng(arguments.seed)
    requests, comparisons = [], []
    for _ in range(arguments.rounds):
        for part in (classification, tagging, answers, regression, calibration, significance, distributions,
                     multi_label):
            data, compare = part(draw)
            requests.append({"part": part.__name__, "data": data})
            comparisons.append(compare)
    run = subprocess.run([arguments.program], input=json.dumps(requests), capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(run.stderr)
    differences = Differences()
    for compare, out in zip(comparisons, json.loads(run.stdout)):
        compare(out, differences)

    failed = False
    print(f"{'number':28} {'compared':>9} {'largest difference':>19}")
    for name, largest in differences.largest.items():
        bad = largest > arguments.tolerance
        failed |= bad
        print(f"{name:28} {differences.compared[name]:9} {largest:19.2e}{'  <-- above tolerance' if bad else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
