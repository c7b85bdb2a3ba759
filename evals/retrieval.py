"""`consilium eval retrieval`: BM25, dense, plain rank fusion and the default hybrid on the development collections.

Splits. The constants of `retrieval/scoring.py` were chosen on Medlars and on the first 400 PubMedQA questions: those
rows are marked "development". PubMedQA from question 401 on and all BioASQ questions were not looked at: "test".
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import FileError
from core.ports import Encoder
from core.types import Frozen
from retrieval.corpus import Document
from retrieval.index import Index
from retrieval.search import HybridSearch

_DEPTH = 1000
_RRF_K = 60
"""Cormack, Clarke and Buettcher, SIGIR 2009."""
_TUNED_ON = 400
METRICS = ("nDCG@10", "R@10", "R@100", "MRR")
SYSTEMS = ("bm25", "dense", "rrf", "hybrid")


@dataclass(frozen=True)
class Collection:
    """Questions with the ids of the documents that answer them."""

    name: str
    split: str
    documents: tuple[Document, ...]
    questions: tuple[tuple[str, frozenset[str]], ...]


class Interval(Frozen):
    """A mean with its bootstrap 95 % interval."""

    mean: float
    low: float
    high: float


class Row(Frozen):
    """One collection and one system."""

    collection: str
    split: str
    documents: int
    questions: int
    system: str
    metrics: dict[str, Interval]


class Gain(Frozen):
    """Hybrid over plain rank fusion, relative nDCG@10, paired by question."""

    collection: str
    split: str
    relative: Interval


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or JSON."""
    from retrieval.encoders import MiniLM

    with tempfile.TemporaryDirectory() as scratch:
        work = Path(arguments.work or scratch)
        rows, gains = evaluate(
            Path(arguments.data), work, MiniLM(), arguments.sets, arguments.distractors, arguments.questions
        )
    if arguments.json:
        print(json.dumps({"rows": [r.model_dump() for r in rows], "gains": [g.model_dump() for g in gains]}))
        return 0
    print("| collection (split; documents, questions) | system | " + " | ".join(METRICS) + " |")
    print("|---|---|" + "---|" * len(METRICS))
    for row in rows:
        cells = " | ".join(f"{m.mean:.3f} ({m.low:.3f}-{m.high:.3f})" for m in row.metrics.values())
        print(f"| {row.collection} ({row.split}; {row.documents}, {row.questions}) | {row.system} | {cells} |")
    print()
    for gain in gains:
        r = gain.relative
        print(f"{gain.collection} ({gain.split}): hybrid over rrf {r.mean:+.1%} ({r.low:+.1%} to {r.high:+.1%})")
    return 0


def evaluate(
    data: Path, work: Path, encoder: Encoder, names: Sequence[str], distractors: int, questions: int
) -> tuple[list[Row], list[Gain]]:
    """Index each collection under `work` and score every system on it; nDCG has binary gains."""
    rows, gains = [], []
    for collection in collections(data, names, distractors, questions):
        digest = hashlib.sha256("".join(d.content_hash for d in collection.documents).encode()).hexdigest()[:12]
        index = Index(work / f"{collection.name}-{digest}", encoder)
        index.add(collection.documents)
        runs = _runs(HybridSearch(index), [text for text, _ in collection.questions])
        relevant = [ids for _, ids in collection.questions]
        values = {
            system: np.array([measures(*pair) for pair in zip(runs[system], relevant, strict=True)]) for system in SYSTEMS
        }
        for system in SYSTEMS:
            intervals = {metric: _mean_interval(values[system][:, i]) for i, metric in enumerate(METRICS)}
            rows.append(
                Row(
                    collection=collection.name,
                    split=collection.split,
                    documents=len(collection.documents),
                    questions=len(relevant),
                    system=system,
                    metrics=intervals,
                )
            )
        gain = _gain(values["hybrid"][:, 0], values["rrf"][:, 0])
        gains.append(Gain(collection=collection.name, split=collection.split, relative=gain))
    return rows, gains


def measures(ranking: Sequence[str], relevant: frozenset[str]) -> tuple[float, float, float, float]:
    """nDCG@10, R@10, R@100, reciprocal rank of one ranking."""
    found = np.array([document in relevant for document in ranking[:_DEPTH]], dtype=float)
    discount = 1 / np.log2(np.arange(2, 12))
    gained = float((found[:10] * discount[: len(found[:10])]).sum())
    ideal = float(discount[: min(10, len(relevant))].sum())
    first = np.flatnonzero(found)
    return (
        gained / ideal,
        float(found[:10].sum()) / len(relevant),
        float(found[:100].sum()) / len(relevant),
        1 / (1 + float(first[0])) if len(first) else 0.0,
    )


def rank_fusion(rankings: Sequence[Sequence[str]], k: int = _RRF_K) -> list[str]:
    """Plain reciprocal-rank fusion."""
    score: dict[str, float] = {}
    for ranking in rankings:
        for rank, document in enumerate(ranking, start=1):
            score[document] = score.get(document, 0.0) + 1 / (k + rank)
    return sorted(score, key=lambda document: -score[document])


def collections(data: Path, names: Sequence[str], distractors: int, questions: int) -> Iterator[Collection]:
    """The collections of the folder, in the order of `names`.

    Raises:
        FileError: a file is missing, or there is no collection of that name.
    """
    makers: dict[str, Callable[[Path, int, int], list[Collection]]] = {
        "medlars": _medlars,
        "pubmedqa": _pubmedqa,
        "bioasq": _bioasq,
    }
    for name in names:
        if name not in makers:
            raise FileError(f"There is no collection {name!r}; known: {', '.join(makers)}.")
        try:
            yield from makers[name](data, distractors, questions)
        except OSError as error:
            raise FileError(f"Collection {name!r} cannot be read: {error}.") from error


def _medlars(data: Path, distractors: int, questions: int) -> list[Collection]:
    with gzip.open(data / "medlars.json.gz", "rt", encoding="utf-8") as file:
        held = json.load(file)
    documents = tuple(Document(id=name, text=text) for name, text in held["docs"].items())
    asked = tuple((text, frozenset(held["qrels"][name])) for name, text in held["queries"].items())
    return [Collection("medlars", "development", documents, asked)]


def _pubmedqa(data: Path, distractors: int, questions: int) -> list[Collection]:
    held = _lines(data / "pubmedqa.jsonl")
    documents = tuple(Document(id=row["pmid"], text=_abstract(row["sections"])) for row in held)
    asked = tuple((row["question"], frozenset([row["pmid"]])) for row in held)
    return [
        Collection("pubmedqa", "development", documents, asked[:_TUNED_ON]),
        Collection("pubmedqa", "test", documents, asked[_TUNED_ON:]),
    ]


def _bioasq(data: Path, distractors: int, questions: int) -> list[Collection]:
    pool = {row["id"]: row for row in _lines(data / "pool.jsonl.gz")}
    asked = []
    for row in _lines(data / "bioasq_dev.jsonl.gz")[: questions or None]:
        relevant = frozenset(snippet["pmid"] for snippet in row["snippets"]) & pool.keys()
        if relevant:
            asked.append((row["question"], relevant))
    needed = set().union(*(relevant for _, relevant in asked))
    others = [name for name in pool if name not in needed]
    others.sort(key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    kept = sorted(needed) + others[: distractors if distractors >= 0 else None]
    documents = tuple(Document(id=name, title=pool[name]["title"] or "", text=pool[name]["text"]) for name in kept)
    return [Collection("bioasq", "test", documents, tuple(asked))]


def _abstract(sections: Any) -> str:
    parts = sections.values() if isinstance(sections, dict) else (part[-1] for part in sections)
    return "\n".join(parts)


def _lines(path: Path) -> list[Any]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def _runs(search: HybridSearch, questions: Sequence[str]) -> dict[str, list[list[str]]]:
    runs = {
        mode: [[hit.document for hit in hits] for hits in search.rank_many(questions, _DEPTH, mode)]
        for mode in ("bm25", "dense", "hybrid")
    }
    runs["rrf"] = [rank_fusion(pair) for pair in zip(runs["bm25"], runs["dense"], strict=True)]
    return runs


def _resampled(number: int) -> NDArray[np.int64]:
    return np.random.default_rng(2026).integers(0, number, size=(2000, number))


def _mean_interval(values: NDArray[np.float64]) -> Interval:
    means = values[_resampled(len(values))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(mean=float(values.mean()), low=float(low), high=float(high))


def _gain(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Interval:
    rows = _resampled(len(ours))
    ratios = ours[rows].mean(axis=1) / theirs[rows].mean(axis=1) - 1
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(mean=float(ours.mean() / theirs.mean() - 1), low=float(low), high=float(high))
