"""Hybrid search over one index: BM25 and dense scores fused, behind a relevance gate."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.ports import Encoder, Reranker, SearchFilters, SearchOutcome, VectorStore
from core.types import Passage
from retrieval.chunking import sentence_spans
from retrieval.corpus import Document
from retrieval.generation import Generation
from retrieval.index import Index
from retrieval.reranking import RERANKED, reranked
from retrieval.scoring import Mode, Ranking, Scorer
from retrieval.selecting import adaptive_count, first_of_each_study

_POOL = 100
"""Documents that the gate may look at."""
_SPARE = 5
"""Further ones that take the place of reports of the same study."""

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
    document: str
    span: tuple[int, int]
    score: float
    similarity: float
    passage: int


@dataclass(frozen=True)
class Ranked:
    """A document, its score, and the span of its best passage: [start, end) in its text."""

    document: str
    score: float
    span: tuple[int, int]

    def as_json(self) -> dict[str, object]:
        """As the command line prints it."""
        return {"id": self.document, "score": round(self.score, 6), "span": list(self.span)}


class HybridSearch:
    """A `core.ports.Retriever` over one index. Opens the newest generation when it changes."""

    def __init__(
        self,
        index: Index,
        generation: str | None = None,
        reranker: Reranker | None = None,
        vectors: Callable[[Generation], VectorStore] | None = None,
    ) -> None:
        """Search the newest generation, or always the one of that name.

        Args:
            index: the index.
            generation: the name of a generation, current or not.
            reranker: looks again at the best passages.
            vectors: gives the store in which a generation's nearest vectors are searched; default: its own.
        """
        self._vectors = vectors
        self._index = index
        self._fixed = generation
        self._reranker = reranker
        self._lock = threading.Lock()
        self._generation: Generation | None = None
        self._scorer: Scorer | None = None

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """At most `k` passages, one per document, best first; none when nothing passes the gate."""
        filters = filters or SearchFilters()
        with self._lock:
            started = time.perf_counter()
            generation, scorer = self._open()
            searched = f"{generation.manifest.documents} documents in '{self._index.name}'"
            question = scorer.understood(query)
            vector = self._index.encoder.encode([question.for_encoder])
            ranking = scorer.rank(question, vector[0], "hybrid", _POOL, scorer.allowed(filters))
            unknown = _unknown_words(generation.store, query)
            if self._reranker and not _is_foreign(unknown, ranking.cosines):
                ranking = reranked(generation, ranking, query, self._reranker)
            hits = [
                _Hit(ranked.document, ranked.span, ranked.score, float(cosine), int(passage))
                for ranked, cosine, passage in zip(
                    _ranked(generation, scorer, ranking), ranking.cosines, ranking.passages, strict=True
                )
            ]
            kept = self._gate(generation, hits, vector[0], unknown, k)
            best = _document(generation.store, hits[0].document).title if hits and not kept else ""
            return SearchOutcome(
                passages=tuple(kept),
                searched=searched,
                best_rejected=best,
                index=f"{self._index.name}@{generation.digest}",
                timings={"search": time.perf_counter() - started},
            )

    def rank_many(
        self,
        queries: Sequence[str],
        k: int,
        mode: Mode = "hybrid",
        filters: SearchFilters | None = None,
        reranker: Reranker | None = None,
    ) -> list[list[Ranked]]:
        """For each query the `k` best documents, best first, without the gate: for evaluation and batch use.

        A blank query finds nothing.

        Retracted sources are left out, as in `search`, unless the filters include them. A `reranker` (by default the
        search's own, if it has one) looks again at the best of a hybrid ranking.
        """
        reranker = reranker or self._reranker
        with self._lock:
            generation, scorer = self._open()
            allowed = scorer.allowed(filters or SearchFilters())
            asked = [scorer.understood(query) for query in queries]
            encoder = self._index.encoder
            vectors = np.zeros((len(asked), encoder.dimension), np.float32)
            if mode != "bm25":
                vectors = encoder.encode([question.for_encoder for question in asked])
            rankings: list[list[Ranked]] = []
            for question, vector in zip(asked, vectors, strict=True):
                if not question.text.strip():
                    rankings.append([])
                    continue
                ranking = scorer.rank(question, vector, mode, max(k, RERANKED), allowed)
                if reranker and mode == "hybrid":
                    ranking = reranked(generation, ranking, question.text, reranker)
                rankings.append(_ranked(generation, scorer, ranking.first(k)))
            return rankings

    def document(self, document: str) -> Document:
        """A document of the index by its id."""
        with self._lock:
            return _document(self._open()[0].store, document)

    def _open(self) -> tuple[Generation, Scorer]:
        name = self._fixed or self._index.current_name()
        if self._generation is None or self._scorer is None or self._generation.folder.name != name:
            self._generation = self._index.generation(self._fixed) if self._fixed else self._index.current()
            self._scorer = Scorer(self._generation, self._vectors(self._generation) if self._vectors else None)
        return self._generation, self._scorer

    def _gate(
        self, generation: Generation, hits: list[_Hit], vector: NDArray[np.float32], unknown: float, k: int
    ) -> list[Passage]:
        """Keep what is near enough in meaning.

        A word that the corpus does not know blocks the question, unless the rest of it is matched very well.
        """
        best = max((hit.similarity for hit in hits), default=0.0)
        if _is_foreign(unknown, [best]):
            return []
        passages: list[Passage] = []
        likely = hits[: adaptive_count([hit.score for hit in hits], 3 * k + _SPARE)]
        for hit in self._selected(generation, likely):
            document = _document(generation.store, hit.document)
            passage, similarity = _passage(self._index, document, hit.span, hit, vector)
            if max(similarity, hit.similarity) >= max(_MIN_SIMILARITY, 0.6 * best):
                passages.append(passage)
            if len(passages) == k:
                break
        return passages

    def _selected(self, generation: Generation, hits: list[_Hit]) -> list[_Hit]:
        """One hit of each study."""
        documents = [_document(generation.store, hit.document) for hit in hits]
        places = [hit.passage for hit in hits]
        vectors = generation.vectors.get(generation.vectors.ids[places])
        return [hits[place] for place in first_of_each_study(documents, vectors)]


def _ranked(generation: Generation, scorer: Scorer, ranking: Ranking) -> list[Ranked]:
    ids, spans = generation.ids(ranking.documents), scorer.spans(ranking.passages)
    return [Ranked(name, float(score), span) for name, score, span in zip(ids, ranking.scores, spans, strict=True)]


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


def _is_foreign(unknown: float, similarities: Sequence[float] | NDArray[np.float32]) -> bool:
    """Whether the corpus is about something else: a share of unknown words, unless the rest is matched very well."""
    return unknown >= 0.5 or (unknown > 0 and max(similarities, default=0.0) < _SURE_SIMILARITY)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _document(store: sqlite3.Connection, document: str) -> Document:
    found = store.execute("SELECT body FROM documents WHERE id = ?", (document,)).fetchone()
    if found is None:
        raise InputError(f"There is no document {document!r} in the index.")
    return Document.model_validate_json(found[0])


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
        section=_section_at(document, span[0] + sentences[best].start),
        corpus=index.name,
        score=round(hit.score, 6),
        flags=document.flags,
        types=document.types,
        notices=tuple(
            " ".join(part for part in (n.kind, n.reference, f"PMID {n.pmid}" if n.pmid else "") if part)
            for n in document.notices
        ),
    )
    return passage, float(near[best])


def _section_at(document: Document, place: int) -> str | None:
    """The label of the section that a place in the text lies in: a heading, or the page of a PDF."""
    return next((s.label for s in document.sections if s.start <= place < s.end), None)


def _similarities(encoder: Encoder, texts: list[str], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    near: NDArray[np.float32] = encoder.encode(texts) @ vector
    return near
