"""A generation's vectors in another store: the generation stays the truth, the store follows it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.ports import VectorStore
from retrieval.vectors.faiss_store import FaissStore

_BATCH = 5000


class Listed(VectorStore, Protocol):
    """A vector store that can name what it holds."""

    def ids(self) -> NDArray[np.int64]:
        """All ids, ascending."""
        ...


def follow(source: FaissStore, store: Listed) -> tuple[int, int]:
    """Bring the store to what the generation holds; returns how many vectors were added and removed.

    Passages keep their numbers and vectors while they are in an index, so that only the difference is written.
    """
    there = store.ids()
    gone = np.setdiff1d(there, source.ids)
    new = np.setdiff1d(source.ids, there)
    store.remove(gone)
    for start in range(0, len(new), _BATCH):
        part = new[start : start + _BATCH]
        store.add(part, source.get(part))
    return len(new), len(gone)
