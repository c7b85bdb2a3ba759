"""`consilium eval images`: every encoder under one protocol, with intervals over the test pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import FileError
from core.ports import ImageEncoder
from core.settings import load_settings
from evals.images.disturb import DISTURBANCES
from evals.images.encoders import baselines
from evals.images.probes import Figure, Probe, Split, knn_scores, linear_probe, macro_auroc, retrieval, with_interval
from retrieval.images.trainingset import read_arrays, read_groups

_SHARES = (0.01, 0.1, 1.0)
_DRAWS = 5
"""Random draws of a share of the labels, averaged."""


@dataclass(frozen=True)
class Pictures:
    """A split as read: pictures and classes."""

    images: list[NDArray[np.generic]]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_] | None = None


def run(arguments: argparse.Namespace) -> int:
    """Read the set, encode it with every encoder, print one table."""
    from agent.assemble import image_encoder

    settings = load_settings()
    train, test = (read_split(Path(arguments.data), split) for split in ("train", arguments.split))
    encoders: list[ImageEncoder] = [image_encoder(settings, name) for name in (None, *arguments.encoders)]
    encoders += baselines(train.images)
    rows = [measure(encoder, train, test) for encoder in encoders]
    if arguments.json:
        told = [{name: vars(value) if isinstance(value, Figure) else value for name, value in row.items()} for row in rows]
        print(json.dumps({"train": len(train.labels), "test": len(test.labels), "split": arguments.split, "encoders": told}))
        return 0
    print(f"train {len(train.labels)}, {arguments.split} {len(test.labels)} pictures; 95 % intervals over the latter\n")
    names = list(rows[0])
    print("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in names) + " |")
    return 0


def measure(encoder: ImageEncoder, train: Pictures, test: Pictures) -> dict[str, str | int | Figure]:
    """One encoder's row."""
    fitted = Split(encoder.encode(train.images), train.labels)
    seen = Split(encoder.encode(test.images), test.labels)
    row: dict[str, str | int | Figure] = {"encoder": encoder.identity, "dimension": encoder.dimension}
    row |= _neighbour_figures(fitted, seen)
    for share in _SHARES:
        probes = [linear_probe(fitted, share, seed) for seed in range(1 if share == 1.0 else _DRAWS)]
        row[f"probe AUROC {share:.0%}"] = _probe_figure(probes, seen)
    for name, disturb in DISTURBANCES.items():
        generator = np.random.default_rng(7)
        disturbed = Split(encoder.encode([disturb(image, generator) for image in test.images]), test.labels)
        row[f"probe AUROC, {name}"] = _probe_figure(probes, disturbed)
    return row | (_by_group(probes, seen, test.groups) if test.groups is not None else {})


def _by_group(probes: Sequence[Probe], seen: Split, groups: NDArray[np.str_]) -> dict[str, Figure]:
    """The full probe's AUROC in each subgroup that has every class."""
    figures = {}
    for name in np.unique(groups):
        rows = np.flatnonzero(groups == name)
        if len(np.unique(seen.labels[rows])) == len(np.unique(seen.labels)):
            part = Split(seen.vectors[rows], seen.labels[rows])
            figures[f"probe AUROC, group {name} (n {len(rows)})"] = _probe_figure(probes, part)
    return figures


def _neighbour_figures(train: Split, test: Split) -> dict[str, Figure]:
    scores, classes = knn_scores(train, test)
    named = classes[scores.argmax(axis=1)]
    positive = scores[:, 1] if len(classes) == 2 else scores
    average, recalls = retrieval(train, test)
    count = len(test.labels)
    figures = {
        "k-NN accuracy": with_interval(lambda rows: float((named[rows] == test.labels[rows]).mean()), count),
        "k-NN balanced": with_interval(lambda rows: _balanced(test.labels[rows], named[rows]), count),
        "k-NN AUROC": with_interval(lambda rows: macro_auroc(test.labels[rows], positive[rows], classes), count),
        "mAP": with_interval(lambda rows: float(average[rows].mean()), count),
    }
    return figures | {
        f"recall@{k}": with_interval(lambda rows, hit=hit: float(hit[rows].mean()), count)  # type: ignore[misc]
        for k, hit in recalls.items()
    }


def _balanced(labels: NDArray[np.int64], named: NDArray[np.int64]) -> float:
    return float(np.mean([(named[labels == name] == name).mean() for name in np.unique(labels)]))


def _probe_figure(probes: Sequence[Probe], test: Split) -> Figure:
    """Mean over the probes; the interval is over test pictures."""
    scores = [probe.scores(test.vectors) for probe in probes]
    classes = probes[0].classes

    def mean(rows: NDArray[np.int64]) -> float:
        return float(np.mean([macro_auroc(test.labels[rows], each[rows], classes) for each in scores]))

    return with_interval(mean, len(test.labels))


def read_split(folder: Path, split: str) -> Pictures:
    """Pictures and classes of a split.

    Raises:
        FileError: there is no such `.npz`, or it lacks the split.
    """
    arrays: Sequence[Path] = sorted(folder.glob("*.npz")) if folder.is_dir() else [folder]
    if len(arrays) != 1:
        raise FileError(
            f"{folder.name!r} must be or hold one .npz with {split}_images and {split}_labels; got {len(arrays)}."
        )
    images, labels = read_arrays(arrays[0], split)
    return Pictures(list(images), labels, read_groups(arrays[0], split))
