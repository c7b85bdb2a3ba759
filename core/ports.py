"""Seams between rooms. A tool that needs search is given a `Retriever`; it never imports one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.types import Artifact, NewArtifact, Passage, SearchScope


class Encoder(Protocol):
    """Sentences to unit vectors.

    Contract:
      * `encode` returns float32 of shape (len(texts), dimension), rows of L2 norm 1, in the order given.
      * The same text gives the same vector whatever else is in the batch, to a cosine of .999 (bulk encoding may use
        lower precision).
      * `identity` names the model and the hash of its weights; an index built with another one is refused.
    """

    @property
    def identity(self) -> str:
        """Model name and weights hash, as written into an index manifest."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode sentences or passages."""
        ...


class VectorStore(Protocol):
    """Unit vectors by number.

    Contract:
      * `search` gives at most k ids with their inner products, best first; only ids in `allowed` (ascending) when given,
        and then exactly: what a search through all of these would give.
      * Adding an id that is there replaces its vector; removing one that is not there does nothing.
      * `get` gives the vectors in the order asked for and raises `InputError` for an id that is not there.
    """

    def __len__(self) -> int:
        """How many vectors there are."""
        ...

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add vectors of shape (len(ids), dimension)."""
        ...

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove vectors."""
        ...

    def get(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Vectors of shape (len(ids), dimension)."""
        ...

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and inner products of the nearest."""
        ...


class Reranker(Protocol):
    """A second look at the passages of a search.

    Contract: `score` gives float32 of shape (len(passages),), the log-odds that a passage answers the question, on one
    scale for all questions. `identity` names the model and the hash of its weights.
    """

    @property
    def identity(self) -> str:
        """Model name and weights hash."""
        ...

    def score(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """Score passages, each under its document's title."""
        ...


@dataclass(frozen=True)
class SearchFilters:
    """Exact conditions, applied before ranking. Of several labels of one kind (`types`, `mesh`, `languages`) any will do."""

    year_from: int | None = None
    year_to: int | None = None
    corpora: tuple[str, ...] = ()
    include_retracted: bool = False
    types: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


def narrowed(filters: SearchFilters, scope: SearchScope) -> SearchFilters:
    """The filters within a person's scope: neither widens the other."""
    froms = [year for year in (filters.year_from, scope.year_from) if year is not None]
    tos = [year for year in (filters.year_to, scope.year_to) if year is not None]
    return replace(
        filters,
        year_from=max(froms, default=None),
        year_to=min(tos, default=None),
        corpora=scope.corpora or filters.corpora,
        include_retracted=filters.include_retracted and not scope.without_retracted,
    )


@dataclass(frozen=True)
class SearchOutcome:
    """Passages by relevance, best first, and what was searched.

    `passages` is empty when nothing passes the relevance gate; `searched` then still says where was looked
    ("95 documents in 'starter'"), `best_rejected` what came nearest.
    """

    passages: tuple[Passage, ...]
    searched: str
    best_rejected: str = ""
    index: str = ""
    timings: dict[str, float] = field(default_factory=dict)


class Retriever(Protocol):
    """Search over literature.

    Contract: filters are exact; results are passages whose `text` equals the stored document at `span`.
    """

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """At most `k` passages that bear on the query, best first; none when nothing does."""
        ...


class AttachedSearch(Protocol):
    """Search over the documents that are attached to a conversation.

    Contract: the `document_id` of their passages is the document's handle, then "#" and the page; those of one conversation
    are never found from another one.
    """

    def beside(self, library: Retriever, store: ArtifactStore) -> Retriever:
        """The library's search with the attached documents searched too."""
        ...

    def within(self, handle: str, store: ArtifactStore) -> Retriever:
        """A search in one attached document."""
        ...


@dataclass(frozen=True)
class Picture:
    """A grey picture and what may be known of it. `patient` and `study` are pseudonyms, never identifiers.

    `pixels` are rows x columns, bright is dense. `key` is the file's name, with the plane and index of a slice of a
    volume ("ct.nii.gz#sagittal-60"). A volume as a whole is the mean over `parts`, its key slices.
    """

    pixels: NDArray[np.generic]
    key: str
    parts: tuple[NDArray[np.generic], ...] = ()
    modality: str = ""
    body_part: str = ""
    view: str = ""
    patient: str = ""
    study: str = ""
    label: str = ""
    report: str = ""
    synthetic: bool = False


class PictureReader(Protocol):
    """Files to pictures.

    Contract: a file that cannot be read raises `FileError`; nothing that identifies a patient is returned.
    """

    def read(self, path: Path) -> tuple[Picture, ...]:
        """The picture of a film or photograph; the key slices of a volume."""
        ...


class ImageEncoder(Protocol):
    """Grey pictures to unit vectors.

    Contract:
      * `encode` returns float32 of shape (len(pictures), dimension), rows of L2 norm 1, in the order given.
      * The same picture gives the same vector whatever else is in the batch, to a cosine of .999.
      * `identity` names the model and the hash of its weights; an index built with another one is refused.
      * `encode_texts` gives vectors in the same space, or raises `InputError` where the model reads no text.
    """

    @property
    def identity(self) -> str:
        """Model name and weights hash, as written into an index manifest."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    @property
    def reads_text(self) -> bool:
        """Whether `encode_texts` works."""
        ...

    def encode(self, pictures: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
        """Encode grey pictures (rows x columns)."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode descriptions of pictures."""
        ...


@dataclass(frozen=True)
class Neighbour:
    """An image of an index that lies near a query.

    `similarity` is a cosine; `closer_than` the share of pairs of different patients in the index that lie farther
    apart than this one (the index's null distribution).
    """

    key: str
    similarity: float
    closer_than: float
    label: str
    report: str
    modality: str
    body_part: str
    view: str
    synthetic: bool
    thumbnail: bytes


@dataclass(frozen=True)
class NeighbourOutcome:
    """Neighbours, nearest first, and what was left out of them and why."""

    neighbours: tuple[Neighbour, ...]
    searched: str
    same_patient: int = 0
    duplicates: int = 0
    nearest_too_far: float | None = None
    index: str = ""
    timings: dict[str, float] = field(default_factory=dict)


class ImageSearcher(Protocol):
    """Search over image indexes.

    Contract: images of the query's own patient or study, and copies of the query, are never among the neighbours;
    nothing nearer than chance gives no neighbours.
    """

    def search(self, query: Picture, k: int, box: tuple[float, float, float, float] | None = None) -> NeighbourOutcome:
        """At most `k` neighbours, nearest first; `box` (left, top, right, bottom as shares) compares a part only."""
        ...


class ArtifactStore(Protocol):
    """Files of one session, addressed by handle."""

    def add(self, content: Path | bytes, new: NewArtifact, suffix: str) -> Artifact:
        """Take a copy of the content; the same content with the same description gives the same handle."""
        ...

    def get(self, handle: str) -> Artifact:
        """The description of an artifact; `UnknownHandle` names what there is."""
        ...

    def path(self, handle: str) -> Path:
        """Where its content lies, read-only."""
        ...

    def list(self) -> tuple[Artifact, ...]:
        """All artifacts in the order they came."""
        ...
