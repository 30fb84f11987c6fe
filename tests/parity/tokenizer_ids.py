#!/usr/bin/env python3
"""Compares didact's WordPiece tokenizer with Hugging Face's BertTokenizerFast: ids, type ids, offsets, word ids,
sequence ids and decoded text have to be equal.

    python3 -m venv venv && venv/bin/pip install tokenizers transformers
    venv/bin/python tests/parity/tokenizer_ids.py --dump build/tests/programs/tokenizer_dump \\
        --model FOLDER_OF_A_BERT_UNCASED_CHECKPOINT [--data ../shared/data]

Every line of every text file under --data, every column and JSON string in them, pairs of them with truncation and with
windows, the sentences of CoNLL files as lists of words, and lines with difficult Unicode (every code point below U+20000
among them) go through both, uncased with the checkpoint's vocabulary and cased with one made here. Prints the lines
compared and the mismatches of each part; exits with 1 if there is any.

    venv/bin/python tests/parity/tokenizer_ids.py --unicode-classes > include/didact/text/unicode_classes.hpp

prints the tables of character classes, as tokenizers has them, before clang-format.
"""

import argparse
import collections
import itertools
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import tokenizers
import transformers
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

# Letters that got a lower case or a decomposition, and marks whose combining class came or changed, in a Unicode that one
# of the libraries knows and the other does not (utf8proc 2.8: Unicode 15; tokenizers 0.23.3: case by a later one,
# decomposition by an earlier one). Of lines with them ids are compared and offsets are not.
NEWER = {0x1C89, 0xA7CB, 0xA7CC, 0xA7CE, 0xA7D2, 0xA7D4, 0xA7DA, 0xA7DC, 0x11938, *range(0x10D50, 0x10D66),
         *range(0x16EA0, 0x16EB9), 0x1DF6, *range(0x1E4EC, 0x1E4F0)}

NASTY = [
    "", " ", "\t\r  ", "[CLS] [SEP] [MASK] [PAD] [UNK]", "[MASK]text[MASK]", "[mask] [Mask] [MASK ] [[MASK]]",
    "the [SEP]s and the [UNK]nown, [CLS", "a" * 99, "a" * 100, "a" * 101, "é" * 100, "é" * 101, "中" * 300,
    "b" * 5000, "x\u0301" * 101, "don't can't I'm we've they're it's do not , . ! ? ' n't",
    "naïve café Ångström ÀÉÎÕÜ Ÿ ß ẞ ſ ŉ ĳ İstanbul ISTANBUL ıi Iİ", "e\u0301\u0327\u0301 a\u0327\u0301\u0300 \u0301\u0327",
    "\u1e9b\u0323 \u1e69 \u0073\u0323\u0307 \u0073\u0307\u0323 \u0344 \u0958 \u0f73 \u0f75 \u0f81",
    "가각힣 한국어 각 \u1100\u1161\u11a8", "ΑΒΓ ΟΔΥΣΣΕΥΣ σς Ά ΐ ᾳ ᾼ ῼ", "Привет МИР Йй Ёё", "مرحبا بالعالم لَا",
    "שָׁלוֹם עולם", "हिन्दी क़ ड़", "ไทย ภาษาไทย ำ", "日本語テスト がぎぐ パピプ 漢字かな交じり", "Tiếng Việt Ồ ự",
    "\u3400\u4dbf\u4e00\u9fff\uf900\ufaff\U00020000\U0002a6df\U0002a700\U0002b820\U0002b920\U0002f800\U00030000",
    "😀😃 👨‍👩‍👧‍👦 🇩🇪 🏳️‍🌈 1️⃣ ✌🏿 🥰🫠", "zero\u200bwidth soft\u00adhyphen bom\ufeff \u2060word\u200djoiner\u200c",
    "nul\u0000char bell\u0007 del\u007f nel\u0085 vt\u000b ff\u000c repl\ufffd", "a\u00a0b\u1680c\u2003d\u2028e\u2029f\u202fg\u205fh\u3000i",
    "\ue000private\uf8ff \U000f0000 \U0010fffd \ufffe\uffff unassigned\u0378 \U000e0041tag",
    "“quotes” ‘single’ «guillemets» ‹x› „low“ — – ‐ ‑ … • § ¶ · ¿¡ † ‡ ‰ ′ ″",
    "$1,000.00 €5 £6 ¥7 ¢ + - × ÷ = ≠ ≮ ≯ < > | ~ ^ ` _ @ # % & * ( ) [ ] { } \\ / : ; \" '", "\u037e \u0387 \u1fef \u212a \u2126 \u212b",
    "MixedCASE iPhone x86_64 C++20 a.b.c 3.14 1e-5 http://example.org/a?b=c&d=%20", "ﬁ ﬂ ﬀ ㎏ ① Ⅳ ª º ² ½ ™", "\u0130\u0307 i\u0307 \u0049\u0307",
    "\u302e\u3099 a\u302e\u0323\u302f か\u3099 \U0001d15e \U0001d165\U0001d16e", "T\u0308 \u0308T \u200d\u0308 \u0301", "a\u0301\u00ad\u0327b",
    "##ing ## # #a a## un##aff able", "\u2e43\u2e52 \u0e5a ၊။ ་ ༄ \u1b5a \U00010100 \U0001bc9f", "Ǆ ǅ ǆ Ǉ ǈ Ǌ Ǆungla Ꙁ Ⴀ Ა Ꭰ ꭰ Ⰰ 𐐀 𞤀 Ａｂｃ Ⓐ",
]


def code_points():
    return (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def unicode_header():
    clean = BertNormalizer(True, False, False, False)
    strip = BertNormalizer(False, False, True, False)
    split = BertPreTokenizer()
    tables = [
        ("control_ranges", "Cc, Cf and Co without tab, line feed and carriage return, and U+FFFD.",
         lambda c: clean.normalize_str("a" + chr(c) + "b") == "ab"),
        ("punctuation_ranges", "Pc, Pd, Ps, Pe, Pi, Pf, Po, and the ASCII symbols that BERT counts among them.",
         lambda c: len(split.pre_tokenize_str("a" + chr(c) + "b")) == 3),
        ("mark_ranges", "Mn, and what decomposes to Mn only.",
         lambda c: strip.normalize_str("a" + chr(c) + "b") == "ab"),
    ]
    lines = [
        "#pragma once", "#include <cstdint>", "", "namespace didact::text::unicode {", "",
        "/// First and last code point of a range.", "struct Range {", "    char32_t first, last;", "};", "",
        "// The classes are those of Unicode 8.0, at which Hugging Face's tokenizers 0.23.3 (crate unicode_categories 0.1.1)",
        "// stand still; a later Unicode would split and strip some rare characters otherwise than the checkpoints' tokenizer.",
        "// Printed by tests/parity/tokenizer_ids.py --unicode-classes.", ""]
    for name, meaning, belongs in tables:
        ranges = []
        for c in filter(belongs, code_points()):
            if ranges and ranges[-1][1] == c - 1:
                ranges[-1][1] = c
            else:
                ranges.append([c, c])
        lines += ["/// " + meaning, f"inline constexpr Range {name}[] = {{"]
        lines += [", ".join("{0x%X, 0x%X}" % tuple(r) for r in ranges), "};", ""]
    return "\n".join(lines + ["}"])


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from strings_of(v)
    elif isinstance(value, list):
        for v in value:
            yield from strings_of(v)


def read_data(folder):
    """All lines; all columns and JSON strings; all sentences as words."""
    lines, fields, sentences = [], [], []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix == ".gz":
            continue
        sentence = []
        for line in path.read_bytes().decode("utf-8").split("\n"):
            lines.append(line)
            if path.suffix in (".tsv", ".csv"):
                fields += line.split("\t")
            elif path.suffix == ".jsonl" and line:
                fields += [re.sub(r"[\n\t]", " ", s) for s in strings_of(json.loads(line))]
            elif path.suffix == ".conll":
                columns = line.split()
                if columns:
                    sentence.append(columns[0])
                elif sentence:
                    sentences.append(sentence)
                    sentence = []
    return lines, fields, sentences


class Comparison:
    def __init__(self, dump):
        self.dump, self.compared, self.mismatches = dump, 0, 0

    def ours(self, folder, lines, *arguments):
        run = subprocess.run([self.dump, str(folder), *arguments], input="".join(line + "\n" for line in lines).encode(),
                             stdout=subprocess.PIPE, check=True)
        return run.stdout.decode().split("\n")[:-1]

    @staticmethod
    def byte_positions(text):
        return None if text.isascii() else [0, *itertools.accumulate(len(c.encode()) for c in text)]

    @classmethod
    def shown(cls, encoding, texts, by_word=False):
        """What tokenizer_dump prints for the same. `texts` are one, two, or the words."""
        positions = {}
        parts = []
        for (begin, end), word, sequence, kind in zip(encoding.offsets, encoding.word_ids, encoding.sequence_ids,
                                                     encoding.type_ids):
            if sequence is None:
                parts.append(f"0:0:-1:-1:{kind}")
                continue
            which = word if by_word else sequence
            if which not in positions:
                positions[which] = cls.byte_positions(texts[which])
            if positions[which]:
                begin, end = positions[which][begin], positions[which][end]
            parts.append(f"{begin}:{end}:{word}:{sequence}:{kind}")
        return " ".join(map(str, encoding.ids)) + " | " + " ".join(parts)

    def check(self, name, inputs, ours, theirs):
        wrong = [(i, o, t) for i, o, t in zip(inputs, ours, theirs, strict=True) if o != t]
        print(f"{name}: {len(inputs)} compared, {len(wrong)} mismatches", flush=True)
        for i, o, t in wrong[:2]:
            print(f"  input  {ascii(i)[:300]}\n  ours   {o[:600]}\n  theirs {t[:600]}")
        self.compared += len(inputs)
        self.mismatches += len(wrong)

    def lines(self, name, folder, peer, lines, *arguments):
        theirs = [self.shown(e, [line]) for e, line in zip(peer.encode_batch(lines), lines)]
        self.check(name, lines, self.ours(folder, lines, "--offsets", *arguments), theirs)

    def ids(self, name, folder, peer, lines):
        theirs = [" ".join(map(str, e.ids)) for e in peer.encode_batch(lines)]
        self.check(name, lines, self.ours(folder, lines), theirs)

    def words(self, name, folder, peer, sentences):
        theirs = [self.shown(e, s, True) for e, s in zip(peer.encode_batch(sentences, is_pretokenized=True), sentences)]
        self.check(name, sentences, self.ours(folder, ["\t".join(s) for s in sentences], "--offsets", "--words"), theirs)

    def decoded(self, name, folder, peer, lines):
        theirs = peer.decode_batch([e.ids for e in peer.encode_batch(lines)])
        self.check(name, lines, self.ours(folder, lines, "--decode"), theirs)

    def pairs(self, name, folder, peer, pairs, max_length, strategy, *arguments):
        if max_length:
            peer.enable_truncation(max_length, strategy=strategy)
            arguments += ("--max-length", str(max_length))
        theirs = [self.shown(e, p) for e, p in zip(peer.encode_batch(pairs), pairs)]
        peer.no_truncation()
        self.check(name, pairs, self.ours(folder, ["\t".join(p) for p in pairs], "--offsets", "--pairs", *arguments), theirs)

    def windows(self, name, folder, peer, pairs, max_length, stride):
        peer.enable_truncation(max_length, stride=stride, strategy="only_second")
        theirs = ["\n".join(self.shown(w, p) for w in [e, *e.overflowing]) for e, p in zip(peer.encode_batch(pairs), pairs)]
        peer.no_truncation()
        ours = self.ours(folder, ["\t".join(p) for p in pairs], "--offsets", "--windows", str(max_length), str(stride))
        self.check(name, pairs, "\n".join(ours).strip("\n").split("\n\n"), theirs)


def cased_vocabulary(lines):
    """Special tokens, all characters at the beginning and within, and frequent words and word ends."""
    words = collections.Counter(w for line in lines for w in re.findall(r"\w+|[^\w\s]", line))
    vocabulary = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    characters = sorted({c for w in words for c in w if c.isalnum() and ord(c) < 0x250} | set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"))
    vocabulary.update(dict.fromkeys(characters))
    vocabulary.update(dict.fromkeys("##" + c for c in characters))
    vocabulary.update(dict.fromkeys(w for w, n in words.most_common(15000)))
    ends = collections.Counter()
    for w, n in words.items():
        for k in range(2, min(len(w), 7)):
            ends["##" + w[-k:]] += n
    vocabulary.update(dict.fromkeys(e for e, n in ends.most_common(5000)))
    return list(vocabulary)


def write_tokenizer(folder, vocabulary, **options):
    """A folder with vocab.txt and tokenizer_config.json only, and the peer for it."""
    folder.mkdir()
    (folder / "vocab.txt").write_text("".join(t + "\n" for t in vocabulary), encoding="utf-8")
    config = {"tokenizer_class": "BertTokenizer", "model_max_length": 512, **options}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    peer = transformers.BertTokenizerFast.from_pretrained(folder).backend_tokenizer
    peer.no_truncation()
    peer.no_padding()
    return peer


def backend_of(folder):
    peer = transformers.AutoTokenizer.from_pretrained(folder).backend_tokenizer
    peer.no_truncation()
    peer.no_padding()
    return peer


def added_tokens(compare, scratch, vocabulary, generator):
    """Tokens that a user added, with all options, in a folder that transformers wrote and in one that didact wrote."""
    write_tokenizer(scratch / "plain", vocabulary, do_lower_case=True)
    tokenizer = transformers.BertTokenizerFast.from_pretrained(scratch / "plain")
    tokens = [tokenizers.AddedToken("covid-19"), tokenizers.AddedToken("Zürich"), tokenizers.AddedToken("COVID-19 test"),
              tokenizers.AddedToken("<e>", lstrip=True), tokenizers.AddedToken("</e>", rstrip=True),
              tokenizers.AddedToken("<x>", lstrip=True, rstrip=True, normalized=False),
              tokenizers.AddedToken("drug", single_word=True, normalized=False), tokenizers.AddedToken("hello"),
              tokenizers.AddedToken("Vitamin", single_word=True), tokenizers.AddedToken("中", normalized=False)]
    tokenizer.add_tokens(tokens)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<user>", "<user> said"]})
    tokenizer.save_pretrained(scratch / "added")
    contents = [t.content for t in tokens] + ["<user>", "<user> said", "[SEP]"]
    words = contents + [c.upper() for c in contents] + [" ", "  ", "\t", "\u2003", "a", "é", "s", "_", ".", "-", "the", "the "]
    lines = ["".join(generator.choices(words, k=generator.randrange(1, 12))) for _ in range(20000)]
    compare.lines("added tokens", scratch / "added", backend_of(scratch / "added"), lines)
    compare.ours(scratch / "added", [], "--save", str(scratch / "added saved"))
    compare.lines("added tokens, saved and read by transformers", scratch / "added", backend_of(scratch / "added saved"), lines)
    compare.lines("added tokens, saved and read by both", scratch / "added saved", backend_of(scratch / "added saved"), lines)
    (scratch / "added saved" / "tokenizer.json").unlink()
    compare.lines("added tokens, from vocab.txt", scratch / "added saved", backend_of(scratch / "added"), lines)


def trained(compare, scratch, lines):
    """A vocabulary of our own. The peer's depends on the order of a hash table, so it is compared as a set."""
    compare.ours(scratch / "trained", lines, "--train", "5000")
    peer = backend_of(scratch / "trained")
    compare.lines("trained here, read by both", scratch / "trained", peer, lines)
    theirs = tokenizers.BertWordPieceTokenizer()
    theirs.train_from_iterator(lines, vocab_size=5000, show_progress=False)
    ours, theirs = set(peer.get_vocab()), set(theirs.get_vocab())
    print(f"vocabulary trained on {len(lines)} lines: {len(ours)} tokens, {len(ours & theirs)} of them among the peer's {len(theirs)}")
    compare.mismatches += len(ours) != len(theirs) or len(ours & theirs) < 0.995 * len(theirs)


def contradiction(compare, scratch, model):
    """A tokenizer_config.json that says otherwise than tokenizer.json."""
    folder = scratch / "contradiction"
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.update(do_lower_case=False, strip_accents=True)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    compare.lines("tokenizer_config.json contradicts tokenizer.json", folder, backend_of(folder), NASTY)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dump", help="the program tokenizer_dump of the build")
    parser.add_argument("--model", type=pathlib.Path, help="folder of an uncased BERT checkpoint")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(__file__).parents[3] / "shared/data")
    parser.add_argument("--unicode-classes", action="store_true", help="print unicode_classes.hpp and end")
    arguments = parser.parse_args()
    if arguments.unicode_classes:
        print(unicode_header())
        return 0
    if not arguments.dump or not arguments.model:
        parser.error("--dump and --model are needed")
    print(f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}, "
          f"vocabulary of {arguments.model}, data of {arguments.data}")

    compare = Comparison(arguments.dump)
    peer = transformers.AutoTokenizer.from_pretrained(arguments.model).backend_tokenizer
    peer.no_truncation()
    peer.no_padding()
    lines, fields, sentences = read_data(arguments.data)
    every = [f"a{chr(c)}b {chr(c)}A é{chr(c)}\u0301" for c in code_points() if c < 0x20000 and c != 10 and c not in NEWER]
    newer = [f"a{chr(c)}b {chr(c)}A é{chr(c)}\u0301" for c in sorted(NEWER)]
    generator = random.Random(1)
    alphabet = sorted({c for line in NASTY for c in line}) + [chr(c) for c in range(32, 0x250)] + list(" ae\u0301") * 100
    mixed = ["".join(generator.choices(alphabet, k=generator.randrange(1, 60))) for _ in range(100000)]
    usable = [f for f in fields if f.strip()]
    pairs = [(generator.choice(usable), generator.choice(usable)) for _ in range(5000)]
    pairs += [p for p in itertools.product(NASTY, NASTY[::5]) if "\t" not in p[0] + p[1]]
    questions = [(q, c) for q, c in ((generator.choice(usable)[:80], generator.choice(usable)) for _ in range(2000))]

    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        vocabulary = cased_vocabulary(lines)
        kinds = [("uncased", arguments.model, peer), ("cased", scratch / "cased",
                 write_tokenizer(scratch / "cased", vocabulary, do_lower_case=False))]
        for kind, folder, peer in kinds:
            compare.lines(f"{kind}, lines", folder, peer, lines)
            compare.lines(f"{kind}, columns and strings", folder, peer, fields)
            compare.lines(f"{kind}, difficult lines", folder, peer, NASTY)
            compare.lines(f"{kind}, code points", folder, peer, every)
            compare.lines(f"{kind}, random lines of difficult characters", folder, peer, mixed)
            compare.ids(f"{kind}, characters new in Unicode", folder, peer, newer)
            compare.decoded(f"{kind}, decoded lines", folder, peer, lines)
            compare.words(f"{kind}, words", folder, peer, sentences + [n.split(" ") for n in NASTY if "\t" not in n])
            compare.pairs(f"{kind}, pairs", folder, peer, pairs, 0, "")
            for length in (8, 33, 128):
                compare.pairs(f"{kind}, pairs cut to {length}", folder, peer, pairs, length, "longest_first")
            short = [p for p in pairs if len(peer.encode(p[0], add_special_tokens=False)) < 60]
            compare.pairs(f"{kind}, second cut to 64", folder, peer, short, 64, "only_second", "--only-second")
            flipped = [p[::-1] for p in short]
            compare.pairs(f"{kind}, first cut to 64", folder, peer, flipped, 64, "only_first", "--only-first")
            compare.windows(f"{kind}, windows of 128 by 32", folder, peer, questions, 128, 32)
            compare.windows(f"{kind}, windows of 100 by 0", folder, peer, questions, 100, 0)
        compare.lines("--cased of the uncased vocabulary", arguments.model, uncased_as_cased(arguments.model), lines, "--cased")
        uncased = [t for t in (arguments.model / "vocab.txt").read_text(encoding="utf-8").split("\n") if t]
        for lower, strip, chinese in itertools.product((True, False), (True, False, None), (True, False)):
            name = f"lower={lower}, strip={strip}, chinese={chinese}"
            folder = scratch / name
            peer = write_tokenizer(folder, uncased, do_lower_case=lower, strip_accents=strip, tokenize_chinese_chars=chinese)
            compare.lines(name, folder, peer, NASTY + every)

        added_tokens(compare, scratch, uncased, generator)
        contradiction(compare, scratch, arguments.model)
        trained(compare, scratch, lines[::20])
        for kind, folder, _ in kinds:
            saved = scratch / (kind + " saved")
            compare.ours(folder, [], "--save", str(saved))
            compare.lines(f"{kind}, saved and read by transformers", folder, backend_of(saved), NASTY + lines[::10])
            compare.lines(f"{kind}, saved and read by both", saved, backend_of(saved), NASTY + lines[::10])

    print(f"{compare.compared} compared, {compare.mismatches} mismatches")
    return 1 if compare.mismatches else 0


def uncased_as_cased(model):
    peer = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
    peer.normalizer = BertNormalizer(lowercase=False)
    peer.no_truncation()
    peer.no_padding()
    return peer


if __name__ == "__main__":
    sys.exit(main())
