"""One generation of an index on disk: what its folder holds, and opening it for reading."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import IndexDamaged
from core.ports import Encoder
from core.types import Frozen
from retrieval import counts, postings
from retrieval.arrays import mapped
from retrieval.counts import Counts
from retrieval.postings import Postings
from retrieval.vectors import faiss_store
from retrieval.vectors.faiss_store import FaissStore

FORMAT = 3
SCHEMA = """
CREATE TABLE documents (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE labels (kind TEXT NOT NULL, label TEXT NOT NULL, row INTEGER NOT NULL,
                     PRIMARY KEY (kind, label, row)) WITHOUT ROWID;
CREATE TABLE terms (word TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (title, text, content = '', tokenize = 'porter unicode61');
"""
TEXTS, TITLES = "texts", "titles"
DOCUMENTS, PASSAGES = "documents.npy", "passages.npy"
REQUIRED = (
    "store.sqlite",
    DOCUMENTS,
    PASSAGES,
    *counts.files(TEXTS),
    *counts.files(TITLES),
    *postings.FILES,
    *faiss_store.FILES[:2],
)
OPTIONAL = faiss_store.FILES[2:]
NO_YEAR = -(1 << 31)
Integers = NDArray[np.int32]


class Manifest(Frozen):
    """What a generation is made of; refused when it does not match the encoder at hand."""

    format: int
    encoder: str
    dimension: int
    metric: str
    documents: int
    passages: int
    terms: int
    approximate: bool
    files: dict[str, str]
    created: datetime


class Generation:
    """A readable generation. Keeps its files open, so it stays readable after a newer one became current.

    `documents` has a row (row in the store, year or NO_YEAR, 1 when retracted) per document, `passages` a row
    (document's position, start, end) per passage, both in the order of the documents' rows. `vectors` are named by
    `passage_ids`, which never change while a passage is there.

    Raises:
        IndexDamaged: a file is missing or unreadable, or the generation was built with another encoder.
    """

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.folder = folder
        self.manifest = _read_manifest(folder)
        name = folder.parent.parent.name
        if (self.manifest.encoder, self.manifest.dimension) != (encoder.identity, encoder.dimension):
            raise IndexDamaged(
                f"The index {name!r} was built with {self.manifest.encoder}, the encoder is {encoder.identity}. "
                f"Rebuild it: consilium index create {name} --force"
            )
        try:
            self.documents: Integers = mapped(folder / DOCUMENTS)
            self.passages: Integers = mapped(folder / PASSAGES)
            self.texts = Counts.load(folder, TEXTS)
            self.titles = Counts.load(folder, TITLES)
            self.postings = Postings.load(folder)
            self.vectors = FaissStore(folder)
            self._check_sizes()
            self.store = open_store(folder)
            self.store.execute("SELECT count(*) FROM documents").fetchone()
        except (OSError, ValueError, KeyError, RuntimeError, sqlite3.Error) as error:
            raise IndexDamaged(f"Index {name!r} is damaged ({error}). Mend it: consilium index repair {name}") from error

    @property
    def digest(self) -> str:
        """Short name of exactly this content."""
        joined = "".join(self.manifest.files[name] for name in sorted(self.manifest.files))
        return hashlib.sha256(joined.encode()).hexdigest()[:12]

    @property
    def first(self) -> NDArray[np.int64]:
        """The first passage of each document, and at the end the number of passages."""
        return np.searchsorted(self.passages[:, 0], np.arange(len(self.documents) + 1)).astype(np.int64)

    def ids(self, positions: Iterable[int]) -> list[str]:
        """Document ids at these positions."""
        rows = [int(self.documents[position, 0]) for position in positions]
        ask = "SELECT id FROM documents WHERE row = ?"
        return [self.store.execute(ask, (row,)).fetchone()[0] for row in rows]

    def _check_sizes(self) -> None:
        passages, documents = len(self.passages), len(self.documents)
        found = {
            "vectors": len(self.vectors) - passages,
            "texts": len(self.texts) - passages,
            "titles": len(self.titles) - documents,
            "word counts": len(self.postings.lengths) - documents,
        }
        if wrong := [
            f"{name} of {abs(more)} {'too many' if more > 0 else 'too few'}" for name, more in found.items() if more
        ]:
            raise ValueError(", ".join(wrong))

    def faults(self) -> list[str]:
        """Damage found by comparing every file with its hash and the store with the arrays; empty when there is none."""
        found = [
            f"{name} has changed since it was written"
            for name, digest in self.manifest.files.items()
            if not (self.folder / name).is_file() or sha256(self.folder / name) != digest
        ]
        try:
            rows = [row for (row,) in self.store.execute("SELECT row FROM documents ORDER BY row")]
            words = self.store.execute("SELECT count(*) FROM words").fetchone()[0]
        except sqlite3.Error as error:
            return [*found, f"store.sqlite cannot be read: {error}"]
        if rows != self.documents[:, 0].tolist() or words != len(rows) or len(rows) != self.manifest.documents:
            found.append(f"{len(rows)} documents, {words} in the word index, but {len(self.documents)} in the arrays")
        return found


def open_store(folder: Path) -> sqlite3.Connection:
    """The generation's SQLite file, read only."""
    return sqlite3.connect(f"{(folder / 'store.sqlite').as_uri()}?mode=ro", uri=True, check_same_thread=False)


def write_manifest(folder: Path, encoder: Encoder) -> None:
    """Count, hash and describe the files of a generation that is complete."""
    with closing(open_store(folder)) as store:
        documents = store.execute("SELECT count(*) FROM documents").fetchone()[0]
        terms = store.execute("SELECT count(*) FROM terms").fetchone()[0]
    there = [*REQUIRED, *(name for name in OPTIONAL if (folder / name).is_file())]
    manifest = Manifest(
        format=FORMAT,
        encoder=encoder.identity,
        dimension=encoder.dimension,
        metric="inner product",
        documents=documents,
        passages=len(mapped(folder / PASSAGES)),
        terms=terms,
        approximate=len(there) > len(REQUIRED),
        files={name: sha256(folder / name) for name in there},
        created=datetime.now(UTC),
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    for name in (*there, "manifest.json"):
        sync(folder / name)


def _read_manifest(folder: Path) -> Manifest:
    name = folder.parent.parent.name
    try:
        text = (folder / "manifest.json").read_text(encoding="utf-8")
        given = _format(text)
        if given != FORMAT:
            raise IndexDamaged(
                f"The index {name!r} has format {given}; this version reads {FORMAT}. "
                f"Rebuild it: consilium index create {name} --force"
            )
        return Manifest.model_validate_json(text)
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"Index {name!r} is damaged ({error}). Mend it: consilium index repair {name}") from error


def _format(text: str) -> Any:
    class Numbered(Frozen):
        format: int

    return Numbered.model_validate_json(text, extra="ignore").format


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Make a file's, or a folder's, content survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
