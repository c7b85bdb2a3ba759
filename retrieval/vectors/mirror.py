"""A generation's vectors in another store: the generation stays the truth, the store follows it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.ports import VectorStore
from retrieval.generation import Generation
from retrieval.vectors.faiss_store import FaissStore

_BATCH = 5000
_CLOSE = 1e-4
"""Stores may keep vectors a little rounded."""
_FORMS = "'faiss', 'qdrant:PLACE' or 'chroma:PLACE', PLACE a folder or an address that begins with http"


class Listed(VectorStore, Protocol):
    """A vector store that can name what it holds."""

    def ids(self) -> NDArray[np.int64]:
        """All ids, ascending."""
        ...

    def close(self) -> None:
        """Let go of the folder or the connection."""
        ...


class Mirror:
    """One store beside an index: brought level with a generation when that is opened.

    What it was last brought level with is noted beside the index, so that nothing is compared while nothing has changed.
    """

    def __init__(self, kind: str, place: str) -> None:
        self._kind, self._place = kind, place
        self._stores: dict[str, Listed] = {}

    def of(self, generation: Generation) -> VectorStore:
        """The store of that generation's index, level with it.

        Raises:
            MissingRequirement: the client is not installed.
        """
        folder = generation.folder.parent.parent
        store = self._stores.get(folder.name)
        if store is None:
            store = self._stores[folder.name] = self._open(f"consilium-{folder.name}", generation.vectors.dimension)
        note = folder / f"mirror-{self._kind}"
        level = f"{self._place} {generation.digest}"
        if not (note.is_file() and note.read_text(encoding="utf-8") == level and len(store) == len(generation.vectors)):
            note.unlink(missing_ok=True)
            follow(generation.vectors, store)
            note.write_text(level, encoding="utf-8")
        return store

    def close(self) -> None:
        """Close the stores."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()

    def _open(self, collection: str, dimension: int) -> Listed:
        # A folder is one client's alone, so each index has one of its own.
        place = self._place if self._place.startswith("http") else str(Path(self._place) / collection)
        if self._kind == "qdrant":
            from retrieval.vectors.qdrant_store import QdrantStore

            return QdrantStore(place, dimension, collection)
        from retrieval.vectors.chroma_store import ChromaStore

        return ChromaStore(place, dimension, collection)


def mirror_named(name: str) -> Mirror | None:
    """The mirror that a setting names; None for FAISS, which needs none.

    Raises:
        InputError: it is none of the forms.
    """
    if name in ("", "faiss"):
        return None
    kind, mark, place = name.partition(":")
    if kind not in ("qdrant", "chroma") or not mark or not place:
        raise InputError(f"There is no vector store {name!r}. Allowed: {_FORMS}.")
    return Mirror(kind, place if place.startswith("http") else str(Path(place).expanduser()))


def follow(source: FaissStore, store: Listed) -> tuple[int, int]:
    """Bring the store to what the generation holds; returns how many vectors were added and removed.

    Passages keep their numbers and vectors while they are in an index, but one that was made anew gives the numbers to
    others, so vectors of the same number are compared.
    """
    there = store.ids()
    gone = np.setdiff1d(there, source.ids)
    new = np.setdiff1d(source.ids, there)
    both = np.intersect1d(there, source.ids)
    stale = [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(both), _BATCH):
        part = both[start : start + _BATCH]
        stale.append(part[np.abs(store.get(part) - source.get(part)).max(axis=1) > _CLOSE])
    gone = np.concatenate([gone, *stale])
    new = np.sort(np.concatenate([new, *stale]))
    store.remove(gone)
    for start in range(0, len(new), _BATCH):
        part = new[start : start + _BATCH]
        store.add(part, source.get(part))
    return len(new), len(gone)
