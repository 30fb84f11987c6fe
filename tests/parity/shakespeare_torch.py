#!/usr/bin/env python3
"""Trains a character-level GPT-2 from scratch twice, with didact and with PyTorch, and compares the losses.

    python3 -m venv venv && venv/bin/pip install torch transformers safetensors
    cmake --preset release && cmake --build build/release --target language_model
    venv/bin/python tests/parity/shakespeare_torch.py build/release/examples/language_model --text input.txt

The program (examples/language_model.cpp) writes the untrained model, the windows of the text, which of them each step
saw, and its losses. Here Transformers opens the model and trains it on the same windows in the same order, with AdamW,
clipping and a cosine schedule of PyTorch and Transformers. Both compute in single precision, so they drift apart slowly;
ends with 1 where a validation loss differs by more than --tolerance, relative. Without --text the program's generated
text is used. Arguments after -- are the program's, e.g. `-- --steps 100 --layers 2`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file


def optimizer_of(model, run, steps):
    """AdamW with decay on all but biases and norms, and the schedule."""
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": run["weight_decay"]},
              {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=run["learning_rate"])
    return optimizer, transformers.get_cosine_schedule_with_warmup(optimizer, int(run["warmup"] * steps), steps)


def mean_loss(model, windows, at_a_time=64):
    total = 0.0
    with torch.no_grad():
        for part in windows.split(at_a_time):
            total += model(input_ids=part, labels=part).loss.item() * len(part)
    return total / len(windows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built language_model")
    parser.add_argument("--text", help="file with the text")
    parser.add_argument("--tolerance", type=float, default=0.002, help="relative (%(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments, more = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1:]
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(arguments.threads)

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command = [arguments.program, "--record", temporary, "--characters", "0", "--threads", str(arguments.threads)]
        command += ["--text", arguments.text] if arguments.text else []
        print(subprocess.run(command + more, check=True, capture_output=True, text=True).stdout)
        run, data = json.loads((folder / "run.json").read_text()), load_file(folder / "data.safetensors")
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    train, validation, order = data["train"].long(), data["validation"].long(), data["order"]
    ends = data["ends"].tolist()
    expected = {row["step"]: row for row in run["rows"]}
    optimizer, schedule = optimizer_of(model, run, len(ends))
    print(f"{'step':>6} {'loss':>10} {'PyTorch':>10} {'difference':>11}   {'validation':>10} {'PyTorch':>10} "
          f"{'difference':>11}")
    worst, begin = 0.0, 0
    for step, end in enumerate(ends, start=1):
        batch = train[order[begin:end]]
        begin = end
        loss = model(input_ids=batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), run["max_gradient_norm"])
        optimizer.step()
        schedule.step()
        if step in expected:
            ours = expected[step]
            pairs = (ours["loss"], loss.item()), (ours["validation"], mean_loss(model, validation))
            differences = [abs(a - b) / b for a, b in pairs]
            worst = max(worst, differences[1])
            print(f"{step:6} " + "   ".join(f"{a:10.5f} {b:10.5f} {d:11.1e}" for (a, b), d in zip(pairs, differences)),
                  flush=True)
    failed = not worst <= arguments.tolerance
    print(f"largest relative difference of a validation loss: {worst:.1e}, {'above' if failed else 'within'} the "
          f"tolerance {arguments.tolerance:.0e}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
