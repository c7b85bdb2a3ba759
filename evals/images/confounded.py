"""`consilium eval concepts`: the concept bottleneck beside the plain probe where a bystander misleads.

In the confounded split a mark of the film (a marker in a corner, exposure, grain) goes with the class in 95 of 100 training
films and against it in the test films. Nothing of the anatomy is changed. "Loss" is the AUROC on the clean test films of a
classifier trained on clean films, less that of one trained on confounded films and tested on reversed ones.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.settings import load_settings
from evals.images.probes import Split, auroc, linear_probe, with_interval
from evals.images.run import Pictures, read_split
from retrieval.images.concepts import ground, propose
from retrieval.images.pictures import as_squares

_SHARE = 0.95
_SEED = 11
Films = NDArray[np.float32]


def marker(films: Films, chosen: NDArray[np.bool_], generator: np.random.Generator) -> Films:
    """A bright 5 x 5 marker in the upper left corner of the chosen films."""
    marked = films.copy()
    marked[chosen, 1:6, 1:6] = 2.5
    return marked


def exposure(films: Films, chosen: NDArray[np.bool_], generator: np.random.Generator) -> Films:
    """The grey scale of the chosen films bent upwards."""
    bent = films.copy()
    bent[chosen] += 0.25 * (np.square(films[chosen]) - 1)
    return bent


def grain(films: Films, chosen: NDArray[np.bool_], generator: np.random.Generator) -> Films:
    """Noise on the chosen films."""
    noisy = films.copy()
    noisy[chosen] += generator.normal(0, 0.25, films[chosen].shape).astype(np.float32)
    return noisy


BYSTANDERS: dict[str, Callable[[Films, NDArray[np.bool_], np.random.Generator], Films]] = {
    "marker": marker,
    "exposure": exposure,
    "grain": grain,
}


def run(arguments: argparse.Namespace) -> int:
    """Propose, ground, train both classifiers on clean and confounded films, print one table."""
    from agent.assemble import image_encoder
    from retrieval.encoders import MiniLM
    from retrieval.several import open_indexes

    settings = load_settings()
    encoder = image_encoder(settings, arguments.encoder)
    literature = open_indexes(settings.home, arguments.indexes or settings.indexes, MiniLM())
    proposed = propose(literature.search(arguments.topic, 20).passages)
    concepts = [found.concept for found in proposed]
    train, test = (read_split(Path(arguments.data), split) for split in ("train", arguments.split))
    films = as_squares(train.images)
    grounding = ground(concepts, list(films), encoder.encode(list(_changed(films))))
    rows = []
    for name, change in BYSTANDERS.items():
        splits = _splits(change, films, train, test)
        vectors = {key: Split(encoder.encode(list(pictures)), labels) for key, (pictures, labels) in splits.items()}
        scores = {key: Split(grounding.scores(split.vectors), split.labels) for key, split in vectors.items()}
        rows.append((name, {"probe": _loss(vectors), "bottleneck": _loss(scores)}))
    told = [
        {"concept": found.concept.name, "source": found.source.document_id, "fit": round(fit, 3)}
        for found, fit in zip(proposed, grounding.fit, strict=True)
    ]
    if arguments.json:
        print(json.dumps({"concepts": told, "rows": [{"bystander": name, **kinds} for name, kinds in rows]}))
        return 0
    for line in told:
        print(f"{line['concept']:34} correlation with its measure {line['fit']:.2f}; named in {line['source']}")
    print("\n| bystander | classifier | clean | confounded | loss (95 % interval) |\n|---|---|---|---|---|")
    for name, kinds in rows:
        for kind, figures in kinds.items():
            loss = f"{figures['loss']:.3f} ({figures['low']:.3f}-{figures['high']:.3f})"
            print(f"| {name} | {kind} | {figures['clean']:.3f} | {figures['confounded']:.3f} | {loss} |")
    return 0


def _changed(films: Films) -> Films:
    """Each film once, with its exposure, pose, grain and a covered patch changed at random, and a marker on half of them."""
    import torch

    from retrieval.images.augment import augment

    generator = np.random.default_rng(_SEED)
    views = augment(torch.from_numpy(films), torch.Generator().manual_seed(_SEED)).numpy()
    views = marker(views, generator.random(len(films)) < 0.5, generator)
    views = exposure(views, generator.random(len(films)) < 0.5, generator)
    return grain(views, generator.random(len(films)) < 0.5, generator)


def _splits(
    change: Callable[[Films, NDArray[np.bool_], np.random.Generator], Films], films: Films, train: Pictures, test: Pictures
) -> dict[str, tuple[Films, NDArray[np.int64]]]:
    generator = np.random.default_rng(_SEED)
    held = as_squares(test.images)
    with_class = (generator.random(len(films)) < _SHARE) == (train.labels == 1)
    against_class = (generator.random(len(held)) < _SHARE) != (test.labels == 1)
    return {
        "train": (films, train.labels),
        "test": (held, test.labels),
        "confounded train": (change(films, with_class, generator), train.labels),
        "reversed test": (change(held, against_class, generator), test.labels),
    }


def _loss(splits: dict[str, Split]) -> dict[str, float]:
    labels = splits["test"].labels
    clean = linear_probe(splits["train"], 1.0).scores(splits["test"].vectors)
    misled = linear_probe(splits["confounded train"], 1.0).scores(splits["reversed test"].vectors)
    loss = with_interval(lambda rows: auroc(labels[rows], clean[rows]) - auroc(labels[rows], misled[rows]), len(labels))
    both = {"clean": auroc(labels, clean), "confounded": auroc(labels, misled)}
    return {**both, "loss": loss.value, "low": loss.low, "high": loss.high}
