"""Vectors in Chroma, extra `chroma`: a folder, or the address of a server for a team that runs one.

Chroma searches through HNSW, which loses vectors under a restrictive filter and after deletions. A filtered search and
one of a small store therefore fetch the vectors and compare them here, exactly; only an unfiltered search of a large
store is Chroma's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError, MissingRequirement
from retrieval.vectors.faiss_store import check

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]
_BATCH = 1000
_EXACT_UP_TO = 20_000


class ChromaStore:
    """A `core.ports.VectorStore` in one collection; `place` is a folder or an address that begins with http.

    Raises:
        MissingRequirement: Chroma is not installed.
    """

    def __init__(self, place: Path | str, dimension: int, collection: str = "consilium") -> None:
        self.dimension = dimension
        self._collection = _client(place).get_or_create_collection(
            collection, configuration={"hnsw": {"space": "ip"}}, embedding_function=None
        )

    def __len__(self) -> int:
        return int(self._collection.count())

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Add vectors; those of ids that are there are replaced."""
        check(self.dimension, ids, vectors)
        for start in range(0, len(ids), _BATCH):
            part = slice(start, start + _BATCH)
            self._collection.upsert(ids=[str(name) for name in ids[part]], embeddings=vectors[part].tolist())

    def remove(self, ids: Ids) -> None:
        """Remove vectors; ids that are not there are ignored."""
        there = set(self._collection.get(ids=[str(name) for name in ids], include=[])["ids"]) if len(ids) else set()
        if there:
            self._collection.delete(ids=sorted(there))

    def close(self) -> None:
        """Chroma's client is shared within a process and closes with it."""

    def get(self, ids: Ids) -> Floats:
        """Vectors of shape (len(ids), dimension).

        Raises:
            InputError: an id is not there.
        """
        found: dict[str, Any] = {}
        for start in range(0, len(ids), _BATCH):
            names = [str(name) for name in ids[start : start + _BATCH]]
            got = self._collection.get(ids=names, include=["embeddings"])
            found |= dict(zip(got["ids"], got["embeddings"], strict=True))
        if any(str(name) not in found for name in ids):
            raise InputError("A vector was asked for that is not in the store.")
        return np.array([found[str(name)] for name in ids], dtype=np.float32).reshape(len(ids), self.dimension)

    def search(self, vector: Floats, k: int, allowed: Ids | None = None) -> tuple[Ids, Floats]:
        """The `k` nearest by inner product, best first, of the ids in `allowed` when given."""
        size = len(self)
        if allowed is not None or size <= _EXACT_UP_TO:
            there = self.ids()
            return self._exact(vector, k, there if allowed is None else there[np.isin(there, allowed)])
        got = self._collection.query(query_embeddings=[vector.tolist()], n_results=min(k, size), include=[])
        return self._exact(vector, k, np.array(sorted(int(name) for name in got["ids"][0]), dtype=np.int64))

    def ids(self) -> Ids:
        """All ids, ascending."""
        return np.array(sorted(int(name) for name in self._collection.get(include=[])["ids"]), dtype=np.int64)

    def _exact(self, vector: Floats, k: int, ids: Ids) -> tuple[Ids, Floats]:
        scores: Floats = self.get(ids) @ vector if len(ids) else np.zeros(0, dtype=np.float32)
        order = np.argsort(-scores, kind="stable")[:k]
        return ids[order], scores[order]


def _client(place: Path | str) -> Any:
    try:
        import chromadb
        from chromadb.config import Settings
    except ImportError as error:
        raise MissingRequirement("Chroma", "pip install 'consilium[chroma]'") from error
    settings = Settings(anonymized_telemetry=False)
    if isinstance(place, str) and place.startswith(("http://", "https://")):
        parts = urlsplit(place)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return chromadb.HttpClient(host=parts.hostname or "", port=port, ssl=parts.scheme == "https", settings=settings)
    return chromadb.PersistentClient(path=str(place), settings=settings)
