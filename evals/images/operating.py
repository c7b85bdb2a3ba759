"""`consilium eval operating-point`: a threshold for the sensitivity or specificity that a person asks for.

The threshold is set on validation pictures and judged on test pictures that neither the probe nor the threshold has seen
(MedImageInsight sets its operating points by ROC in the same way).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.ports import ImageEncoder
from core.settings import load_settings
from evals.images.probes import Split, auroc, knn_scores, linear_probe
from evals.images.run import read_split


@dataclass(frozen=True)
class Rate:
    """A share with its Wilson 95 % interval."""

    value: float
    low: float
    high: float
    of: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f}, n = {self.of})"


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold does on pictures it was not set on."""

    threshold: float
    sensitivity: Rate
    specificity: Rate
    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int


def run(arguments: argparse.Namespace) -> int:
    """Fit on train, set on val, judge on test, print all three."""
    from agent.assemble import image_encoder

    if (arguments.sensitivity is None) == (arguments.specificity is None):
        raise InputError("Give either --sensitivity or --specificity, between 0 and 1.")
    wanted = arguments.sensitivity if arguments.sensitivity is not None else arguments.specificity
    if not 0 < wanted < 1:
        raise InputError(f"A sensitivity or specificity lies between 0 and 1, got {wanted}.")
    encoder = image_encoder(load_settings(), arguments.encoder)
    train, val, test = (_encoded(Path(arguments.data), split, encoder) for split in ("train", "val", "test"))
    scores = [_scores(train, split, arguments.by) for split in (val, test)]
    positive = int(np.unique(train.labels)[1])
    truth = [(split.labels == positive).astype(np.int64) for split in (val, test)]
    threshold = threshold_for(truth[0], scores[0], arguments.sensitivity, arguments.specificity)
    point = judge(truth[1], scores[1], threshold)
    curves = {"val": auroc(truth[0], scores[0]), "test": auroc(truth[1], scores[1])}
    if arguments.json:
        print(json.dumps({"by": arguments.by, "positive": positive, "auroc": curves, **asdict(point)}))
        return 0
    asked = f"sensitivity {wanted}" if arguments.sensitivity is not None else f"specificity {wanted}"
    print(f"{arguments.by}, {encoder.identity}; asked on validation: {asked}; threshold {point.threshold:.4f}")
    print(f"AUROC val {curves['val']:.3f}, test {curves['test']:.3f}")
    print(f"test sensitivity {point.sensitivity}\ntest specificity {point.specificity}")
    print(f"            called {positive}   not\n  is {positive}      {point.true_positive:8} {point.false_negative:5}")
    print(f"  is not    {point.false_positive:8} {point.true_negative:5}")
    return 0


def threshold_for(
    truth: NDArray[np.int64], scores: NDArray[np.floating], sensitivity: float | None, specificity: float | None
) -> float:
    """The threshold (score at or above it is called positive) that reaches what is asked with the least cost.

    Raises:
        InputError: one of the classes is missing.
    """
    positive, negative = np.sort(scores[truth == 1]), np.sort(scores[truth == 0])
    if not len(positive) or not len(negative):
        raise InputError("A threshold needs validation pictures of both classes.")
    if sensitivity is not None:
        missed = int(np.floor((1 - sensitivity) * len(positive) + 1e-9))
        return float(positive[missed])
    allowed = int(np.floor((1 - (specificity or 0.0)) * len(negative) + 1e-9))
    highest_kept = negative[len(negative) - 1 - allowed]
    above = np.sort(scores[scores > highest_kept])
    return float(above[0]) if len(above) else float(np.nextafter(highest_kept, np.inf))


def judge(truth: NDArray[np.int64], scores: NDArray[np.floating], threshold: float) -> OperatingPoint:
    """Confusion matrix and rates at a threshold."""
    called = scores >= threshold
    hit, miss = int((called & (truth == 1)).sum()), int((~called & (truth == 1)).sum())
    false, right = int((called & (truth == 0)).sum()), int((~called & (truth == 0)).sum())
    return OperatingPoint(threshold, _wilson(hit, hit + miss), _wilson(right, right + false), hit, miss, false, right)


def _wilson(count: int, of: int) -> Rate:
    """Wilson's score interval (J Am Stat Assoc 1927;22:209)."""
    if of == 0:
        return Rate(float("nan"), float("nan"), float("nan"), 0)
    z, share = 1.959964, count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return Rate(share, float(max(middle - half, 0)), float(min(middle + half, 1)), of)


def _encoded(folder: Path, split: str, encoder: ImageEncoder) -> Split:
    pictures = read_split(folder, split)
    if len(np.unique(pictures.labels)) != 2:
        raise InputError(f"An operating point needs two classes; {split} has {len(np.unique(pictures.labels))}.")
    return Split(encoder.encode(pictures.images), pictures.labels)


def _scores(train: Split, split: Split, by: str) -> NDArray[np.floating]:
    if by == "knn":
        return knn_scores(train, split)[0][:, 1]
    return linear_probe(train, 1.0).scores(split.vectors)
