"""Writing the files of the next generation from those of the current one: documents dropped, documents added."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.ports import Encoder
from retrieval import postings
from retrieval.arrays import joined, mapped
from retrieval.chunking import Span, passage_spans
from retrieval.corpus import Document
from retrieval.counts import Counts
from retrieval.generation import DOCUMENTS, NO_YEAR, PASSAGES, SCHEMA, TEXTS, TITLES, Generation, write_manifest
from retrieval.vectors import faiss_store
from retrieval.vectors.faiss_store import FaissStore
from retrieval.words import word_forms

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Prepared:
    """A document cut into passages, with their vectors, shape (passages, dimension)."""

    document: Document
    spans: tuple[Span, ...]
    vectors: Vectors


def prepare(documents: Sequence[Document], encode: Callable[[Sequence[str]], Vectors]) -> list[Prepared]:
    """Cut and encode: each passage under its document's title."""
    spans = [tuple(passage_spans(document.text)) or (Span(0, len(document.text)),) for document in documents]
    texts = [passage_text(d, span) for d, its in zip(documents, spans, strict=True) for span in its]
    vectors = encode(texts)
    ends = np.cumsum([len(its) for its in spans])
    return [
        Prepared(document, its, vectors[end - len(its) : end])
        for document, its, end in zip(documents, spans, ends.tolist(), strict=True)
    ]


def passage_text(document: Document, span: Span) -> str:
    """A passage as the encoder and the reranker read it: under its document's title."""
    text = document.text[span.start : span.end]
    return f"{document.title}. {text}" if document.title and not _is_title_alone(document) else text


def _is_title_alone(document: Document) -> bool:
    """A record without an abstract has its title for a text; it is not to count twice."""
    return document.title == document.text


def build_empty(folder: Path, encoder: Encoder) -> None:
    """The files of an index without documents."""
    with closing(sqlite3.connect(folder / "store.sqlite")) as store:
        store.executescript(SCHEMA)
    np.save(folder / DOCUMENTS, np.zeros((0, 3), dtype=np.int32), allow_pickle=False)
    np.save(folder / PASSAGES, np.zeros((0, 3), dtype=np.int32), allow_pickle=False)
    nothing = Counts.of([])
    for name in (TEXTS, TITLES):
        nothing.write(folder, name, nothing)
    postings.write(folder, nothing, nothing, np.zeros(1, dtype=np.int64), 0)
    FaissStore.create(folder, encoder.dimension)
    write_manifest(folder, encoder)


def build(folder: Path, current: Generation, encoder: Encoder, drop: set[str], add: Sequence[Prepared]) -> None:
    """The files of `current` without the documents `drop` and with those of `add` at the end."""
    shutil.copyfile(current.folder / "store.sqlite", folder / "store.sqlite")
    with closing(sqlite3.connect(folder / "store.sqlite")) as store:
        # Nothing reads this file before it is complete and synced: a journal would only cost time.
        store.execute("PRAGMA journal_mode = OFF")
        store.execute("PRAGMA synchronous = OFF")
        gone = _delete(store, drop)
        rows = _insert(store, [prepared.document for prepared in add])
        texts, titles = _counted(store, add)
        terms = store.execute("SELECT count(*) FROM terms").fetchone()[0]
        store.commit()
    stays = None if not gone else ~np.isin(current.documents[:, 0], gone)
    passages = None if stays is None else stays[current.passages[:, 0]]
    _write_places(folder, current, stays, passages, rows, add)
    current.texts.write(folder, TEXTS, texts, passages)
    current.titles.write(folder, TITLES, titles, stays)
    places = mapped(folder / PASSAGES)[:, 0]
    first = np.searchsorted(places, np.arange(len(mapped(folder / DOCUMENTS)) + 1)).astype(np.int64)
    postings.write(folder, Counts.load(folder, TEXTS), Counts.load(folder, TITLES), first, terms)
    _write_vectors(folder, current, passages, add)
    write_manifest(folder, encoder)


def _write_places(
    folder: Path,
    current: Generation,
    stays: NDArray[np.bool_] | None,
    passages: NDArray[np.bool_] | None,
    rows: list[int],
    add: Sequence[Prepared],
) -> None:
    known = [
        (row, NO_YEAR if p.document.year is None else p.document.year, int("retracted" in p.document.flags))
        for row, p in zip(rows, add, strict=True)
    ]
    joined(folder / DOCUMENTS, current.documents, np.array(known, dtype=np.int32).reshape(-1, 3), stays)
    old = current.passages
    before = len(current.documents)
    if stays is not None and passages is not None:
        old = np.array(old[passages])
        old[:, 0] = (np.cumsum(stays) - 1)[old[:, 0]]
        before = int(stays.sum())
    new = [(before + i, span.start, span.end) for i, prepared in enumerate(add) for span in prepared.spans]
    joined(folder / PASSAGES, old, np.array(new, dtype=np.int32).reshape(-1, 3))


def _write_vectors(folder: Path, current: Generation, passages: NDArray[np.bool_] | None, add: Sequence[Prepared]) -> None:
    old = current.vectors
    drop = np.zeros(0, dtype=np.int64) if passages is None else old.ids[~passages]
    vectors = [prepared.vectors for prepared in add] or [np.zeros((0, old.dimension), dtype=np.float32)]
    new = np.concatenate(vectors)
    start = int(old.ids[-1]) + 1 if len(old) else 0
    faiss_store.write(folder, old, drop, np.arange(start, start + len(new), dtype=np.int64), new)


def _delete(store: sqlite3.Connection, documents: set[str]) -> list[int]:
    """Delete documents; returns their rows."""
    gone = []
    for name in sorted(documents):
        row, body = store.execute("SELECT row, body FROM documents WHERE id = ?", (name,)).fetchone()
        document = Document.model_validate_json(body)
        # A word index without content of its own must be told what it forgets.
        store.execute(
            "INSERT INTO words (words, rowid, title, text) VALUES ('delete', ?, ?, ?)", (row, document.title, document.text)
        )
        store.executemany("DELETE FROM labels WHERE kind = ? AND label = ? AND row = ?", _labels(row, document))
        store.execute("DELETE FROM documents WHERE row = ?", (row,))
        gone.append(row)
    return gone


def _insert(store: sqlite3.Connection, documents: Sequence[Document]) -> list[int]:
    """Insert documents; returns their rows, which are above all others."""
    row = store.execute("SELECT coalesce(max(row), -1) + 1 FROM documents").fetchone()[0]
    rows = list(range(row, row + len(documents)))
    numbered = list(zip(rows, documents, strict=True))
    store.executemany(
        "INSERT INTO documents VALUES (?, ?, ?, ?)",
        ((row, d.id, d.content_hash, d.model_dump_json()) for row, d in numbered),
    )
    store.executemany(
        "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", ((row, d.title, d.text) for row, d in numbered)
    )
    store.executemany("INSERT INTO labels VALUES (?, ?, ?)", (label for row, d in numbered for label in _labels(row, d)))
    return rows


def _labels(row: int, document: Document) -> list[tuple[str, str, int]]:
    """What a document can be filtered by, lower-cased; of a MeSH heading the descriptor."""
    found = {("type", kind) for kind in document.types}
    found |= {("mesh", heading.split("/")[0]) for heading in document.mesh}
    if document.language:
        found.add(("language", document.language))
    return sorted({(kind, label.strip().lower(), row) for kind, label in found if label.strip()})


def _counted(store: sqlite3.Connection, add: Sequence[Prepared]) -> tuple[Counts, Counts]:
    """Word counts of the passages and of the titles, by number of the term; new terms are numbered."""
    numbers = _Numbers(store)
    texts = Counts.of(
        numbers.counted(prepared.document.text[span.start : span.end]) for prepared in add for span in prepared.spans
    )
    titles = Counts.of(
        numbers.counted("" if _is_title_alone(prepared.document) else prepared.document.title) for prepared in add
    )
    numbers.write()
    return texts, titles


class _Numbers:
    """The numbers of terms, from the store and new ones."""

    def __init__(self, store: sqlite3.Connection) -> None:
        self._store = store
        self._known: dict[str, int] = {}
        self._new: list[tuple[str, int]] = []
        self._next = store.execute("SELECT count(*) FROM terms").fetchone()[0]

    def counted(self, text: str) -> dict[int, int]:
        """Number of each term of the text to how often it stands there."""
        return {self._number(word): count for word, count in Counter(word_forms(text)).items()}

    def write(self) -> None:
        """Keep the new ones."""
        self._store.executemany("INSERT INTO terms VALUES (?, ?)", self._new)

    def _number(self, word: str) -> int:
        number = self._known.get(word)
        if number is None:
            found = self._store.execute("SELECT number FROM terms WHERE word = ?", (word,)).fetchone()
            number = found[0] if found else self._next
            if not found:
                self._new.append((word, number))
                self._next += 1
            self._known[word] = number
        return number
