#!/usr/bin/env python3
"""Compares didact with Python's Transformers: forward, backward, training, and saved models opened again.

    python3 -m venv venv && venv/bin/pip install torch transformers safetensors peft
    cmake --preset release && cmake --build build/release --target parity_transformers
    venv/bin/python tests/parity/transformers_parity.py build/release/tests/programs/parity_transformers

Makes small random BERT and GPT-2 models with every head, and a batch of sequences of different lengths for each, writes
them to a temporary folder and lets the program compute on packed sequences what Transformers computes on padded ones.
Where --model names a folder with a pretrained BERT-type model, that is compared too. LoRA is compared with PEFT where
that is installed. Compared are:

    hidden       every layer's hidden states at real tokens     largest difference
    logits       at real tokens or predicted positions           largest difference
    loss         the mean loss of the batch                     relative difference
    gradients    each parameter's                               largest over parameters of |difference| / |gradient|
    curve        losses of ten AdamW steps, linear schedule     largest relative difference
    norms        gradient norms in these steps                  largest relative difference
    weights      after these steps                              |difference| / |what training changed|
    reopened     logits of the trained model, which didact saved and Transformers opened, against didact's own
    mean         loss and gradients under dropout, averaged over many masks, which each side draws its own: the largest
                 over parameters of |difference of the means| in standard errors of that difference
    spread       the same masks: largest |ln of the ratio of the variances|, in the standard errors that it has where what
                 is drawn is normal

|.| of a tensor is its Euclidean norm. A parameter's gradient whose norm is below 1e-3 of the whole gradient's is measured
against that floor: those of attention's key biases vanish in exact arithmetic and are rounding only. For the same reason
AdamW, which divides by the gradient's size, moves these biases at random in single precision, and `weights` shows it.

float64 compares double with double, float32 single with single precision. Ends with 1 where a difference is above its
tolerance (--help), and prints each.
"""

import argparse
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file
from torch.nn import functional

# Largest differences that pass. In double precision both sides should agree to far more digits than in single.
TOLERANCES = {
    "float64": {"hidden": 1e-9, "logits": 1e-9, "loss": 1e-9, "gradients": 1e-8, "curve": 1e-8, "norms": 1e-8,
                "weights": 1e-6, "reopened": 1e-5, "mean": 3.5, "spread": 4.0},
    "float32": {"hidden": 1e-5, "logits": 1e-4, "loss": 1e-4, "gradients": 1e-4, "curve": 1e-4, "norms": 1e-3,
                "weights": 5e-2, "reopened": 1e-5, "mean": 3.5, "spread": 4.0},
}
COLUMNS = list(TOLERANCES["float64"])
DTYPES = {"float64": torch.float64, "float32": torch.float32}
TRAINING = {"steps": 10, "accumulation": 1, "learning_rate": 1e-3, "warmup": 0.2, "weight_decay": 0.01, "max_gradient_norm": 1.0}
IGNORED = -100


class Case:
    """A model folder, a head, samples, and how Transformers computes logits and loss of them."""

    family, auto, problem_type, labels = "bert", None, None, 0

    def __init__(self, name, config=None, draw=None, head=None, training=None, precisions=("float64", "float32")):
        self.name, self.config, self.draw = name, config, draw
        self.head, self.training, self.precisions = dict(head or {}), {**TRAINING, **(training or {})}, precisions
        self.lora, self.model_folder, self.samples = None, None, []
        self.only_hidden, self.masks = False, 0

    def write(self, folder):
        """Writes the model and case.json, what the program reads."""
        self.folder = folder
        folder.mkdir(parents=True)
        if self.model_folder is None:
            self.model_folder = folder / "model"
            self.make_model().save_pretrained(self.model_folder)
        case = {"family": self.family, "model": str(self.model_folder.resolve()), "samples": self.samples,
                "head": {"problem_type": self.problem_type, **self.head}, "training": self.training,
                "precisions": list(self.precisions), "masks": self.masks}
        if self.lora:
            case["lora"] = self.lora
        (folder / "case.json").write_text(json.dumps(case))

    def make_model(self):
        """A model with weights large enough that every part of it matters."""
        model = self.auto.from_config(self.config).double()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                values = torch.from_numpy(self.draw.normal(size=tuple(parameter.shape)))
                norm = "LayerNorm.weight" in name or ".ln_" in name and name.endswith("weight")
                parameter.copy_(1 + 0.2 * values if norm else 0.15 * values)
        return model

    def load(self, folder, precision, **options):
        model = self.auto.from_pretrained(folder, dtype=DTYPES[precision], **options)
        return model.eval()

    def draw_samples(self, draw, lengths, vocabulary, types=2):
        """Ragged sequences; token 0 is padding and stands in none of them."""
        self.samples = []
        for length in lengths:
            ids = draw.integers(1, vocabulary, length).tolist()
            sample = {"token_ids": ids}
            if types:
                first = int(draw.integers(1, length + 1))
                sample["token_type_ids"] = [0] * first + [1] * (length - first)
            self.samples.append({**sample, **self.draw_target(draw, ids)})
        return self

    def draw_target(self, draw, ids):
        raise NotImplementedError

    def padded(self, key, filler):
        longest = max(len(s["token_ids"]) for s in self.samples)
        return torch.tensor([s[key] + [filler] * (longest - len(s[key])) for s in self.samples])

    def inputs(self):
        ids = self.padded("token_ids", 0)
        lengths = torch.tensor([len(s["token_ids"]) for s in self.samples])
        inputs = {"input_ids": ids, "attention_mask": (torch.arange(ids.shape[1]) < lengths[:, None]).long()}
        if "token_type_ids" in self.samples[0]:
            inputs["token_type_ids"] = self.padded("token_type_ids", 0)
        return inputs

    def forward(self, model):
        """Hidden states at real tokens, logits as the program gives them, and the loss."""
        inputs = self.inputs()
        out = model(**inputs, output_hidden_states=True)
        real = inputs["attention_mask"].bool()
        return [h[real] for h in out.hidden_states], self.logits(out, real), self.loss(model, inputs, out)

    def logits(self, out, real):
        raise NotImplementedError

    def loss(self, model, inputs, out):
        raise NotImplementedError


class Sequence(Case):
    auto = transformers.AutoModelForSequenceClassification

    def __init__(self, name, config=None, draw=None, head=None, **more):
        super().__init__(name, config, draw, head, **more)
        if config is not None:
            config.num_labels, config.problem_type = self.head["num_labels"], self.problem_type

    def logits(self, out, real):
        return out.logits

    def targets(self):
        return torch.tensor([s["values"] for s in self.samples])

    def loss(self, model, inputs, out):
        assert model.config.problem_type == self.problem_type
        return model(**inputs, labels=self.targets().to(out.logits.dtype)).loss


class SingleLabel(Sequence):
    problem_type = "single_label_classification"

    def draw_target(self, draw, ids):
        return {"labels": [int(draw.integers(self.head["num_labels"]))]}

    def loss(self, model, inputs, out):
        labels = torch.tensor([s["labels"][0] for s in self.samples])
        weights, smoothing = self.head.get("class_weights"), self.head.get("label_smoothing", 0.0)
        if weights is None and smoothing == 0:
            return model(**inputs, labels=labels).loss
        weights = None if weights is None else torch.tensor(weights, dtype=out.logits.dtype)
        return functional.cross_entropy(out.logits, labels, weight=weights, label_smoothing=smoothing)


class MultiLabel(Sequence):
    problem_type = "multi_label_classification"

    def draw_target(self, draw, ids):
        return {"values": draw.integers(0, 2, self.head["num_labels"]).tolist()}


class Regression(Sequence):
    problem_type = "regression"

    def draw_target(self, draw, ids):
        return {"values": np.round(draw.normal(size=self.head["num_labels"]) * 8).tolist()}


class SingleLabelOfLastToken(SingleLabel):
    """Transformers finds the last token as the last that is not padding, whose number is the user's to say."""

    family = "gpt2"

    def forward(self, model):
        model.config.pad_token_id = 0
        return super().forward(model)


class Tokens(Case):
    auto, problem_type = transformers.AutoModelForTokenClassification, "token_classification"

    def __init__(self, name, config=None, draw=None, head=None, **more):
        super().__init__(name, config, draw, head, **more)
        config.num_labels = self.head["num_labels"]

    def draw_target(self, draw, ids):
        labels = draw.integers(0, self.head["num_labels"], len(ids))
        return {"labels": np.where(draw.random(len(ids)) < 0.3, IGNORED, labels).tolist()}

    def logits(self, out, real):
        return out.logits[real]

    def loss(self, model, inputs, out):
        labels, smoothing = self.padded("labels", IGNORED), self.head.get("label_smoothing", 0.0)
        weights = self.head.get("class_weights")
        if weights is None and smoothing == 0:
            return model(**inputs, labels=labels).loss
        weights = None if weights is None else torch.tensor(weights, dtype=out.logits.dtype)
        return functional.cross_entropy(out.logits.flatten(0, 1), labels.flatten(), weight=weights,
                                        ignore_index=IGNORED, label_smoothing=smoothing)


class Answers(Case):
    auto, problem_type = transformers.AutoModelForQuestionAnswering, "question_answering"

    def __init__(self, name, config=None, draw=None, **more):
        super().__init__(name, config, draw, {"num_labels": 2}, **more)

    def draw_target(self, draw, ids):
        return {"labels": sorted(draw.integers(0, len(ids), 2).tolist())}

    def logits(self, out, real):
        return torch.stack([out.start_logits[real], out.end_logits[real]], dim=1)

    def loss(self, model, inputs, out):
        # Transformers' loss lets padding take part in the softmax; one sequence at a time there is none.
        total = 0
        for sample in self.samples:
            begin, end = sample["labels"]
            one = {"input_ids": "token_ids", "token_type_ids": "token_type_ids"}
            total += model(**{name: torch.tensor([sample[key]]) for name, key in one.items()},
                           start_positions=torch.tensor([begin]), end_positions=torch.tensor([end])).loss
        return total / len(self.samples)


class MaskedWords(Case):
    auto, problem_type = transformers.AutoModelForMaskedLM, "masked_language_model"

    def draw_target(self, draw, ids):
        chosen = draw.random(len(ids)) < 0.4
        chosen[0] |= len(ids) == 1
        labels = np.where(chosen, ids, IGNORED).tolist()
        for i in np.flatnonzero(chosen & (draw.random(len(ids)) < 0.8)):
            ids[i] = 3  # as if it were the mask; `ids` is the sample's own list
        return {"labels": labels}

    def logits(self, out, real):
        return out.logits[self.padded("labels", IGNORED) != IGNORED]

    def loss(self, model, inputs, out):
        labels, smoothing = self.padded("labels", IGNORED), self.head.get("label_smoothing", 0.0)
        if smoothing == 0:
            return model(**inputs, labels=labels).loss
        return functional.cross_entropy(out.logits.flatten(0, 1), labels.flatten(), label_smoothing=smoothing)


class NextWords(Case):
    family, auto, problem_type = "gpt2", transformers.AutoModelForCausalLM, "causal_language_model"

    def draw_target(self, draw, ids):
        return {}

    def logits(self, out, real):
        return out.logits[:, :-1][real[:, 1:]]

    def loss(self, model, inputs, out):
        labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, IGNORED)
        smoothing = self.head.get("label_smoothing", 0.0)
        # Transformers' own loss rounds the logits to single precision.
        if smoothing == 0 and out.logits.dtype == torch.float32:
            return model(**inputs, labels=labels).loss
        return functional.cross_entropy(out.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(),
                                        label_smoothing=smoothing)


def parameters_of(model):
    """Parameters by the name that didact uses: a tied one once, adapters and replaced modules without PEFT's words."""
    named = {}
    for name, parameter in model.named_parameters():
        if name == "cls.predictions.decoder.bias" or ".original_module." in name:
            continue
        for word in ("base_model.model.", ".modules_to_save.default", ".default", ".base_layer"):
            name = name.replace(word, "." if word.startswith("base") and name.find(word) > 0 else "")
        named[name] = parameter
    return named


def adapted(case, model, ours):
    """The model with PEFT's adapters, which start where the program's started; heads train too."""
    import peft

    gpt2 = case.family == "gpt2"
    config = peft.LoraConfig(r=case.lora["rank"], lora_alpha=case.lora["alpha"], target_modules=case.lora["targets"],
                             fan_in_fan_out=gpt2, modules_to_save=None if gpt2 else ["classifier", "pooler"])
    model = peft.get_peft_model(model, config, autocast_adapter_dtype=False).double().eval()
    with torch.no_grad():
        for name, parameter in parameters_of(model).items():
            if ".lora_" in name:
                parameter.copy_(torch.from_numpy(ours["initial." + name]))
    return model


def reference(case, model):
    """What Transformers computes, under the names of result.safetensors and result.json."""
    hidden, logits, loss = case.forward(model)
    tensors = {f"hidden.{i}": h for i, h in enumerate(hidden)}
    tensors["logits"] = logits
    model.zero_grad()
    loss.backward()
    for name, parameter in parameters_of(model).items():
        if parameter.requires_grad:
            tensors["gradient." + name] = parameter.grad
    tensors = {name: t.detach().double().numpy().copy() for name, t in tensors.items()}
    return tensors, loss.item()


def train(case, model):
    """Ten steps as Transformers' Trainer takes them: decay on all but biases and norms, clipping, linear schedule."""
    t = case.training
    trained = {name: p for name, p in parameters_of(model).items() if p.requires_grad}
    decays = {name: p.dim() > 1 for name, p in trained.items()}
    groups = [{"params": [p for name, p in trained.items() if decays[name]], "weight_decay": t["weight_decay"]},
              {"params": [p for name, p in trained.items() if not decays[name]], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=t["learning_rate"])
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(t["warmup"] * t["steps"]), t["steps"])
    curve = {"losses": [], "learning_rates": [], "gradient_norms": []}
    for _ in range(t["steps"]):
        loss = case.forward(model)[2]
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), t["max_gradient_norm"])
        curve["losses"].append(loss.item())
        curve["learning_rates"].append(schedule.get_last_lr()[0])
        curve["gradient_norms"].append(norm.item())
        optimizer.step()
        schedule.step()
    return curve


def norm(x):
    return float(np.linalg.norm(np.ravel(x)))


def largest_difference(ours, theirs):
    if ours.shape != theirs.shape:
        sys.exit(f"shape {ours.shape} against {theirs.shape}")
    return float(np.abs(ours - theirs).max())


def relative(ours, theirs):
    ours, theirs = np.atleast_1d(ours), np.atleast_1d(theirs)
    return float((np.abs(ours - theirs) / np.abs(theirs)).max())


def as_ours(theirs, ours):
    """A tensor of Transformers in the shape of the program's matrices; vectors have one row there."""
    return theirs.reshape(ours.shape)


class Table:
    def __init__(self):
        self.failed, self.width = [], 44
        print(f"{'case':{self.width}} {'precision':9} " + " ".join(f"{c:>9}" for c in COLUMNS))

    def row(self, name, precision, numbers):
        cells = []
        for column in COLUMNS:
            value = numbers.get(column)
            if value is None:
                cells.append(f"{'':9}")
                continue
            cells.append(f"{value:9.1e}")
            if not value <= TOLERANCES[precision][column]:
                limit = TOLERANCES[precision][column]
                self.failed.append(f"{name}, {precision}: {column} {value:.2e} is above {limit:.0e}")
        print(f"{name:{self.width}} {precision:9} " + " ".join(cells), flush=True)


def compare(case, model, ours, report):
    """The numbers of one row. `model` is trained by this."""
    theirs, loss = reference(case, model)
    names = {name for name in theirs if name.startswith("gradient.")}
    found = {name for name in ours if name.startswith("gradient.")}
    if names != found:
        sys.exit(f"{case.name}: parameters differ: {sorted(names ^ found)}")
    floor = 1e-3 * norm([norm(theirs[name]) for name in names])
    start = {name: p.detach().double().numpy().copy() for name, p in parameters_of(model).items() if p.requires_grad}
    gradients = {name: norm(ours[name] - as_ours(theirs[name], ours[name])) / max(norm(theirs[name]), floor)
                 for name in names}
    numbers = {
        "hidden": max(largest_difference(ours[n], theirs[n]) for n in theirs if n.startswith("hidden.")),
        "logits": largest_difference(ours["logits"], theirs["logits"]),
        "loss": relative(report["loss"], loss),
        "gradients": max(gradients.values()),
    }
    curve = train(case, model)
    if relative(np.array(report["learning_rates"]) + 1, np.array(curve["learning_rates"]) + 1) > 1e-12:
        sys.exit(f"{case.name}: learning rates {report['learning_rates']} against {curve['learning_rates']}")
    numbers["curve"] = relative(report["losses"], curve["losses"])
    numbers["norms"] = relative(report["gradient_norms"], curve["gradient_norms"])
    change = difference = 0.0
    for name, parameter in parameters_of(model).items():
        if parameter.requires_grad:
            end, own = parameter.detach().double().numpy(), ours["trained." + name]
            change = math.hypot(change, norm(end - start[name]))
            difference = math.hypot(difference, norm(own - as_ours(end, own)))
    numbers["weights"] = difference / change
    return numbers


def reopened(case, folder, ours):
    """Opens what didact saved, without a word of help, and compares logits."""
    model, info = case.auto.from_pretrained(folder, output_loading_info=True)
    wrong = {what: names for what, names in info.items() if names}
    if wrong:
        sys.exit(f"{folder}: Transformers reports {wrong}")
    expected = json.loads((folder / "config.json").read_text())["architectures"][0]
    if type(model).__name__ != expected:
        sys.exit(f"{folder}: opened as {type(model).__name__}, its config.json says {expected}")
    with torch.no_grad():
        logits = case.forward(model.double().eval())[1]
    return largest_difference(ours["trained_logits"], logits.numpy())


def bert(**changes):
    sizes = dict(vocab_size=120, hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
                 max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    return transformers.BertConfig(**{**sizes, **changes})


def gpt2(**changes):
    sizes = dict(vocab_size=120, n_embd=48, n_layer=3, n_head=4, n_positions=40, resid_pdrop=0.0, embd_pdrop=0.0,
                 attn_pdrop=0.0, bos_token_id=1, eos_token_id=2)
    return transformers.GPT2Config(**{**sizes, **changes})


LENGTHS = [7, 1, 19, 3, 40, 12]


def small_cases(draw):
    smoothed, weighted = {"label_smoothing": 0.15}, {"class_weights": [0.5, 2.0, 1.0, 0.25]}
    tanh = dict(hidden_act="gelu_new", layer_norm_eps=1e-5, num_hidden_layers=3)
    relu = dict(hidden_act="relu", layer_norm_eps=1e-6, type_vocab_size=3, pad_token_id=5)
    cases = [
        SingleLabel("BERT classification", bert(), draw, {"num_labels": 4}),
        SingleLabel("BERT classification, smoothed", bert(), draw, {"num_labels": 4, **smoothed}),
        SingleLabel("BERT classification, class weights", bert(), draw, {"num_labels": 4, **weighted}),
        SingleLabel("BERT classification, both", bert(), draw, {"num_labels": 4, **smoothed, **weighted}),
        SingleLabel("BERT classification, gelu_new", bert(**tanh), draw, {"num_labels": 3}),
        SingleLabel("BERT classification, relu", bert(**relu), draw, {"num_labels": 2}),
        MultiLabel("BERT multi-label", bert(), draw, {"num_labels": 5}),
        Regression("BERT regression", bert(), draw, {"num_labels": 1}),
        Regression("BERT regression, 3 outputs", bert(), draw, {"num_labels": 3}),
        Tokens("BERT tagging", bert(), draw, {"num_labels": 4}),
        Tokens("BERT tagging, smoothed, class weights", bert(), draw, {"num_labels": 4, **smoothed, **weighted}),
        Tokens("BERT tagging, 3 micro-batches a step", bert(), draw, {"num_labels": 4}, training={"accumulation": 3}),
        Answers("BERT answers", bert(), draw),
        MaskedWords("BERT masked words", bert(), draw),
        MaskedWords("BERT masked words, gelu_new, smoothed", bert(**tanh), draw, smoothed),
    ]
    for case in cases:
        case.draw_samples(draw, LENGTHS, 120)
    words = [NextWords("GPT-2 next words", gpt2(), draw),
             NextWords("GPT-2 next words, relu, smoothed", gpt2(activation_function="relu", n_inner=72), draw, smoothed),
             SingleLabelOfLastToken("GPT-2 classification", gpt2(), draw, {"num_labels": 4})]
    return cases + [case.draw_samples(draw, [7, 2, 19, 3, 40, 12], 120, types=0) for case in words]


def dropout_cases(draw):
    """One kind of dropout each, so that a wrong one cannot hide behind the others, and all of them."""
    rates = {"hidden": {"hidden_dropout_prob": 0.2}, "attention": {"attention_probs_dropout_prob": 0.2},
             "classifier": {"classifier_dropout": 0.4}}
    rates["every"] = {name: rate for kind in rates.values() for name, rate in kind.items()}
    cases = [SingleLabel(f"BERT under dropout, {kind}", bert(**rate), draw, {"num_labels": 4}, precisions=["float32"])
             for kind, rate in rates.items()]
    for case in cases:
        case.draw_samples(draw, LENGTHS, 120)
    rate = dict(resid_pdrop=0.2, embd_pdrop=0.1, attn_pdrop=0.2)
    cases.append(NextWords("GPT-2 under dropout", gpt2(**rate), draw, precisions=["float32"]))
    cases[-1].draw_samples(draw, [7, 2, 19, 3, 40, 12], 120, types=0)
    for case in cases:
        case.masks = 2000
    return cases


def adapter_cases(draw):
    longer = {"steps": 20, "learning_rate": 1e-2, "warmup": 0.1}
    encoder = SingleLabel("BERT with LoRA", bert(), draw, {"num_labels": 4}, training=longer, precisions=["float64"])
    encoder.lora = {"rank": 4, "alpha": 6.0, "targets": ["query", "value"]}
    every = SingleLabel("BERT with LoRA on every layer", bert(), draw, {"num_labels": 2}, training=longer,
                        precisions=["float64"])
    every.lora = {"rank": 2, "alpha": 2.0, "targets": ["query", "key", "value", "attention.output.dense",
                                                       "intermediate.dense", "output.dense"]}
    decoder = NextWords("GPT-2 with LoRA", gpt2(), draw, training=longer, precisions=["float64"])
    decoder.lora = {"rank": 3, "alpha": 12.0, "targets": ["c_attn"]}
    for case in (encoder, every):
        case.draw_samples(draw, LENGTHS, 120)
    return [encoder, every, decoder.draw_samples(draw, [7, 2, 19, 3, 40, 12], 120, types=0)]


def pretrained_cases(folder, draw, scratch):
    """A real model: short texts' worth of tokens, an untrained head that Transformers makes, dropout off."""
    off = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    torch.manual_seed(1)
    cases = []
    for kind, head, make in ((SingleLabel, {"num_labels": 3}, transformers.AutoModelForSequenceClassification),
                             (Tokens, {"num_labels": 5}, transformers.AutoModelForTokenClassification)):
        model = make.from_pretrained(folder, dtype=torch.float32, num_labels=head["num_labels"], **off)
        model.config.problem_type = kind.problem_type if kind is SingleLabel else None
        case = kind(f"pretrained, {kind.problem_type.replace('_', ' ')}", model.config, draw, head,
                    training={"learning_rate": 5e-5})
        case.model_folder = scratch / f"pretrained-{kind.__name__}"
        model.save_pretrained(case.model_folder)
        cases.append(case.draw_samples(draw, [24, 9, 17, 64], model.config.vocab_size))
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, num_labels=7)
    case = SingleLabel("pretrained, under dropout", model.config, draw, {"num_labels": 7}, precisions=["float32"],
                       training={"steps": 1})
    case.masks, case.model_folder = 100, scratch / "pretrained-dropout"
    model.save_pretrained(case.model_folder)
    cases.append(case.draw_samples(draw, [24, 9, 17, 64, 31, 12, 7, 20], model.config.vocab_size))
    # The folder as it came, with whatever names its tensors have, and a head that didact makes.
    config = transformers.AutoConfig.from_pretrained(folder)
    raw = SingleLabel("pretrained, its own folder", config, draw, {"num_labels": 4}, training={"steps": 2})
    raw.model_folder, raw.only_hidden = folder, True
    return cases + [raw.draw_samples(draw, [24, 9, 17, 64], config.vocab_size)]


def compare_hidden(case, precision, ours):
    model = transformers.AutoModel.from_pretrained(case.model_folder, dtype=DTYPES[precision]).eval()
    inputs = case.inputs()
    with torch.no_grad():
        hidden = model(**inputs, output_hidden_states=True).hidden_states
    real = inputs["attention_mask"].bool()
    return {"hidden": max(largest_difference(ours[f"hidden.{i}"], h[real].double().numpy())
                          for i, h in enumerate(hidden))}


def compare_dropout(case, model, ours, report):
    """Each side draws its own masks, so what must agree are means and variances."""
    losses, sums, squares = [], {}, {}
    trained = {name: p for name, p in parameters_of(model).items() if p.requires_grad}
    model.train()
    for _ in range(case.masks):
        model.zero_grad()
        loss = case.forward(model)[2]
        loss.backward()
        losses.append(loss.item())
        for name, p in trained.items():
            gradient = p.grad.double().numpy().ravel()
            sums[name], squares[name] = sums.get(name, 0) + gradient, squares.get(name, 0) + gradient**2
    means = {name: s / case.masks for name, s in sums.items()}
    variances = {name: float((squares[name] / case.masks - m**2).sum()) for name, m in means.items()}
    own = report["under_dropout"]
    pairs = {"loss": (abs(own["loss"]["mean"] - np.mean(losses)), own["loss"]["variance"], np.var(losses))}
    for name, mean in means.items():
        pairs[name] = (norm(ours["mean." + name].ravel() - mean), own["variance"][name], variances[name])
    # A gradient that vanishes in exact arithmetic, as those of attention's key biases, has no variance to compare.
    floor = 1e-6 * max(variances.values())
    pairs = {name: p for name, p in pairs.items() if p[2] > floor or name == "loss"}
    return {"mean": max(d / math.sqrt((a + b) / case.masks) for d, a, b in pairs.values()),
            "spread": max(abs(math.log(a / b)) for _, a, b in pairs.values()) / math.sqrt(4 / (case.masks - 1))}


def run_program(program, folders):
    run = subprocess.run([program, *map(str, folders)], capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{program} failed: {run.stderr}{run.stdout}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog=f"tolerances: {json.dumps(TOLERANCES, indent=2)}")
    parser.add_argument("program", help="the built parity_transformers")
    parser.add_argument("--model", type=Path, help="folder of a pretrained BERT-type model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch; more are slower for small models")
    parser.add_argument("--keep", type=Path, help="folder to work in that is not deleted; must not exist")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)  # PEFT's use of Transformers

    draw = np.random.default_rng(arguments.seed)
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = arguments.keep or Path(temporary)
        cases = small_cases(draw) + adapter_cases(draw) + dropout_cases(draw)
        if arguments.model:
            cases += pretrained_cases(arguments.model, draw, scratch)
        for i, case in enumerate(cases):
            case.write(scratch / f"case{i:02}")
        has_peft = importlib.util.find_spec("peft") is not None
        if not has_peft:
            print("PEFT is not installed: models with LoRA are only opened again")
        table = Table()
        for case in cases:
            run_program(arguments.program, [case.folder])
            for precision in case.precisions:
                out = case.folder / precision
                ours, report = load_file(out / "result.safetensors"), json.loads((out / "result.json").read_text())
                numbers = {}
                if case.masks:
                    numbers = compare_dropout(case, case.load(case.model_folder, precision), ours, report)
                elif case.only_hidden:
                    numbers = compare_hidden(case, precision, ours)
                elif not case.lora or has_peft:
                    model = case.load(case.model_folder, precision)
                    numbers = compare(case, adapted(case, model, ours) if case.lora else model, ours, report)
                if not case.masks:
                    numbers["reopened"] = reopened(case, out / "saved", ours)
                table.row(case.name, precision, numbers)
    for line in table.failed:
        print(line)
    print(f"{len(cases)} cases, {len(table.failed)} differences above tolerance")
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
