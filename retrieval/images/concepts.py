"""A concept bottleneck for films (KnoBo, Yang et al., NeurIPS 2024): a classifier that sees named concepts, not features.

Concepts are proposed from a literature index: one is used when passages on the class name its words, and keeps the passage
as its source. Each is grounded by the encoder: a ridge regression from the film's vector to the concept's measure on the
film as it was, fitted on films whose exposure, pose and markers were changed at random. So a concept's score answers to the
anatomy and not to how the film was taken, and a classifier that sees only scores has little else to lean on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.types import Passage

Film = NDArray[np.float32]
_RIDGE = 10.0


@dataclass(frozen=True)
class Concept:
    """A finding that can be measured on a standardised 32 x 32 film (radiological convention: the patient's right is left).

    `words` are the stems by which literature names it.
    """

    name: str
    words: tuple[str, ...]
    measure: Callable[[Film], float]


@dataclass(frozen=True)
class Proposed:
    """A concept and the sentence of literature that names it."""

    concept: Concept
    source: Passage


def _zone(rows: slice, columns: slice) -> Callable[[Film], float]:
    return lambda film: float(film[rows, columns].mean())


def _asymmetry(film: Film) -> float:
    return abs(float(film[8:26, 3:13].mean() - film[8:26, 19:29].mean()))


def _patchiness(film: Film) -> float:
    lungs = np.concatenate([film[8:26, 4:13], film[8:26, 19:28]], axis=1)
    smooth = (lungs[:-1, :-1] + lungs[1:, :-1] + lungs[:-1, 1:] + lungs[1:, 1:]) / 4
    return float((lungs[:-1, :-1] - smooth).std())


def _air(film: Film) -> float:
    return float((film[6:27, 3:29] < -0.3).mean())


def _heart_width(film: Film) -> float:
    return float((film[18:24, 4:28] > 0.3).mean())


def _border_sharpness(film: Film) -> float:
    return float(np.abs(np.diff(film[14:24, 8:26], axis=1)).mean())


_OPACITY = ("opacit", "opacif", "consolidat", "infiltrat")
CONCEPTS: tuple[Concept, ...] = (
    Concept("density of the right upper zone", _OPACITY, _zone(slice(6, 15), slice(4, 13))),
    Concept("density of the right lower zone", _OPACITY, _zone(slice(16, 26), slice(4, 13))),
    Concept("density of the left upper zone", _OPACITY, _zone(slice(6, 15), slice(19, 28))),
    Concept("density of the left lower zone", _OPACITY, _zone(slice(16, 26), slice(19, 28))),
    Concept("density around the hila", ("hila", "perihil", "peribronch"), _zone(slice(10, 20), slice(11, 21))),
    Concept("difference between the sides", ("unilater", "bilater", "lobar", "asymmetr"), _asymmetry),
    Concept("patchiness of the lungs", ("patch", "interstit", "reticul", "heterogen", "diffuse"), _patchiness),
    Concept("share of air", ("hyperinflat", "aerat", "air", "atelecta"), _air),
    Concept("width of the heart shadow", ("cardiomeg", "heart", "cardiac"), _heart_width),
    Concept("sharpness of the borders", ("silhouette", "border", "effusion", "blunt"), _border_sharpness),
)


def propose(passages: Sequence[Passage]) -> tuple[Proposed, ...]:
    """The concepts that passages name, each with the first passage that does.

    Raises:
        InputError: they name none.
    """
    found = []
    for concept in CONCEPTS:
        pattern = re.compile(r"\b(?:" + "|".join(concept.words) + r")\w*", re.IGNORECASE)
        source = next((passage for passage in passages if pattern.search(passage.text)), None)
        if source is not None:
            found.append(Proposed(concept, source))
    if not found:
        raise InputError(
            "None of the passages names a concept that can be measured on a film. Search an index with texts on the class."
        )
    return tuple(found)


@dataclass(frozen=True)
class Grounding:
    """Concept scores from vectors: `(vectors - mean) @ weights + offsets`, shape (n, concepts)."""

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    weights: NDArray[np.float64]
    offsets: NDArray[np.float64]
    fit: tuple[float, ...]
    """Correlation of each score with its measure, on the films it was fitted on."""

    def scores(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """How much of each concept a film's vector shows, in standard deviations of the measure."""
        return np.asarray((vectors - self.mean) @ self.weights + self.offsets, dtype=np.float64)


def ground(concepts: Sequence[Concept], films: Sequence[Film], changed: NDArray[np.floating]) -> Grounding:
    """Fit every concept: from the vectors of changed films (n, d) to the measures on the films as they were (n of 32 x 32).

    Raises:
        InputError: films and vectors do not go together.
    """
    if len(films) != len(changed):
        raise InputError(f"There must be one vector per film, got {len(films)} films and {len(changed)} vectors.")
    measures = np.asarray([[concept.measure(film) for concept in concepts] for film in films], dtype=np.float64)
    measures = (measures - measures.mean(axis=0)) / np.maximum(measures.std(axis=0), 1e-6)
    mean = changed.mean(axis=0).astype(np.float64)
    centred = changed - mean
    penalty = _RIDGE * float(np.square(centred).sum(axis=0).mean()) / len(films)
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(centred.shape[1]), centred.T @ measures)
    fitted = centred @ weights
    fit = tuple(float(np.corrcoef(fitted[:, i], measures[:, i])[0, 1]) for i in range(len(concepts)))
    return Grounding(tuple(concept.name for concept in concepts), mean, weights, np.zeros(len(concepts)), fit)
