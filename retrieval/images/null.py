"""What is near by chance: how similar pictures of different patients are in an index.

Without it a cosine says nothing: in a collection of chest films all pairs are similar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.types import Frozen

_SAMPLE = 600
_ENOUGH = 20
"""Fewer pictures of different patients tell nothing of chance."""


class NullDistribution(Frozen):
    """Percentiles 0 to 100 of cosines between different patients; empty when there are too few.

    `pairs`: of random pairs. `nearest`: of each sampled picture with its nearest of another patient.
    """

    pairs: tuple[float, ...] = ()
    nearest: tuple[float, ...] = ()

    def closer_than(self, similarity: float) -> float:
        """Share of random pairs that lie farther apart than this; NaN when there are too few pictures."""
        if not self.pairs:
            return float("nan")
        return float(np.interp(similarity, self.pairs, np.linspace(0, 1, len(self.pairs))))

    def is_far(self, similarity: float) -> bool:
        """Whether a nearest neighbour so far away is rarer than 1 in 100 within the index: no close match."""
        return bool(self.nearest) and similarity < self.nearest[1]


def null_of(vectors: Any, groups: Mapping[int, str]) -> NullDistribution:
    """The null distributions of an index of unit vectors (faiss, with ids); `groups` maps a row to its patient."""
    rows = np.asarray(sorted(groups), dtype=np.int64)
    names = np.asarray([groups[int(row)] for row in rows])
    if len(set(names.tolist())) < _ENOUGH:
        return NullDistribution()
    generator = np.random.default_rng(0)
    chosen = generator.choice(len(rows), size=min(_SAMPLE, len(rows)), replace=False)
    sample = _vectors_of(vectors, rows[chosen])
    cosines = sample @ sample.T
    apart = names[chosen][:, None] != names[chosen][None]
    pairs = cosines[apart & np.triu(np.ones_like(apart), 1)]
    return NullDistribution(
        pairs=_percentiles(pairs), nearest=_percentiles(_nearest(vectors, sample, names[chosen], groups))
    )


def _vectors_of(vectors: Any, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.asarray([vectors.reconstruct(int(row)) for row in rows], dtype=np.float32)


def _nearest(
    vectors: Any, sample: NDArray[np.float32], names: NDArray[np.str_], groups: Mapping[int, str]
) -> NDArray[np.float64]:
    """Cosine of each sampled picture with the nearest of another patient."""
    largest = max(Counter(groups.values()).values())
    cosines, rows = vectors.search(sample, min(largest + 1, vectors.ntotal))
    found = []
    for name, row_cosines, row_ids in zip(names, cosines, rows, strict=True):
        found.append(max(float(c) for c, row in zip(row_cosines, row_ids, strict=True) if groups[int(row)] != name))
    return np.asarray(found)


def _percentiles(values: NDArray[np.floating[Any]]) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in np.percentile(values, np.arange(101)))
