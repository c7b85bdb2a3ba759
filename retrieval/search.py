"""Hybrid search over one index: BM25 and dense, fused by reciprocal rank, behind a relevance gate."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from core.ports import Encoder, SearchFilters, SearchOutcome
from core.types import Passage
from retrieval.chunking import sentence_spans
from retrieval.corpus import Document
from retrieval.generation import Generation
from retrieval.index import Index

_RRF_K = 60
"""Cormack, Clarke and Buettcher, SIGIR 2009."""
_POOL = 100

# The gate. Both figures were chosen on the development half of tests/retrieval/questions.py, see docs/literature.md.
_MIN_SIMILARITY = 0.38
"""Least cosine between the question and a passage, or its best sentence."""
_SURE_SIMILARITY = 0.5
"""At or above this, one word that the corpus does not know is forgiven."""

_STOP_WORDS = frozenset(
    """
    a about all an and any are as at be been between best better big by can could did do does doing each else
    for from give had has have how i if in into is it its kind latest literature many me more most much my
    new of on or our out over paper papers please published research said say says should show since so some
    studies study tell than that the their them then there these they this those to type until us use used
    using very was way we well were what when where which while who whom why will with work works would you
    your evidence known find found explain mean means meant define definition describe called compare does
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_WORD = re.compile(r"[^\W_]+(?:[-.][^\W_]+)*", re.UNICODE)


@dataclass(frozen=True)
class _Hit:
    row: int
    score: float
    similarity: float


class HybridSearch:
    """A `core.ports.Retriever` over one index. Opens the newest generation when it changes."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._generation: Generation | None = None

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """At most `k` passages, one per document, best first; none when nothing passes the gate."""
        filters = filters or SearchFilters()
        with self._lock:
            started = time.perf_counter()
            generation = self._open()
            searched = f"{generation.manifest.documents} documents in '{self._index.name}'"
            allowed = _allowed_rows(generation.store, filters)
            vector = self._index.encoder.encode([query])
            hits = _fuse(generation, query, vector, allowed)
            unknown = _unknown_words(generation.store, query)
            kept = self._gate(generation, hits, vector[0], unknown, k)
            best = _document(generation.store, hits[0].row)[0].title if hits and not kept else ""
            return SearchOutcome(
                passages=tuple(kept),
                searched=searched,
                best_rejected=best,
                index=f"{self._index.name}@{generation.digest}",
                timings={"search": time.perf_counter() - started},
            )

    def _open(self) -> Generation:
        name = (self._index.folder / "CURRENT").read_text(encoding="utf-8").strip() if self._index.exists() else ""
        if self._generation is None or self._generation.folder.name != name:
            self._generation = self._index.current()
        return self._generation

    def _gate(
        self, generation: Generation, hits: list[_Hit], vector: NDArray[np.float32], unknown: float, k: int
    ) -> list[Passage]:
        """Keep what is near enough in meaning.

        A word that the corpus does not know blocks the question, unless the rest of it is matched very well.
        """
        best = max((hit.similarity for hit in hits), default=0.0)
        if unknown >= 0.5 or (unknown > 0 and best < _SURE_SIMILARITY):
            return []
        passages: list[Passage] = []
        seen: set[str] = set()
        for hit in hits[: 3 * k]:
            document, start, end = _document(generation.store, hit.row)
            if document.id in seen:
                continue
            passage, similarity = _passage(self._index, document, (start, end), hit, vector)
            if max(similarity, hit.similarity) >= max(_MIN_SIMILARITY, 0.6 * best):
                seen.add(document.id)
                passages.append(passage)
            if len(passages) == k:
                break
        return passages


def _allowed_rows(store: sqlite3.Connection, filters: SearchFilters) -> list[int] | None:
    """Rows that meet the filters exactly; None when all do."""
    clauses, values = [], []
    if not filters.include_retracted:
        clauses.append("d.retracted = 0")
    if filters.year_from is not None:
        clauses.append("d.year >= ?")
        values.append(filters.year_from)
    if filters.year_to is not None:
        clauses.append("d.year <= ?")
        values.append(filters.year_to)
    if not clauses:
        return None
    where = " AND ".join(clauses)
    sql = f"SELECT p.row FROM passages p JOIN documents d ON d.id = p.document WHERE {where}"  # noqa: S608 - fixed text
    return [row for (row,) in store.execute(sql, values)]


def _fuse(generation: Generation, query: str, vector: NDArray[np.float32], allowed: list[int] | None) -> list[_Hit]:
    similarity = _dense(generation, vector, allowed)
    dense = sorted(similarity, key=lambda row: -similarity[row])[:_POOL]
    words = _bm25(generation.store, query, set(similarity) if allowed is not None else None)
    score: dict[int, float] = {}
    for ranking in (dense, words):
        for rank, row in enumerate(ranking, start=1):
            score[row] = score.get(row, 0.0) + 1 / (_RRF_K + rank)
    order = sorted(score, key=lambda row: (-score[row], row))
    return [_Hit(row, score[row], similarity.get(row, 0.0)) for row in order]


def _dense(generation: Generation, vector: NDArray[np.float32], allowed: list[int] | None) -> dict[int, float]:
    total = generation.vectors.ntotal if allowed is None else len(allowed)
    if total == 0:
        return {}
    parameters = None
    if allowed is not None:
        parameters = faiss.SearchParameters(  # type: ignore[call-arg]
            sel=faiss.IDSelectorBatch(np.asarray(allowed, dtype=np.int64))
        )
    scores, rows = generation.vectors.search(vector, min(total, 2000), params=parameters)
    return {int(row): float(s) for row, s in zip(rows[0], scores[0], strict=True) if row >= 0}


def _bm25(store: sqlite3.Connection, query: str, allowed: set[int] | None) -> list[int]:
    words = content_words(query) or [w.lower() for w in _WORD.findall(query)]
    if not words:
        return []
    match = " OR ".join(_quoted(word) for word in words)
    rows = store.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words, 2.0, 1.0)", (match,))
    return [row for (row,) in rows if allowed is None or row in allowed][:_POOL]


def content_words(query: str) -> list[str]:
    """Words of a question that carry its subject, lower-cased, each once."""
    words = (word.lower() for word in _WORD.findall(query))
    return list(dict.fromkeys(word for word in words if word not in _STOP_WORDS and len(word) > 1))


def _unknown_words(store: sqlite3.Connection, query: str) -> float:
    """Share of the question's content words that occur nowhere in the index."""
    words = content_words(query)
    if not words:
        return 1.0
    missing = [
        w for w in words if not store.execute("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (_quoted(w),)).fetchone()
    ]
    return len(missing) / len(words)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _document(store: sqlite3.Connection, row: int) -> tuple[Document, int, int]:
    body, start, end = store.execute(
        "SELECT d.body, p.start, p.end FROM passages p JOIN documents d ON d.id = p.document WHERE p.row = ?", (row,)
    ).fetchone()
    return Document.model_validate_json(body), start, end


def _passage(
    index: Index, document: Document, span: tuple[int, int], hit: _Hit, vector: NDArray[np.float32]
) -> tuple[Passage, float]:
    """The passage with its best sentence singled out, and that sentence's cosine with the question."""
    text = document.text[span[0] : span[1]]
    sentences = sentence_spans(text)
    near = _similarities(index.encoder, [text[s.start : s.end] for s in sentences], vector)
    best = int(np.argmax(near))
    passage = Passage(
        passage_id=f"{document.id}#{span[0]}",
        document_id=document.id,
        text=text,
        span=span,
        quote=(span[0] + sentences[best].start, span[0] + sentences[best].end),
        title=document.title,
        authors=document.authors,
        year=document.year,
        venue=document.venue or document.source,
        pmid=document.pmid,
        doi=document.doi,
        pmcid=document.pmcid,
        corpus=index.name,
        score=round(hit.score, 6),
        flags=document.flags,
    )
    return passage, float(near[best])


def _similarities(encoder: Encoder, texts: list[str], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    near: NDArray[np.float32] = encoder.encode(texts) @ vector
    return near
