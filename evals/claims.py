"""`check_claim` on HealthVer's development pairs: macro-F1 with the confusion matrix, beside two baselines.

HealthVer (Sarrouti et al., 2021) has claims from the web and sentences of abstracts, each pair read by experts. It is used
for evaluation only: nothing was trained, tuned or chosen on it.
"""

from __future__ import annotations

import csv
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import FileError
from grounding.claims import ClaimLabel, check_claim
from grounding.lexicon import NEGATION, STOP, stem

LABELS: tuple[ClaimLabel, ...] = ("supports", "refutes", "neutral")
_SHARED = 0.5
"""Share of a claim's words from which the lexical baseline takes a side: the round figure, not tuned."""


@dataclass(frozen=True)
class Pair:
    """A claim, evidence, and what the experts said."""

    claim: str
    evidence: str
    label: ClaimLabel


@dataclass(frozen=True)
class Scores:
    """Of one method: macro-F1 with a 95 % bootstrap interval over claims, accuracy, and counts[truth][told]."""

    method: str
    macro_f1: float
    low: float
    high: float
    accuracy: float
    counts: tuple[tuple[int, ...], ...]


def read_pairs(path: Path) -> list[Pair]:
    """HealthVer's csv: columns claim, evidence, label."""
    try:
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise FileError(f"The HealthVer file {path.name!r} cannot be read: {error}.") from error
    names: dict[str, ClaimLabel] = {"supports": "supports", "refutes": "refutes", "neutral": "neutral"}
    return [Pair(row["claim"].strip(), row["evidence"].strip(), names[row["label"].lower()]) for row in rows]


def evaluate(pairs: Sequence[Pair]) -> list[Scores]:
    """The method and both baselines."""
    most = Counter(pair.label for pair in pairs).most_common(1)[0][0]
    methods: dict[str, Callable[[Pair], ClaimLabel]] = {
        "majority": lambda pair: most,
        "lexical": _lexical,
        "check_claim": lambda pair: check_claim(pair.claim, [pair.evidence]).verdict,
    }
    return [_scores(name, pairs, [method(pair) for pair in pairs]) for name, method in methods.items()]


def _lexical(pair: Pair) -> ClaimLabel:
    """Half of the claim's words shared: supports, or refutes when only one side has a negation; else neutral."""
    mine, theirs = (_words(text) for text in (pair.claim, pair.evidence))
    if len(mine & theirs) < _SHARED * len(mine):
        return "neutral"
    return "supports" if bool(NEGATION.search(pair.claim)) == bool(NEGATION.search(pair.evidence)) else "refutes"


def _words(text: str) -> set[str]:
    return {stem(word) for word in re.findall(r"[^\W\d_]\w+", text) if word.lower() not in STOP}


def _scores(method: str, pairs: Sequence[Pair], told: Sequence[ClaimLabel]) -> Scores:
    truth = [pair.label for pair in pairs]
    by_claim: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        by_claim.setdefault(pair.claim, []).append(place)
    rng = random.Random(0)  # noqa: S311 - resampling
    claims = list(by_claim.values())
    drawn = sorted(
        macro_f1([truth[i] for i in picked], [told[i] for i in picked])
        for picked in ([i for group in rng.choices(claims, k=len(claims)) for i in group] for _ in range(300))
    )
    counts = tuple(tuple(sum(t == a and p == b for t, p in zip(truth, told, strict=True)) for b in LABELS) for a in LABELS)
    accuracy = sum(t == p for t, p in zip(truth, told, strict=True)) / len(truth)
    return Scores(method, macro_f1(truth, told), drawn[7], drawn[-8], accuracy, counts)


def macro_f1(truth: Sequence[str], told: Sequence[str]) -> float:
    """Mean of the three classes' F1; a class that is neither there nor told counts zero."""
    total = 0.0
    for label in LABELS:
        hit = sum(t == p == label for t, p in zip(truth, told, strict=True))
        wrong = sum(p == label != t for t, p in zip(truth, told, strict=True))
        missed = sum(t == label != p for t, p in zip(truth, told, strict=True))
        total += 2 * hit / (2 * hit + wrong + missed) if hit else 0.0
    return total / len(LABELS)
