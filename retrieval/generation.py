"""One generation of an index on disk: what its folder holds, and opening it for reading."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faiss

from core.errors import IndexDamaged
from core.ports import Encoder
from core.types import Frozen

FORMAT = 2
SCHEMA = """
CREATE TABLE documents (id TEXT PRIMARY KEY, hash TEXT NOT NULL, year INTEGER, retracted INTEGER NOT NULL,
                        body TEXT NOT NULL);
CREATE TABLE passages (row INTEGER PRIMARY KEY, document TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL);
CREATE INDEX passages_document ON passages (document);
CREATE VIRTUAL TABLE words USING fts5 (title, text, tokenize = 'porter unicode61');
"""
FILES = ("store.sqlite", "vectors.faiss", "words.npz")


class Manifest(Frozen):
    """What a generation is made of; refused when it does not match the encoder at hand."""

    format: int
    encoder: str
    dimension: int
    metric: str
    factory: str
    documents: int
    passages: int
    files: dict[str, str]
    created: datetime


class Generation:
    """A readable generation. Keeps its files open, so it stays readable after a newer one became current.

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
            self.store = open_store(folder)
            self.vectors: Any = faiss.read_index(str(folder / "vectors.faiss"))
        except (sqlite3.Error, RuntimeError) as error:
            raise IndexDamaged(f"Index {name!r} is damaged ({error}). Mend it: consilium index repair {name}") from error

    @property
    def digest(self) -> str:
        """Names this content in provenance."""
        return hashlib.sha256(self.manifest.model_dump_json().encode()).hexdigest()[:16]

    def faults(self) -> list[str]:
        """What differs from the manifest, or between the two files; empty when nothing does."""
        found = [
            f"{name} has changed since it was written"
            for name, digest in self.manifest.files.items()
            if not (self.folder / name).is_file() or sha256(self.folder / name) != digest
        ]
        try:
            rows = [row for (row,) in self.store.execute("SELECT row FROM passages ORDER BY row")]
            ghosts = self.store.execute(
                "SELECT count(*) FROM passages WHERE document NOT IN (SELECT id FROM documents)"
            ).fetchone()[0]
            words = self.store.execute("SELECT count(*) FROM words").fetchone()[0]
        except sqlite3.Error as error:
            return [*found, f"store.sqlite cannot be read: {error}"]
        ids = faiss.vector_to_array(self.vectors.id_map).tolist()
        if rows != ids or len(rows) != self.manifest.passages or words != len(rows):
            found.append(f"{len(rows)} passages, {words} in the word index, but {len(ids)} vectors")
        if ghosts:
            found.append(f"{ghosts} passages of documents that are not there")
        return found


def open_store(folder: Path) -> sqlite3.Connection:
    """The generation's SQLite file, read only."""
    return sqlite3.connect(f"{(folder / 'store.sqlite').as_uri()}?mode=ro", uri=True, check_same_thread=False)


def write_manifest(folder: Path, encoder: Encoder, passages: int) -> None:
    """Count, hash and describe the files of a generation that is complete."""
    with closing(open_store(folder)) as store:
        documents = store.execute("SELECT count(*) FROM documents").fetchone()[0]
    manifest = Manifest(
        format=FORMAT,
        encoder=encoder.identity,
        dimension=encoder.dimension,
        metric="inner product",
        factory="IDMap2,Flat",
        documents=documents,
        passages=passages,
        files={name: sha256(folder / name) for name in FILES},
        created=datetime.now(UTC),
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")


def _read_manifest(folder: Path) -> Manifest:
    name = folder.parent.parent.name
    try:
        manifest = Manifest.model_validate_json((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"Index {name!r} is damaged ({error}). Mend it: consilium index repair {name}") from error
    if manifest.format != FORMAT:
        raise IndexDamaged(
            f"The index {name!r} has format {manifest.format}; this version reads {FORMAT}. "
            f"Rebuild it: consilium index create {name} --force"
        )
    return manifest


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
