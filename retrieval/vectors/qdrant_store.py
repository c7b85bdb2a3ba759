"""Vectors in Qdrant, extra `qdrant`: a folder (its local mode, exact and in one process) or a server's address.

A server searches approximately unless told otherwise; here it is always told to search exactly, because a filter or a
removed vector must never cost recall.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError, MissingRequirement
from retrieval.vectors.faiss_store import check

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]
_BATCH = 512
_PAGE = 10_000


class QdrantStore:
    """A `core.ports.VectorStore` in one collection; `place` is a folder or an address that begins with http.

    Raises:
        MissingRequirement: the client is not installed.
    """

    def __init__(self, place: Path | str, dimension: int, collection: str = "consilium") -> None:
        self._client, self._models = _client(place)
        self._remote = str(place).startswith("http")
        self._collection = collection
        self.dimension = dimension
        if not self._client.collection_exists(collection):
            parameters = self._models.VectorParams(size=dimension, distance=self._models.Distance.DOT)
            self._client.create_collection(collection, vectors_config=parameters)

    def __len__(self) -> int:
        return int(self._client.count(self._collection, exact=True).count)

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Add vectors; those of ids that are there are replaced."""
        check(self.dimension, ids, vectors)
        for start in range(0, len(ids), _BATCH):
            part = slice(start, start + _BATCH)
            points = [
                self._models.PointStruct(id=int(name), vector=vector.tolist(), payload={"number": int(name)})
                for name, vector in zip(ids[part], vectors[part], strict=True)
            ]
            self._client.upsert(self._collection, points=points, wait=True)

    def remove(self, ids: Ids) -> None:
        """Remove vectors; ids that are not there are ignored."""
        if len(ids):
            self._client.delete(self._collection, points_selector=[int(name) for name in ids], wait=True)

    def get(self, ids: Ids) -> Floats:
        """Vectors of shape (len(ids), dimension).

        Raises:
            InputError: an id is not there.
        """
        found: dict[int, list[float]] = {}
        for start in range(0, len(ids), _PAGE):
            wanted = [int(name) for name in ids[start : start + _PAGE]]
            for record in self._client.retrieve(self._collection, ids=wanted, with_vectors=True, with_payload=False):
                found[int(record.id)] = record.vector  # type: ignore[assignment]
        if any(int(name) not in found for name in ids):
            raise InputError("A vector was asked for that is not in the store.")
        return np.array([found[int(name)] for name in ids], dtype=np.float32).reshape(len(ids), self.dimension)

    def search(self, vector: Floats, k: int, allowed: Ids | None = None) -> tuple[Ids, Floats]:
        """The `k` nearest by inner product, best first, of the ids in `allowed` when given."""
        if k < 1 or (allowed is not None and not len(allowed)):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        among = None
        if allowed is not None:
            among = self._models.Filter(must=[self._models.HasIdCondition(has_id=[int(name) for name in allowed])])
        points = self._client.query_points(
            self._collection,
            query=[float(value) for value in vector],
            query_filter=among,
            limit=k,
            with_payload=False,
            # A folder is searched exactly anyway, and says so as a warning when it is asked to.
            search_params=self._models.SearchParams(exact=True) if self._remote else None,
        ).points
        ids = np.array([int(point.id) for point in points], dtype=np.int64)
        return ids, np.array([point.score for point in points], dtype=np.float32)

    def ids(self) -> Ids:
        """All ids, ascending."""
        found: list[int] = []
        place = None
        for _ in count():
            records, place = self._client.scroll(self._collection, limit=_PAGE, offset=place, with_payload=False)
            found += [int(record.id) for record in records]
            if place is None:
                break
        return np.array(sorted(found), dtype=np.int64)

    def close(self) -> None:
        """Let go of the folder or the server."""
        self._client.close()


def _client(place: Path | str) -> tuple[QdrantClient, Any]:
    try:
        from qdrant_client import QdrantClient, models
    except ImportError as error:
        raise MissingRequirement("The Qdrant client", "pip install 'consilium[qdrant]'") from error
    if isinstance(place, str) and place.startswith(("http://", "https://")):
        return QdrantClient(url=place), models
    return QdrantClient(path=str(place)), models
