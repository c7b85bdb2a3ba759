"""An index on disk: a folder of generations, one of which is current.

    CURRENT                     name of the current generation, replaced by one atomic rename
    writer.lock
    generations/000003/
        manifest.json           format, encoder, counts, hashes of the two files
        store.sqlite            documents, passages with offsets, FTS5 (BM25)
        vectors.faiss           one vector per passage, in passage order (inner product of unit vectors)

A write builds the next generation beside the current one and switches to it at the end, so that a reader never sees
half of it and a killed writer leaves the index as it was. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import faiss
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from core.errors import IndexDamaged
from core.ports import Encoder
from core.types import Frozen
from retrieval.chunking import passage_spans
from retrieval.corpus import Document

FORMAT = 1
_SCHEMA = """
CREATE TABLE documents (id TEXT PRIMARY KEY, hash TEXT NOT NULL, year INTEGER, retracted INTEGER NOT NULL,
                        body TEXT NOT NULL);
CREATE TABLE passages (row INTEGER PRIMARY KEY, document TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL);
CREATE INDEX passages_document ON passages (document);
CREATE VIRTUAL TABLE words USING fts5 (title, text, tokenize = 'porter unicode61');
"""


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


class Change(Frozen):
    """What a write did."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    removed: int = 0


class Generation:
    """A readable generation. Keeps its files open, so it stays readable after a newer one became current."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.folder = folder
        self.manifest = _read_manifest(folder)
        if (self.manifest.encoder, self.manifest.dimension) != (encoder.identity, encoder.dimension):
            raise IndexDamaged(
                f"The index was built with {self.manifest.encoder}, the encoder is {encoder.identity}. "
                f"Rebuild it: consilium index create {folder.parent.parent.name} --force"
            )
        self.store = sqlite3.connect(f"{(folder / 'store.sqlite').as_uri()}?mode=ro", uri=True, check_same_thread=False)
        self.vectors = faiss.read_index(str(folder / "vectors.faiss"))

    @property
    def digest(self) -> str:
        """Names this content in provenance."""
        return hashlib.sha256(self.manifest.model_dump_json().encode()).hexdigest()[:16]


class Index:
    """An index folder: add, remove, verify, and open for search."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.folder = folder
        self.encoder = encoder

    @property
    def name(self) -> str:
        """The folder's name is the index's name."""
        return self.folder.name

    def exists(self) -> bool:
        """Whether there is a current generation."""
        return (self.folder / "CURRENT").is_file()

    def current(self) -> Generation:
        """Open the current generation.

        Raises:
            IndexDamaged: there is none, it is damaged, or it was built with another encoder.
        """
        if not self.exists():
            raise IndexDamaged(f"There is no index {self.name!r}. Make it: consilium index create {self.name}")
        return Generation(self._path((self.folder / "CURRENT").read_text(encoding="utf-8").strip()), self.encoder)

    def add(self, documents: Iterable[Document]) -> Change:
        """Add documents; the same content again is a no-op, changed content replaces. Last of one id wins."""
        wanted = {document.id: document for document in documents}
        with self._writing() as known:
            fresh = [d for d in wanted.values() if known.get(d.id) != d.content_hash]
            replaced = sum(1 for d in fresh if d.id in known)
            if fresh or not self.exists():
                self._write(drop={d.id for d in fresh}, add=fresh)
        return Change(added=len(fresh) - replaced, replaced=replaced, unchanged=len(wanted) - len(fresh))

    def remove(self, ids: Sequence[str]) -> Change:
        """Remove documents by id; ids that are not there are ignored."""
        with self._writing() as known:
            there = {document for document in ids if document in known}
            if there:
                self._write(drop=there, add=[])
        return Change(removed=len(there))

    def verify(self) -> list[str]:
        """What is wrong with the current generation; empty when nothing is."""
        try:
            generation = self.current()
        except (IndexDamaged, sqlite3.Error, RuntimeError) as error:
            return [str(error)]
        faults = [
            f"{name} has changed since it was written"
            for name, digest in generation.manifest.files.items()
            if _sha256(generation.folder / name) != digest
        ]
        with closing(generation.store):
            rows = generation.store.execute("SELECT count(*) FROM passages").fetchone()[0]
        if not rows == generation.vectors.ntotal == generation.manifest.passages:
            faults.append(f"{rows} passages but {generation.vectors.ntotal} vectors")
        return faults

    def _path(self, generation: str) -> Path:
        return self.folder / "generations" / generation

    @contextmanager
    def _writing(self) -> Iterator[dict[str, str]]:
        """Hold the writer's lock; gives document id to content hash of what is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "writer.lock"):
            known: dict[str, str] = {}
            if self.exists():
                with closing(self.current().store) as store:
                    known = dict(store.execute("SELECT id, hash FROM documents").fetchall())
            yield known

    def _write(self, drop: set[str], add: list[Document]) -> None:
        number = 1 + max((int(p.name) for p in (self.folder / "generations").glob("[0-9]*") if p.name.isdigit()), default=0)
        building = self._path(f"building-{os.getpid()}")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        vectors = self._fill(building, drop, add)
        faiss.write_index(vectors, str(building / "vectors.faiss"))
        _write_manifest(building, self.encoder, vectors.ntotal)
        for name in ("store.sqlite", "vectors.faiss", "manifest.json"):
            _sync(building / name)
        final = self._path(f"{number:06d}")
        building.rename(final)
        pointer = self.folder / "CURRENT.new"
        pointer.write_text(final.name, encoding="utf-8")
        _sync(pointer)
        pointer.replace(self.folder / "CURRENT")
        self._drop_old(final.name)

    def _fill(self, building: Path, drop: set[str], add: list[Document]) -> faiss.Index:
        """Copy what stays, append what is new; returns vectors in passage order."""
        kept, kept_vectors = self._kept(drop)
        with closing(sqlite3.connect(building / "store.sqlite")) as store:
            store.executescript(_SCHEMA)
            row = 0
            texts: list[str] = []
            for document in [*kept, *add]:
                row, new = _insert(store, document, row)
                texts += new if document in add else []
            store.commit()
        index = faiss.IndexFlatIP(self.encoder.dimension)
        index.add(kept_vectors)
        index.add(self.encoder.encode(texts))
        return index

    def _kept(self, drop: set[str]) -> tuple[list[Document], NDArray[np.float32]]:
        if not self.exists():
            return [], np.zeros((0, self.encoder.dimension), dtype=np.float32)
        generation = self.current()
        with closing(generation.store) as store:
            documents = [
                Document.model_validate_json(body)
                for (body,) in store.execute("SELECT body FROM documents ORDER BY rowid")
                if json.loads(body)["id"] not in drop
            ]
            rows_of: dict[str, list[int]] = {}
            for row, document in store.execute("SELECT row, document FROM passages ORDER BY row"):
                rows_of.setdefault(document, []).append(row)
        rows = [row for document in documents for row in rows_of[document.id]]
        everything = generation.vectors.reconstruct_n(0, generation.vectors.ntotal)
        return documents, np.ascontiguousarray(everything[rows])

    def _drop_old(self, current: str) -> None:
        """Keep the current generation and the one before it, which a reader may just be opening."""
        folders = sorted(p for p in (self.folder / "generations").iterdir() if p.name.isdigit())
        for folder in folders[:-2]:
            shutil.rmtree(folder, ignore_errors=True)


def _insert(store: sqlite3.Connection, document: Document, row: int) -> tuple[int, list[str]]:
    retracted = int("retracted" in document.flags)
    store.execute(
        "INSERT INTO documents VALUES (?, ?, ?, ?, ?)",
        (document.id, document.content_hash, document.year, retracted, document.model_dump_json()),
    )
    texts = []
    for span in passage_spans(document.text):
        text = document.text[span.start : span.end]
        store.execute("INSERT INTO passages VALUES (?, ?, ?, ?)", (row, document.id, span.start, span.end))
        store.execute("INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", (row, document.title, text))
        texts.append(f"{document.title}. {text}" if document.title else text)
        row += 1
    return row, texts


def _write_manifest(folder: Path, encoder: Encoder, passages: int) -> None:
    with closing(sqlite3.connect(folder / "store.sqlite")) as store:
        documents = store.execute("SELECT count(*) FROM documents").fetchone()[0]
    manifest = Manifest(
        format=FORMAT,
        encoder=encoder.identity,
        dimension=encoder.dimension,
        metric="inner product",
        factory="Flat",
        documents=documents,
        passages=passages,
        files={name: _sha256(folder / name) for name in ("store.sqlite", "vectors.faiss")},
        created=datetime.now(UTC),
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")


def _read_manifest(folder: Path) -> Manifest:
    try:
        manifest = Manifest.model_validate_json((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        name = folder.parent.parent.name
        raise IndexDamaged(
            f"Index {name!r} is damaged ({error}). Rebuild it: consilium index create {name} --force"
        ) from error
    if manifest.format != FORMAT:
        raise IndexDamaged(f"The index has format {manifest.format}; this version reads {FORMAT}.")
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
