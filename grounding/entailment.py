"""Whether a text bears a claim out, speaks against it, or does neither: boosted trees over what the rules measure.

The trees see no words, only the numbers of `grounding.features` (what each rule found, shares of words, directions,
negations, substitutions), so that they carry over to wording and subjects that they were not fitted on. Fitted by
`python -m evals.entailment.fit`; the card is `grounding/weights/README.md`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileError
from grounding.features import NAMES, features, row

if TYPE_CHECKING:
    import lightgbm

LABELS = ("supports", "refutes", "neutral")
_WEIGHTS = Path(__file__).parent / "weights" / "stance.txt"


@dataclass(frozen=True)
class Odds:
    """Probabilities that sum to one."""

    supports: float
    refutes: float
    neutral: float


class Entailment:
    """The fitted trees; they load at the first use, and may be used from several threads."""

    def __init__(self, weights: Path = _WEIGHTS) -> None:
        self._path = weights
        self._lock = threading.Lock()
        self._trees: lightgbm.Booster | None = None

    def odds(self, pairs: Sequence[tuple[str, str]]) -> list[Odds]:
        """For each (claim, evidence); the evidence must have words.

        Raises:
            FileError: the weights are of other features than this program measures.
        """
        if not pairs:
            return []
        rows = np.asarray([row(features(claim, [evidence])) for claim, evidence in pairs], dtype=np.float64)
        with self._lock:
            found = np.asarray(self._loaded().predict(rows, num_threads=1))
        return [Odds(*(float(number) for number in numbers)) for numbers in found]

    def _loaded(self) -> lightgbm.Booster:
        if self._trees is None:
            import lightgbm

            trees = lightgbm.Booster(model_str=self._path.read_text(encoding="utf-8"))
            if trees.num_feature() != len(NAMES):
                raise FileError(
                    f"{self._path.name} is of {trees.num_feature()} features; this program measures {len(NAMES)}."
                )
            self._trees = trees
        return self._trees


@lru_cache(maxsize=1)
def shipped() -> Entailment:
    """The model that ships, one for the process."""
    return Entailment()
