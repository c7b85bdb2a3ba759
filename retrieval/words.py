"""The word side of an index: which word forms stand in which passage, ready for BM25 over all of them at once.

SQLite's FTS5 ranks with fixed parameters and one row at a time; scoring a question against every passage as one sparse
product is faster and lets the score be fused with the vector side. The arrays are plain (`words.npz`, no pickle) and
are made anew from the passages when a generation is written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
import snowballstemmer
from numpy.typing import NDArray

_STOP_WORDS = frozenset(
    """a an and are as at be but by for if in into is it no not of on or such that the their then there these they this
    to was will with""".split()  # noqa: SIM905 - a list of words reads best as words
)
_WORD = re.compile(r"[^\W_]+")
_STEMMER = snowballstemmer.stemmer("english")


@lru_cache(maxsize=500_000)
def _stem(word: str) -> str:
    stem: str = _STEMMER.stemWord(word)
    return stem


def word_forms(text: str) -> list[str]:
    """Stemmed words in order, without the commonest function words."""
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS]


@dataclass(frozen=True)
class WordCounts:
    """How often each word form stands in each passage and in each document's title.

    `texts` has one row per passage in row order, `titles` one per document in the order of its first passage, both one
    column per word form of `vocabulary`.
    """

    vocabulary: dict[str, int]
    texts: sparse.csr_array
    titles: sparse.csr_array

    @classmethod
    def empty(cls) -> WordCounts:
        """Of no passages."""
        nothing = _counts([], {})
        return cls({}, nothing, nothing)

    def plus(self, texts: Sequence[str], titles: Sequence[str]) -> WordCounts:
        """With further passages and documents at the end."""
        vocabulary = dict(self.vocabulary)
        new_texts, new_titles = (_counts(items, vocabulary) for items in (texts, titles))
        return WordCounts(
            vocabulary,
            _stacked(self.texts, new_texts, len(vocabulary)),
            _stacked(self.titles, new_titles, len(vocabulary)),
        )

    def keeping(self, passages: NDArray[np.bool_], documents: NDArray[np.bool_]) -> WordCounts:
        """Without the rows that are False."""
        return WordCounts(self.vocabulary, self.texts[np.flatnonzero(passages)], self.titles[np.flatnonzero(documents)])

    def save(self, path: Path) -> None:
        """Write plain arrays."""
        arrays: dict[str, NDArray[np.generic]] = {
            "vocabulary": np.frombuffer("\n".join(self.vocabulary).encode(), dtype=np.uint8)
        }
        for name, matrix in (("texts", self.texts), ("titles", self.titles)):
            arrays |= {f"{name}_data": matrix.data, f"{name}_indices": matrix.indices, f"{name}_indptr": matrix.indptr}
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> WordCounts:
        """Read what `save` wrote.

        Raises:
            ValueError, OSError, KeyError: the file is not one.
        """
        with np.load(path, allow_pickle=False) as arrays:
            words = arrays["vocabulary"].tobytes().decode().split("\n")
            vocabulary = {word: column for column, word in enumerate(words) if word}
            texts, titles = (
                sparse.csr_array(
                    (arrays[f"{name}_data"], arrays[f"{name}_indices"], arrays[f"{name}_indptr"]),
                    shape=(len(arrays[f"{name}_indptr"]) - 1, len(vocabulary)),
                )
                for name in ("texts", "titles")
            )
            return cls(vocabulary, texts, titles)


class BM25:
    """BM25 (Robertson and Zaragoza 2009, with Lucene's never-negative idf) of every row of a count matrix."""

    def __init__(self, counts: sparse.csr_array, k1: float, b: float) -> None:
        rows = max(counts.shape[0], 1)
        lengths = np.asarray(counts.sum(axis=1), dtype=np.float32).ravel()
        columns = sparse.csc_array(counts, dtype=np.float32)
        frequency = np.diff(columns.indptr)
        self.idf = np.log1p((rows - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
        norm = k1 * (1 - b + b * lengths / max(float(lengths.mean()) if len(lengths) else 1.0, 1e-9))
        weights = columns.data / (columns.data + norm[columns.indices].astype(np.float32))
        columns.data = (weights * np.repeat(self.idf, frequency)).astype(np.float32)
        self._columns = columns

    def score(self, words: dict[int, float]) -> NDArray[np.float32]:
        """Scores of shape (rows,) for weighted columns, as a share of what a text with endless repeats would get."""
        total = np.zeros(self._columns.shape[0], dtype=np.float32)
        indptr, indices, data = self._columns.indptr, self._columns.indices, self._columns.data
        for column, weight in words.items():
            part = slice(indptr[column], indptr[column + 1])
            total[indices[part]] += weight * data[part]
        bound = sum(weight * float(self.idf[column]) for column, weight in words.items())
        return total / bound if bound > 0 else total


def query_columns(query: str, vocabulary: dict[str, int]) -> dict[int, float]:
    """Columns of the question's word forms with how often each is said; unknown forms are left out."""
    counts = Counter(word_forms(query))
    return {vocabulary[word]: float(count) for word, count in counts.items() if word in vocabulary}


def _counts(texts: Sequence[str], vocabulary: dict[str, int]) -> sparse.csr_array:
    indices: list[int] = []
    data: list[int] = []
    indptr = [0]
    for text in texts:
        counts = Counter(word_forms(text))
        indices += [vocabulary.setdefault(word, len(vocabulary)) for word in counts]
        data += counts.values()
        indptr.append(len(indices))
    return sparse.csr_array((np.asarray(data, dtype=np.int32), indices, indptr), shape=(len(texts), len(vocabulary)))


def _stacked(above: sparse.csr_array, below: sparse.csr_array, columns: int) -> sparse.csr_array:
    """One under the other, both widened to `columns`."""
    return sparse.csr_array(
        (
            np.concatenate([above.data, below.data]).astype(np.int32),
            np.concatenate([above.indices, below.indices]).astype(np.int64),
            np.concatenate([above.indptr, below.indptr[1:] + above.indptr[-1]]).astype(np.int64),
        ),
        shape=(above.shape[0] + below.shape[0], columns),
    )
