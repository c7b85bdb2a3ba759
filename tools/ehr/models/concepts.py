"""Concept vectors: codes that keep the same company lie close (Choi et al., KDD 2016, Med2Vec's skip-gram in a visit).

Skip-gram with negative sampling factorises a matrix of pointwise mutual information (Levy and Goldberg, NeurIPS 2014), so
the vectors are the truncated singular vectors of its positive part: the same at every run, in seconds, without sampling. A
record is the sum of its codes' vectors, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from core.errors import InputError
from tools.ehr.risk.events import Events

Matrix = NDArray[np.float32]
BINS = 4
"""A measured value is a code per quarter of its distribution: a low potassium is not a high one."""


@dataclass(frozen=True)
class Concepts:
    """`vectors` has shape (codes, width); `names` are the codes."""

    names: tuple[str, ...]
    vectors: Matrix

    def similar(self, name: str, k: int = 10) -> list[tuple[str, float]]:
        """The k codes of the highest cosine with one, without itself.

        Raises:
            InputError: the code is not known; codes that contain the word are named.
        """
        if name not in self.names:
            near = [other for other in self.names if name.lower() in other.lower()][:8]
            raise InputError(
                f"The code {name!r} is not among the {len(self.names)} known. Near: {', '.join(near) or 'none'}."
            )
        unit = self.vectors / np.maximum(np.linalg.norm(self.vectors, axis=1, keepdims=True), 1e-9)
        here = self.names.index(name)
        cosine = unit @ unit[here]
        order = [int(i) for i in np.argsort(-cosine) if i != here][:k]
        return [(self.names[i], round(float(cosine[i]), 4)) for i in order]

    def of_records(self, counts: csr_matrix) -> Matrix:
        """Sum of the vectors of a record's codes; (n, codes) to (n, width)."""
        return np.asarray(counts @ self.vectors, dtype=np.float32)


@dataclass(frozen=True)
class Binning:
    """Where the quarters of each measured code lie, from training records."""

    edges: dict[str, tuple[float, ...]]

    def names(self, events: Events) -> list[str]:
        """A code per event: "creatinine" in its third quarter is "Creatinine[3]"; codes without a value stay."""
        out = np.array(events.vocabulary, dtype=object)[events.code]
        for index, name in enumerate(events.vocabulary):
            mine = (events.code == index) & ~np.isnan(events.value)
            if name in self.edges and mine.any():
                quarter = np.searchsorted(self.edges[name], events.value[mine], side="right") + 1
                out[mine] = [f"{name}[{number}]" for number in quarter]
        return [str(name) for name in out]


def fit_binning(events: Events) -> Binning:
    """Quartiles of every code that has at least 20 values."""
    edges: dict[str, tuple[float, ...]] = {}
    for index, name in enumerate(events.vocabulary):
        values = events.value[(events.code == index) & ~np.isnan(events.value)]
        if len(values) >= 20 and len(np.unique(values)) > 2:
            edges[name] = tuple(float(v) for v in np.unique(np.quantile(values, np.arange(1, BINS) / BINS)))
    return Binning(edges)


def code_counts(names: list[str], row: NDArray[np.int64], rows: int, known: tuple[str, ...]) -> csr_matrix:
    """How often each record has each known code, shape (rows, codes); other codes are passed over."""
    place = {name: index for index, name in enumerate(known)}
    pairs = [(int(r), place[name]) for r, name in zip(row, names, strict=True) if name in place]
    r, c = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return csr_matrix((np.ones(len(r), np.float32), (r, c)), shape=(rows, len(known)))


def fit_concepts(names: list[str], visit: NDArray[np.int64], width: int = 32, least: int = 5) -> Concepts:
    """Vectors of the codes that at least `least` visits have.

    Raises:
        InputError: fewer than 3 codes are common enough.
    """
    visits, place = np.unique(visit, return_inverse=True)
    known = tuple(sorted(set(names)))
    present = code_counts(names, place.astype(np.int64), len(visits), known)
    present.data[:] = 1
    common = np.flatnonzero(np.asarray(present.sum(axis=0))[0] >= least)
    if len(common) < 3:
        raise InputError(f"{len(common)} codes occur in at least {least} visits; 3 are needed for concept vectors.")
    present = present[:, common]
    together = (present.T @ present).toarray()
    np.fill_diagonal(together, 0)
    total, each = together.sum(), together.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mutual = np.log(together * total / np.outer(each, each))
    positive = np.where(np.isfinite(mutual), np.maximum(mutual, 0), 0)
    size = min(width, len(common) - 1)
    left, values, _ = svds(positive.astype(np.float64), k=size, v0=np.ones(len(common)))
    vectors = left[:, ::-1] * np.sqrt(values[::-1])
    return Concepts(tuple(known[i] for i in common), vectors.astype(np.float32))
