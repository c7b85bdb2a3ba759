"""`python -m evals.reranker.train --work DIR --out DIR`: teach MiniLM to read a question and a passage together.

Listwise: of one right and several wrong passages the right one should get the softmax's mass (Nogueira and Cho 2019 with
the loss of Gao, Dai and Callan 2021, "Rethink training of BERT rerankers"). The word embeddings and the lower layers stay
the encoder's, so that a small number of examples is not forgotten over a large number of weights. Saved as 8-bit layers.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from retrieval.rerank.cross_encoder import load_base, load_trained, pair_tokens, save
from retrieval.rerank.pair_model import PairModel, padded

_SEED = 2026
_WRONG = 4
_GROUPS = 4
_RATE = 6e-5
_WARM_UP = 0.1
_TIMES = {"bioasq": 2}
"""Kinds that are read more than once: the only questions of people that have several right answers."""
_LENGTHS = 16
"""Batches have few different lengths: for each, PyTorch's kernels are compiled and kept."""
_PASSAGE_CHARACTERS = 550
"""Less than what is read later: half the time per example, so twice the examples."""


def main(argv: Sequence[str] | None = None) -> int:
    """Train within the time given and write the weights."""
    parser = argparse.ArgumentParser(prog="python -m evals.reranker.train", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where examples.jsonl is")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the weights go")
    parser.add_argument("--groups", type=int, default=0, metavar="N", help="examples read; 0 (default): all, once")
    parser.add_argument("--stop", type=int, default=0, metavar="N", help="stop after this step; 0 (default): at the end")
    parser.add_argument("--frozen", type=int, default=2, metavar="N", help="lower layers that stay as they are")
    parser.add_argument("--start", type=Path, metavar="FILE", help="go on from these weights; default: from MiniLM")
    parser.add_argument("--without", nargs="*", default=[], metavar="KIND", help="kinds of examples that are left out")
    parser.add_argument("--each", type=int, default=0, metavar="N", help="at most so many examples of a kind; 0: all")
    parser.add_argument("--rate", type=float, default=_RATE, help=f"highest learning rate (default {_RATE})")
    arguments = parser.parse_args(argv)
    torch.manual_seed(_SEED)
    examples = [json.loads(line) for line in (arguments.work / "examples.jsonl").open(encoding="utf-8")]
    examples = [e for e in examples if e["right"] and e["wrong"] and e["kind"] not in arguments.without]
    examples = [example for example in examples for _ in range(_TIMES.get(example["kind"], 1))]
    if arguments.each:
        examples = of_each_kind(examples, arguments.each)
    tokenizer, model = load_trained(arguments.start) if arguments.start else load_base()
    freeze(model, arguments.frozen)
    groups = arguments.groups or len(examples)
    arguments.out.mkdir(parents=True, exist_ok=True)
    weights = arguments.out / "reranker.safetensors"
    losses = train(
        model, tokenizer, examples, groups, arguments.rate, arguments.stop, lambda: save(model, weights, arguments.frozen)
    )
    save(model, weights, arguments.frozen)
    print(f"{groups} groups; loss {losses[0]:.3f} at first, {losses[-1]:.3f} at the end")
    return 0


def of_each_kind(examples: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """At most `most` examples of each kind, drawn by the seed."""
    pick = random.Random(_SEED)  # noqa: S311 - chooses examples
    kept: list[dict[str, Any]] = []
    for kind in sorted({example["kind"] for example in examples}):
        own = [example for example in examples if example["kind"] == kind]
        kept += pick.sample(own, min(most, len(own)))
    return kept


def freeze(model: PairModel, layers: int) -> None:
    """Leave the embeddings and the lower `layers` out of training."""
    for parameter in model.encoder.embeddings.parameters():
        parameter.requires_grad_(False)
    for layer in model.encoder.encoder.layer[:layers]:
        for parameter in layer.parameters():
            parameter.requires_grad_(False)


def train(
    model: PairModel,
    tokenizer: Any,
    examples: list[dict[str, Any]],
    groups: int,
    rate: float = _RATE,
    stop: int = 0,
    keep: Callable[[], None] = lambda: None,
) -> list[float]:
    """Train in place; returns the mean losses of stretches of the run, after each of which `keep` is called."""
    pick = random.Random(_SEED)  # noqa: S311 - chooses examples
    order: list[dict[str, Any]] = []
    while len(order) < groups:
        order += pick.sample(examples, len(examples))
    order = order[:groups]
    steps = groups // _GROUPS
    model.encoder.set_attn_implementation("eager")  # the faster one backwards, for short texts on a CPU
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate_at(step, steps))
    losses: list[float] = []
    stretch: list[float] = []
    started = time.perf_counter()
    # No dropout: it costs a third of the time, and a few thousand examples are each seen about once.
    model.eval()
    for step in range(stop or steps):
        loss = _loss(model, tokenizer, order[step * _GROUPS : (step + 1) * _GROUPS], pick)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        stretch.append(float(loss.detach()))
        if len(stretch) == max(1, steps // 20):
            losses.append(sum(stretch) / len(stretch))
            stretch = []
            keep()
            print(f"  step {step + 1}/{steps}, loss {losses[-1]:.3f}, {time.perf_counter() - started:.0f} s", flush=True)
    return losses or stretch


def _loss(model: PairModel, tokenizer: Any, group: list[dict[str, Any]], pick: random.Random) -> torch.Tensor:
    pairs: list[tuple[str, str]] = []
    sizes = []
    for example in group:
        wrong = pick.sample(example["wrong"], min(_WRONG, len(example["wrong"])))
        passages = [pick.choice(example["right"]), *wrong]
        pairs += [(example["question"], passage[:_PASSAGE_CHARACTERS]) for passage in passages]
        sizes.append(len(passages))
    order = sorted(range(len(pairs)), key=lambda row: len(pairs[row][1]))
    scores: list[Any] = [None] * len(pairs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for start in range(0, len(order), 12):
            rows = order[start : start + 12]
            made = model(padded(pair_tokens(tokenizer, [pairs[row] for row in rows]), _LENGTHS))
            for row, score in zip(rows, made, strict=True):
                scores[row] = score
    parts = torch.split(torch.stack(scores).float(), sizes)
    target = torch.zeros(1, dtype=torch.long)
    return torch.stack([torch.nn.functional.cross_entropy(part[None], target) for part in parts]).mean()


def _rate_at(step: int, steps: int) -> float:
    warm = max(1, int(_WARM_UP * steps))
    return min((step + 1) / warm, max(0.02, (steps - step) / max(1, steps - warm)))


if __name__ == "__main__":
    sys.exit(main())
