"""`consilium eval retrieval`: BM25, dense, plain rank fusion, the default hybrid and the reranked hybrid.

On the development collections (see `evals/collections.py` for the splits), with bootstrap intervals over questions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.ports import Encoder, Reranker
from core.types import Frozen
from evals.collections import Collection, Part, collections
from retrieval.index import Index
from retrieval.search import HybridSearch

_DEPTH = 1000
_RRF_K = 60
"""Cormack, Clarke and Buettcher, SIGIR 2009."""
METRICS = ("nDCG@10", "R@10", "R@100", "MRR", "hit@1", "hit@10")
SYSTEMS = ("bm25", "dense", "rrf", "hybrid")
RERANKED = "hybrid + rerank"


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
    """One system over another, relative nDCG@10, paired by question."""

    collection: str
    split: str
    system: str
    over: str
    relative: Interval


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or JSON."""
    if arguments.before:
        from evals.retrieval_diff import run as compare

        return compare(arguments)
    from retrieval.encoders import MiniLM
    from retrieval.named import reranker_named

    with tempfile.TemporaryDirectory() as scratch:
        rows, gains = evaluate(
            _of_splits(
                collections(Path(arguments.data), arguments.sets, arguments.distractors, arguments.questions),
                arguments.splits,
            ),
            Path(arguments.work or scratch),
            MiniLM(),
            reranker_named(arguments.reranker),
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
        print(
            f"{gain.collection} ({gain.split}): {gain.system} over {gain.over} {r.mean:+.1%} ({r.low:+.1%} to {r.high:+.1%})"
        )
    return 0


def _of_splits(held: Iterable[Collection], splits: Sequence[str]) -> Iterator[Collection]:
    """The collections with those of their parts; all when none are named."""
    for collection in held:
        yield replace(collection, parts=tuple(p for p in collection.parts if not splits or p.split in splits))


def evaluate(
    held: Iterable[Collection], work: Path, encoder: Encoder, reranker: Reranker | None = None
) -> tuple[list[Row], list[Gain]]:
    """Index each collection under `work` and score every system on it; nDCG has binary gains."""
    rows: list[Row] = []
    gains: list[Gain] = []
    for collection in held:
        digest = hashlib.sha256("".join(d.content_hash for d in collection.documents).encode()).hexdigest()[:12]
        index = Index(work / f"{collection.name}-{digest}", encoder)
        index.add(collection.documents)
        for part in collection.parts:
            values = _values(HybridSearch(index), part, reranker)
            rows += [_row(collection, part, system, value) for system, value in values.items()]
            gains += _gains(collection, part, values)
    return rows, gains


def _values(search: HybridSearch, part: Part, reranker: Reranker | None) -> dict[str, NDArray[np.float64]]:
    """Of each system the metrics of each question, shape (questions, metrics)."""
    asked = [question.text for question in part.questions]
    runs = {
        mode: [[hit.document for hit in hits] for hits in search.rank_many(asked, _DEPTH, mode)]
        for mode in ("bm25", "dense", "hybrid")
    }
    runs["rrf"] = [rank_fusion(pair) for pair in zip(runs["bm25"], runs["dense"], strict=True)]
    names = list(SYSTEMS)
    if reranker:
        rankings = search.rank_many(asked, _DEPTH, "hybrid", reranker=reranker)
        runs[RERANKED] = [[hit.document for hit in hits] for hits in rankings]
        names.append(RERANKED)
    relevant = [question.relevant for question in part.questions]
    return {name: np.array([measures(*pair) for pair in zip(runs[name], relevant, strict=True)]) for name in names}


def _row(collection: Collection, part: Part, system: str, values: NDArray[np.float64]) -> Row:
    return Row(
        collection=collection.name,
        split=part.split,
        documents=len(collection.documents),
        questions=len(values),
        system=system,
        metrics={metric: _mean_interval(values[:, place]) for place, metric in enumerate(METRICS)},
    )


def _gains(collection: Collection, part: Part, values: dict[str, NDArray[np.float64]]) -> list[Gain]:
    pairs = [("hybrid", "rrf")] + ([(RERANKED, "hybrid")] if RERANKED in values else [])
    return [
        Gain(
            collection=collection.name,
            split=part.split,
            system=system,
            over=over,
            relative=_gain(values[system][:, 0], values[over][:, 0]),
        )
        for system, over in pairs
    ]


def measures(ranking: Sequence[str], relevant: frozenset[str]) -> tuple[float, ...]:
    """The metrics of one ranking, in the order of `METRICS`."""
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
        float(found[:1].sum()),
        float(found[:10].any()),
    )


def rank_fusion(rankings: Sequence[Sequence[str]], k: int = _RRF_K) -> list[str]:
    """Plain reciprocal-rank fusion."""
    score: dict[str, float] = {}
    for ranking in rankings:
        for rank, document in enumerate(ranking, start=1):
            score[document] = score.get(document, 0.0) + 1 / (k + rank)
    return sorted(score, key=lambda document: -score[document])


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
