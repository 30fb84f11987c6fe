#!/usr/bin/env python3
"""Writes tests/parity/fixtures: two tiny models and what Transformers computes with them in double precision.

    python3 -m venv venv && venv/bin/pip install torch transformers safetensors
    venv/bin/python tests/parity/write_fixtures.py

tests/model/parity_test.cpp compares didact with these files, so that parity is tested where there is no Python. Weights
are stored as BF16, which doubles hold exactly. expected.json has the samples, the loss, the losses of ten AdamW steps,
and of each parameter's gradient its norm and its inner product with cos(0), cos(1), cos(2), …
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file

import transformers_parity as parity

SIZES = {"vocab_size": 24, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
FIXTURES = Path(__file__).resolve().parent / "fixtures"


def cases(draw):
    bert = parity.bert(**SIZES, intermediate_size=32, max_position_embeddings=12)
    gpt2 = parity.gpt2(vocab_size=24, n_embd=16, n_layer=2, n_head=2, n_positions=12, n_inner=32)
    head = {"num_labels": 3, "label_smoothing": 0.1, "class_weights": [0.5, 2.0, 1.0]}
    return {"bert": parity.SingleLabel("BERT", bert, draw, head).draw_samples(draw, [5, 1, 9], 24),
            "gpt2": parity.NextWords("GPT-2", gpt2, draw).draw_samples(draw, [5, 2, 9], 24, types=0)}


def describe(gradient):
    flat = gradient.ravel()
    return {"norm": float(np.linalg.norm(flat)), "cosines": float(flat @ np.cos(np.arange(flat.size)))}


def write(case, folder):
    shutil.rmtree(folder, ignore_errors=True)
    case.make_model().bfloat16().save_pretrained(folder)
    for extra in folder.iterdir():
        if extra.name not in ("config.json", "model.safetensors"):
            extra.unlink()
    model = case.load(folder, "float64")
    tensors, loss = parity.reference(case, model)
    gradients = {name[len("gradient."):]: tensors.pop(name) for name in list(tensors) if name.startswith("gradient.")}
    save_file(tensors, folder / "expected.safetensors")
    expected = {"head": case.head, "training": case.training, "samples": case.samples, "loss": loss,
                "losses": parity.train(case, model)["losses"],
                "gradients": {name: describe(g) for name, g in gradients.items()},
                "versions": {"torch": torch.__version__, "transformers": transformers.__version__}}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in expected.items()]
    (folder / "expected.json").write_text("{" + ",\n".join(lines) + "}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=FIXTURES, help="where to write (%(default)s)")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for name, case in cases(np.random.default_rng(3)).items():
        write(case, arguments.folder / name)
    files = sorted(f for f in arguments.folder.rglob("*") if f.is_file())
    for file in files:
        print(f"{file.stat().st_size:7} {file}")
    print(f"{sum(f.stat().st_size for f in files):7} bytes in all")


if __name__ == "__main__":
    main()
