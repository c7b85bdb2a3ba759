"""Ranking the documents of a generation for one question: words, meaning, and the two together.

The hybrid score is a convex combination of the cosine of the nearest passage and BM25 as a share of its upper bound
(after Bruch, Gai and Ingber, "An analysis of fusion functions for hybrid retrieval", 2023), which keeps how far apart
two documents are, where reciprocal rank keeps only their order. The question's vector is then moved toward the vectors
of the best passages (Rocchio feedback, as in Li et al., "Pseudo relevance feedback with deep language models and dense
retrievers", 2022) and everything is scored once more, with plain reciprocal-rank fusion as a tie-breaker. A question that
asks for an effect prefers what reports findings (`retrieval.findings`). The constants were chosen on development
questions; see docs/benchmarks.md.

Only candidates are scored in full: the documents of the nearest passages and those that BM25 puts first. Both lists are
far longer than what is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.ports import SearchFilters, VectorStore
from retrieval.abbreviations import spelled_out
from retrieval.arrays import ranges
from retrieval.findings import FORMS, finding_weight
from retrieval.generation import NO_YEAR, Generation
from retrieval.postings import norms
from retrieval.words import word_forms

Mode = Literal["hybrid", "bm25", "dense"]
Floats = NDArray[np.float32]
Places = NDArray[np.int64]

_DENSE_WEIGHT = 0.6
_RELATIVE_WORDS = 0.3
"""What the best document gets for its words beside half its share of the bound. A long question shares few of its words
with any document and a short one most, so the share alone would weigh words by the length of the question."""
_FEEDBACK_PASSAGES = 5
_FEEDBACK_WEIGHT = 0.3
_FEEDBACK_SHARPNESS = 10.0
"""A passage whose score is .1 below the best one's counts 1/e of it in the feedback."""
_CANDIDATES = 1000
"""Candidates of each side, at least."""
_KNOWN_FROM = 3
"""Documents from which on an abbreviation counts as one that the index uses itself."""
_SPELLED_OUT_WEIGHT = 0.5
_SAMPLED = 64
_RRF_K = 60
"""Cormack, Clarke and Buettcher, SIGIR 2009."""
_FEW = 0.05
"""Up to this share of forbidden documents the nearest passages are searched among all and the forbidden left out."""


@dataclass(frozen=True)
class Question:
    """A question, and what its abbreviations stand for as far as the search needs it."""

    text: str
    spelled_out: str = ""

    @property
    def for_encoder(self) -> str:
        """As the encoder reads it."""
        return f"{self.text} ({self.spelled_out})" if self.spelled_out else self.text


@dataclass(frozen=True)
class Ranking:
    """Documents, best first: position, score, position of the best passage and that passage's cosine."""

    documents: Places
    scores: Floats
    passages: Places
    cosines: Floats

    def first(self, k: int) -> Ranking:
        """The first `k` of it."""
        return Ranking(self.documents[:k], self.scores[:k], self.passages[:k], self.cosines[:k])


@dataclass(frozen=True)
class _Candidates:
    """Documents by ascending position; their passages, each with its document's place among them, and its cosine."""

    documents: Places
    passages: Places
    first: Places
    vectors: Floats

    @property
    def ends(self) -> Places:
        """Where each document's passages begin, and at the end where the last ones stop."""
        return np.append(self.first, len(self.passages))

    @property
    def sizes(self) -> Places:
        """How many passages each document has."""
        return np.diff(self.ends)


class Scorer:
    """Rankings over one generation; the nearest passages are searched in `vectors` in place of its own store."""

    def __init__(self, generation: Generation, vectors: VectorStore | None = None) -> None:
        self._generation = generation
        self._vectors: VectorStore = vectors if vectors is not None else generation.vectors
        self._ids = generation.vectors.ids
        self._first = generation.first
        self._documents = np.asarray(generation.documents)
        self._retracted = self._documents[:, 2] == 1
        self._findings_terms = self._numbers(FORMS)
        self._mean_length = float(generation.postings.lengths.sum()) / max(len(generation.passages), 1)

    def understood(self, query: str) -> Question:
        """The question with those abbreviations spelled out that hardly a document of the index uses."""
        return Question(query, spelled_out(query, lambda word: self._frequency(word) >= _KNOWN_FROM))

    def _frequency(self, word: str) -> int:
        """Documents that a word stands in."""
        terms = self._terms(word)
        bounds = self._generation.postings.bounds
        return max((int(bounds[term + 1] - bounds[term]) for term in terms), default=0)

    def rank(self, query: Question, vector: Floats, mode: Mode, k: int, allowed: NDArray[np.bool_] | None = None) -> Ranking:
        """The `k` best documents of those that are `allowed`, shape (documents,); the rest are never returned."""
        terms = self._terms(query.text)
        for term, count in self._terms(query.spelled_out).items():
            terms.setdefault(term, _SPELLED_OUT_WEIGHT * count)
        words = self._generation.postings.score(terms)
        depth = max(2 * k, _CANDIDATES)
        nearest = self._nearest(vector, depth, allowed) if mode != "bm25" else np.zeros(0, dtype=np.int64)
        by_words = self._by_words(words, depth, allowed) if mode != "dense" else np.zeros(0, dtype=np.int64)
        found = self._candidates(np.union1d(nearest, by_words))
        if not len(found.documents):
            none = np.zeros(0, dtype=np.int64)
            return Ranking(none, none.astype(np.float32), none, none.astype(np.float32))
        cosine = found.vectors @ vector
        scores = _document_scores(found, vector, cosine, words[found.documents], mode)
        weight = finding_weight(query.text) if mode == "hybrid" else 0.0
        findings = self._findings(found.passages, weight)
        scores += (np.add.reduceat(findings, found.first) / found.sizes).astype(np.float32)
        order = _top(scores, k)
        return self._with_passages(found, order, scores, cosine, findings, terms, mode)

    def spans(self, passages: Places) -> list[tuple[int, int]]:
        """[start, end) of passages in their documents' texts."""
        return [(int(start), int(end)) for _, start, end in self._generation.passages[passages]]

    def allowed(self, filters: SearchFilters) -> NDArray[np.bool_] | None:
        """Which documents meet the filters exactly, shape (documents,); None when all do.

        Without a year a document meets no limit of years.
        """
        keep = np.ones(len(self._documents), dtype=np.bool_)
        if not filters.include_retracted:
            keep &= ~self._retracted
        years = self._documents[:, 1]
        if filters.year_from is not None:
            keep &= (years != NO_YEAR) & (years >= filters.year_from)
        if filters.year_to is not None:
            keep &= (years != NO_YEAR) & (years <= filters.year_to)
        for kind, labels in (("type", filters.types), ("mesh", filters.mesh), ("language", filters.languages)):
            if labels:
                keep &= np.isin(self._documents[:, 0], self._labelled(kind, labels))
        return None if keep.all() else keep

    def _labelled(self, kind: str, labels: Sequence[str]) -> list[int]:
        """Rows of the documents with any of the labels."""
        ask = "SELECT row FROM labels WHERE kind = ? AND label = ?"
        store = self._generation.store
        return [row for label in labels for (row,) in store.execute(ask, (kind, label.strip().lower()))]

    def _terms(self, query: str) -> dict[int, float]:
        """The question's terms that the index knows, with how often each is said."""
        counted: dict[int, float] = {}
        for number in self._numbers(word_forms(query)):
            counted[number] = counted.get(number, 0.0) + 1.0
        return counted

    def _numbers(self, words: Iterable[str]) -> list[int]:
        """The numbers of those word forms that the index knows."""
        ask = "SELECT number FROM terms WHERE word = ?"
        found = (self._generation.store.execute(ask, (word,)).fetchone() for word in words)
        return [row[0] for row in found if row]

    def _findings(self, passages: Places, weight: float) -> Floats:
        """What the passages get for the words of a finding that they say, shape (passages,)."""
        if not weight:
            return np.zeros(len(passages), dtype=np.float32)
        texts = self._generation.texts
        starts, stops = np.asarray(texts.bounds[passages]), np.asarray(texts.bounds[passages + 1])
        owner = np.repeat(np.arange(len(passages)), stops - starts)
        said = np.isin(texts.terms[ranges(starts, stops)], self._findings_terms)
        return (weight / len(FORMS) * np.bincount(owner[said], minlength=len(passages))).astype(np.float32)

    def _nearest(self, vector: Floats, depth: int, allowed: NDArray[np.bool_] | None) -> Places:
        """Documents of the nearest passages."""
        owners = self._generation.passages[:, 0]
        if allowed is None:
            among = None
        elif 1 - allowed.mean() <= _FEW and len(allowed) > depth:
            among = None
            depth += min(depth, int((~allowed).sum()))
        else:
            among = self._ids[allowed[owners]]
        ids, _ = self._vectors.search(vector, depth, among)
        documents = np.unique(owners[np.searchsorted(self._ids, ids)]).astype(np.int64)
        return documents if allowed is None else documents[allowed[documents]]

    @staticmethod
    def _by_words(words: Floats, depth: int, allowed: NDArray[np.bool_] | None) -> Places:
        scores = words if allowed is None else np.where(allowed, words, -np.inf).astype(np.float32)
        best = _top(scores, depth)
        return best[np.isfinite(scores[best])]

    def _candidates(self, documents: Places) -> _Candidates:
        starts, stops = self._first[documents], self._first[documents + 1]
        passages = ranges(starts, stops)
        first = np.cumsum(stops - starts) - (stops - starts)
        # From the mapped file, wherever the nearest were searched.
        vectors = self._generation.vectors.get(self._ids[passages])
        return _Candidates(documents, passages, first, vectors)

    def _with_passages(
        self,
        found: _Candidates,
        order: Places,
        scores: Floats,
        cosine: Floats,
        findings: Floats,
        terms: dict[int, float],
        mode: Mode,
    ) -> Ranking:
        """The ranking with each document's best passage by the same mixture as the document."""
        sizes = found.sizes[order]
        places = ranges(found.ends[order], found.ends[order + 1])
        near = cosine[places]
        if mode != "dense":
            owners = np.repeat(found.documents[order], sizes)
            words = self._passage_words(found.passages[places], owners, terms)
            near = words if mode == "bm25" else _DENSE_WEIGHT * near + (1 - _DENSE_WEIGHT) * words + findings[places]
        highest = np.maximum.reduceat(near, np.cumsum(sizes) - sizes)
        document = np.repeat(np.arange(len(order)), sizes)
        best = np.flatnonzero(near == highest[document])
        chosen = places[best[np.searchsorted(document[best], np.arange(len(order)))]]
        return Ranking(found.documents[order], scores[order], found.passages[chosen], cosine[chosen])

    def _passage_words(self, passages: Places, documents: Places, terms: dict[int, float]) -> Floats:
        """BM25 of passages, each under its document's title, which stands at the same place in `documents`."""
        generation = self._generation
        number = len(passages)
        lengths = np.zeros(number)
        counts = {term: np.zeros(number) for term in terms}
        for held, rows in ((generation.texts, passages), (generation.titles, documents)):
            starts, stops = np.asarray(held.bounds[rows]), np.asarray(held.bounds[rows + 1])
            cells = ranges(starts, stops)
            owner = np.repeat(np.arange(number), stops - starts)
            there, often = held.terms[cells], held.counts[cells]
            lengths += np.bincount(owner, often, number)
            for term, count in counts.items():
                here = np.flatnonzero(there == term)
                count += np.bincount(owner[here], often[here], number)
        norm = norms(lengths, self._mean_length)
        total = np.zeros(number, dtype=np.float32)
        bound = 0.0
        for term, count in counts.items():
            idf = terms[term] * generation.postings.idf(term)
            bound += idf
            total += (idf * count / (count + norm)).astype(np.float32)
        return total / np.float32(bound) if bound > 0 else total


def _document_scores(found: _Candidates, vector: Floats, cosine: Floats, words: Floats, mode: Mode) -> Floats:
    nearest = np.maximum.reduceat(cosine, found.first)
    if mode == "dense":
        return nearest
    if mode == "bm25":
        return words
    words = _levelled(words)
    scores = _DENSE_WEIGHT * nearest + (1 - _DENSE_WEIGHT) * words
    moved = np.maximum.reduceat(found.vectors @ _feedback(found, vector, scores, cosine), found.first)
    return _DENSE_WEIGHT * moved + (1 - _DENSE_WEIGHT) * words + _reciprocal_ranks(nearest) + _reciprocal_ranks(words)


def _reciprocal_ranks(scores: Floats) -> Floats:
    """1 / (60 + rank): at most .016, so it decides between documents that the rest leaves close together."""
    ranks = np.empty(len(scores), dtype=np.float32)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return (1 / (_RRF_K + ranks)).astype(np.float32)


def _levelled(words: Floats) -> Floats:
    """Half the share of the bound and half the share of the best document's score: order is kept."""
    best = float(words.max(initial=0.0))
    return words if best <= 0 else words * np.float32(0.5 + _RELATIVE_WORDS / best)


def _feedback(found: _Candidates, vector: Floats, scores: Floats, cosine: Floats) -> Floats:
    """The question's vector moved toward the nearest passages of the best documents."""
    top = _top(scores, _FEEDBACK_PASSAGES)
    weights = np.exp((scores[top] - scores[top[0]]) * _FEEDBACK_SHARPNESS)
    ends = found.ends
    nearest = [ends[d] + int(np.argmax(cosine[ends[d] : ends[d + 1]])) for d in top]
    return _unit(vector + _FEEDBACK_WEIGHT * _unit(weights @ found.vectors[nearest]))


def _top(values: Floats, k: int) -> Places:
    """Places of the `k` largest, largest first, ties by place."""
    k = min(k, len(values))
    if k == 0:
        return np.zeros(0, dtype=np.int64)
    sample = values[::_SAMPLED]
    above = 2 * k // _SAMPLED + 1
    if above < len(sample) // 2:
        # What few of a sample reach holds the largest and little else; when it does not, all are looked at.
        likely = np.flatnonzero(values >= np.partition(sample, len(sample) - above)[len(sample) - above])
        if k <= len(likely) < len(values):
            return likely[_top(values[likely], k)]
    least = np.partition(values, len(values) - k)[len(values) - k]
    larger = np.flatnonzero(values > least)
    part = np.sort(np.concatenate([larger, np.flatnonzero(values == least)[: k - len(larger)]]))
    return part[np.argsort(-values[part], kind="stable")]


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
