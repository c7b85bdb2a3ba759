"""Scores of every document of a generation for one question: words, meaning, and the two together.

The hybrid score is a convex combination of the cosine of the nearest passage and BM25 as a share of its upper bound
(after Bruch, Gai and Ingber, "An analysis of fusion functions for hybrid retrieval", 2023), which keeps how far apart
two documents are, where reciprocal rank keeps only their order. The question's vector is then moved toward the vectors
of the best passages (Rocchio feedback, as in Li et al., "Pseudo relevance feedback with deep language models and dense
retrievers", 2022) and everything is scored once more. The constants were chosen on development questions; see
docs/benchmarks.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import faiss
import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from core.errors import IndexDamaged
from retrieval.generation import Generation
from retrieval.words import BM25, WordCounts, query_columns

Mode = Literal["hybrid", "bm25", "dense"]
Floats = NDArray[np.float32]

_K1, _B = 0.9, 0.4
_DENSE_WEIGHT = 0.6
_FEEDBACK_PASSAGES = 5
_FEEDBACK_WEIGHT = 0.5
_FEEDBACK_SHARPNESS = 10.0
"""A passage whose score is .1 below the best one's counts 1/e of it in the feedback."""


@dataclass(frozen=True)
class Scores:
    """`documents` (documents,) to rank by; per document its best passage's position and that passage's cosine."""

    documents: Floats
    best: NDArray[np.int64]
    cosine: Floats


class Scorer:
    """Scores over one generation. Arrays are in the order of passage rows; documents in that of their first passage."""

    def __init__(self, generation: Generation) -> None:
        passages = generation.store.execute("SELECT row, document, start, end FROM passages ORDER BY row").fetchall()
        known = {name: (year, bool(out)) for name, year, out in generation.store.execute(
            "SELECT id, year, retracted FROM documents")}  # fmt: skip
        self.ids = list(dict.fromkeys(document for _, document, _, _ in passages))
        place = {document: position for position, document in enumerate(self.ids)}
        self.document_of = np.asarray([place[document] for _, document, _, _ in passages], dtype=np.int64)
        self.spans = [(start, end) for _, _, start, end in passages]
        self.years = [known[document][0] for document in self.ids]
        self.retracted = np.asarray([known[document][1] for document in self.ids], dtype=np.bool_)
        self._first = np.flatnonzero(np.diff(self.document_of, prepend=-1))
        self._vectors = _matrix(generation.vectors)
        try:
            self._words = WordCounts.load(generation.folder / "words.npz")
        except (OSError, ValueError, KeyError) as error:
            name = generation.folder.parent.parent.name
            raise IndexDamaged(f"Index {name!r} is damaged ({error}). Mend it: consilium index repair {name}") from error

    def score(self, query: str, vector: Floats, mode: Mode, allowed: NDArray[np.bool_] | None = None) -> Scores:
        """Score all documents; those that are not `allowed` (documents,) get minus infinity."""
        if not self.ids:
            nothing = np.zeros(0, dtype=np.float32)
            return Scores(nothing, np.zeros(0, dtype=np.int64), nothing)
        columns = query_columns(query, self._words.vocabulary)
        cosine = self._vectors @ vector
        if mode == "dense":
            documents, nearness = self._max(cosine), cosine
        elif mode == "bm25":
            documents, nearness = self._documents.score(columns), self._passages.score(columns)
        else:
            words = self._documents.score(columns)
            documents = self._fused(cosine, words, allowed)
            moved = self._vectors @ self._feedback(vector, documents, cosine)
            documents = self._fused(moved, words, allowed)
            nearness = _DENSE_WEIGHT * cosine + (1 - _DENSE_WEIGHT) * self._passages.score(columns)
        best = self._argmax(nearness)
        if allowed is not None:
            documents = np.where(allowed, documents, -np.inf).astype(np.float32)
        return Scores(documents, best, cosine[best])

    def _fused(self, cosine: Floats, words: Floats, allowed: NDArray[np.bool_] | None) -> Floats:
        fused = _DENSE_WEIGHT * self._max(cosine) + (1 - _DENSE_WEIGHT) * words
        return fused if allowed is None else np.where(allowed, fused, -np.inf).astype(np.float32)

    def _feedback(self, vector: Floats, documents: Floats, cosine: Floats) -> Floats:
        """The question's vector moved toward the nearest passages of the best documents."""
        top = _top(documents, _FEEDBACK_PASSAGES)
        weights = np.exp((documents[top] - documents[top[0]]) * _FEEDBACK_SHARPNESS)
        centre = weights @ self._vectors[self._argmax(cosine)[top]]
        moved = vector + _FEEDBACK_WEIGHT * _unit(centre)
        return _unit(moved)

    def _max(self, values: Floats) -> Floats:
        """The best passage's value of each document."""
        best: Floats = np.maximum.reduceat(values, self._first)
        return best

    def _argmax(self, values: Floats) -> NDArray[np.int64]:
        order = np.lexsort((-values, self.document_of))
        return order[self._first]

    @cached_property
    def _passages(self) -> BM25:
        titles = self._words.titles[self.document_of] if len(self.document_of) else self._words.titles
        return BM25(self._words.texts + titles, _K1, _B)

    @cached_property
    def _documents(self) -> BM25:
        rows = len(self.document_of)
        ones = np.ones(rows, dtype=np.int32)
        group = sparse.csr_array((ones, (self.document_of, np.arange(rows))), shape=(len(self.ids), rows))
        return BM25(sparse.csr_array(group @ self._words.texts + self._words.titles), _K1, _B)


def top_documents(scores: Scores, k: int) -> list[int]:
    """Positions of the `k` best documents, best first, ties by position; what is not allowed is left out."""
    return [int(position) for position in _top(scores.documents, k) if np.isfinite(scores.documents[position])]


def _top(values: Floats, k: int) -> NDArray[np.int64]:
    k = min(k, len(values))
    if k == 0:
        return np.zeros(0, dtype=np.int64)
    part = np.sort(np.argpartition(-values, k - 1)[:k])
    return part[np.argsort(-values[part], kind="stable")]


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector


def _matrix(index: faiss.IndexIDMap2) -> Floats:
    """The flat index's vectors (passages, dimension), in the order of their ids."""
    flat = faiss.downcast_index(index.index)
    vectors: Floats = np.asarray(flat.reconstruct_n(0, flat.ntotal), dtype=np.float32).reshape(flat.ntotal, flat.d)
    return vectors
