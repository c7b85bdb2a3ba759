"""Train the entailment model.

    python -m evals.entailment.train --data DIR --out grounding/weights/entailment.safetensors

The upper three attention layers of the packaged all-MiniLM-L6-v2 and a linear classifier are trained on generated families
and on pairs made of open collections (`frames`, `real`); its word vectors and lower layers stay as they are. Families named
in `HELD_OUT` are kept for measuring. The step size falls linearly with the time used, so that a run ends after `--minutes`.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from evals.entailment import frames, real
from evals.entailment.frames import Pair
from grounding.entailment import LABELS, base_folder, encode_pair
from grounding.nearest import nearest

HELD_OUT = frozenset(
    ["head to head", "dose response", "prevalence", "diagnostic", "kinetics", "medication order", "lung report", "discharge"]
)
_BATCH, _PEAK, _WARM, _STILL, _LONGEST = 32, 1.5e-4, 0.04, 3, 112


class Model(torch.nn.Module):
    """MiniLM with word vectors held still, and a classifier over the means of all and of the claim's states."""

    def __init__(self) -> None:
        super().__init__()
        from transformers.models.bert.configuration_bert import BertConfig
        from transformers.models.bert.modeling_bert import BertModel

        folder = base_folder()
        config = BertConfig.from_json_file(str(folder / "config.json"))
        config.attention_probs_dropout_prob = config.hidden_dropout_prob = 0.05
        self.bert: Any = BertModel(config, add_pooling_layer=False)
        weights = load_file(folder / "model.safetensors")
        unused = ("pooler.", "embeddings.position_ids")
        self.bert.load_state_dict({name: value for name, value in weights.items() if not name.startswith(unused)})
        for part in (self.bert.embeddings, *self.bert.encoder.layer[:_STILL]):
            for parameter in part.parameters():
                parameter.requires_grad = False
        self.head = torch.nn.Linear(768, len(LABELS))

    def forward(self, ids: torch.Tensor, segments: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits of shape (rows, 3)."""
        state = self.bert(input_ids=ids, token_type_ids=segments, attention_mask=mask).last_hidden_state.float()
        means = []
        for part in (mask, mask * (segments == 0)):
            part = part.unsqueeze(-1).float()
            means.append((state * part).sum(1) / part.sum(1))
        logits: torch.Tensor = self.head(torch.cat(means, dim=1))
        return logits


def examples(data: Path | None, seed: int, rounds: int) -> list[Pair]:
    """Training pairs: families (some with a stranger's evidence beside, or in place), and real ones when there is data."""
    rng = random.Random(seed)  # noqa: S311
    names = frozenset(family.name for family in frames.families()) - HELD_OUT
    made = list(frames.pairs(seed, rounds, names))
    found: list[Pair] = []
    for pair in made:
        other = rng.choice(made)
        if other.family != pair.family and rng.random() < 0.3:
            both = [pair.evidence, other.evidence.split(". ")[0].rstrip(".") + "."]
            rng.shuffle(both)
            pair = Pair(pair.family, pair.kind, " ".join(both), pair.claim, pair.label)
        elif other.family != pair.family and pair.label == "supports" and rng.random() < 0.08:
            pair = Pair(pair.family, "swapped citation", other.evidence, pair.claim, "neutral")
        found.append(pair)
    return found + (list(real.all_pairs(data, seed)) if data else [])


def batches(
    pairs: Sequence[Pair], tokenizer: Tokenizer, rng: random.Random
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Shuffled batches, of texts of like length."""
    order = rng.sample(range(len(pairs)), len(pairs))
    for start in range(0, len(order), _BATCH * 40):
        encoded = [
            (encode_pair(tokenizer, pairs[i].claim, pairs[i].evidence), pairs[i].label)
            for i in order[start : start + _BATCH * 40]
        ]
        encoded.sort(key=lambda item: len(item[0][0]))
        groups = [encoded[i : i + _BATCH] for i in range(0, len(encoded), _BATCH)]
        rng.shuffle(groups)
        for group in groups:
            yield tensors(group)


def _encoded(tokenizer: Tokenizer, pair: Pair) -> tuple[tuple[list[int], list[int]], str]:
    ids, parts = encode_pair(tokenizer, pair.claim, nearest(pair.claim, pair.evidence))
    return (ids[:_LONGEST], parts[:_LONGEST]), pair.label


def tensors(
    group: Sequence[tuple[tuple[list[int], list[int]], str]],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, segments, mask, labels of a batch."""
    length = max(len(ids) for (ids, _), _ in group)
    ids, segments, mask = (torch.zeros(len(group), length, dtype=torch.long) for _ in range(3))
    for row, ((tokens, parts), _) in enumerate(group):
        ids[row, : len(tokens)], segments[row, : len(tokens)] = torch.tensor(tokens), torch.tensor(parts)
        mask[row, : len(tokens)] = 1
    return ids, segments, mask, torch.tensor([LABELS.index(label) for _, label in group])


def train(model: Model, pairs: Sequence[Pair], tokenizer: Tokenizer, minutes: float, seed: int, peak: float) -> int:
    """Train until the time is up; returns how many pairs were seen."""
    rng = random.Random(seed)  # noqa: S311
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=peak, weight_decay=0.01)
    started, seen, told = time.monotonic(), 0, 0.0
    model.train()
    while True:
        for ids, segments, mask, labels in batches(pairs, tokenizer, rng):
            used = (time.monotonic() - started) / (60 * minutes)
            if used >= 1:
                return seen
            for group in optimiser.param_groups:
                group["lr"] = peak * min(used / _WARM + 0.02, 1.0, (1 - used) / (1 - _WARM))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(ids, segments, mask)
            loss = torch.nn.functional.cross_entropy(logits.float(), labels, label_smoothing=0.05)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            seen += len(labels)
            told = 0.97 * told + 0.03 * float(loss.detach())
            if (seen // _BATCH) % 100 == 0:
                print(f"{used:.0%} seen {seen} loss {told:.3f}", flush=True)


def write(model: Model, path: Path) -> None:
    """Matrices as int8 with one scale per row (half precision), vectors in half precision."""
    stored: dict[str, torch.Tensor] = {}
    for name, value in model.state_dict().items():
        name = name.removeprefix("bert.")
        if name.startswith(("embeddings.", *(f"encoder.layer.{layer}." for layer in range(_STILL)))):
            continue  # as in the package
        if value.ndim == 2 and not name.startswith("head"):
            scale = value.abs().amax(dim=1).clamp(min=1e-8) / 127
            scale = scale.half().float()
            stored[f"{name}.q"] = (value / scale[:, None]).round().clamp(-127, 127).to(torch.int8)
            stored[f"{name}.scale"] = scale.half()
        else:
            stored[name] = value.half().contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored, path)


def main() -> None:
    """Train, write, and measure on the families held out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="full-precision weights of an earlier run")
    parser.add_argument("--full", type=Path, help="also write full-precision weights here, for a later --start")
    parser.add_argument("--minutes", type=float, default=14)
    parser.add_argument("--peak", type=float, default=_PEAK)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    tokenizer = Tokenizer.from_file(str(base_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    model = Model()
    if arguments.start:
        model.load_state_dict(load_file(arguments.start))
    pairs = examples(arguments.data, arguments.seed, arguments.rounds)
    print(f"{len(pairs)} pairs", flush=True)
    seen = train(model, pairs, tokenizer, arguments.minutes, arguments.seed, arguments.peak)
    if arguments.full:
        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, arguments.full)
    write(model, arguments.out)
    print(json.dumps({"seen": seen, **held_out(arguments.out)}))


def held_out(path: Path) -> dict[str, float]:
    """Accuracy over three labels, and over "supported or not", on the families never trained on."""
    from grounding.entailment import Entailment

    pairs = list(frames.pairs(99, 1, HELD_OUT))
    odds = Entailment(path).odds([(pair.claim, nearest(pair.claim, pair.evidence)) for pair in pairs])
    numbers = np.array([[o.supports, o.refutes, o.neutral] for o in odds])
    right = [LABELS[int(row.argmax())] == pair.label for row, pair in zip(numbers, pairs, strict=True)]
    binary = [(row[0] > 0.5) == (pair.label == "supports") for row, pair in zip(numbers, pairs, strict=True)]
    return {"pairs": len(pairs), "three": round(float(np.mean(right)), 3), "two": round(float(np.mean(binary)), 3)}


if __name__ == "__main__":
    main()
