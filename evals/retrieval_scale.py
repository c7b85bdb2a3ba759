"""`consilium eval scale`: how fast and how large a literature index is at a size nobody would wait for to be encoded.

Texts are drawn from a Zipf vocabulary, vectors from many overlapping topics, so that no encoder is needed; a question is
a text's own words with a vector near it. Searches are timed one at a time in this process, the encoding of the question
by MiniLM with them. The search is compared with brute force over the same vectors, without and with filters. Everything
but the resident memory is measured after a warm-up of ten questions.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.ports import SearchFilters
from core.types import Frozen
from retrieval.build import Prepared
from retrieval.chunking import Span
from retrieval.corpus import Document
from retrieval.encoders import MiniLM
from retrieval.index import Index
from retrieval.search import HybridSearch

_VOCABULARY, _WORDS, _TOPICS = 60_000, 110, 3_000
_PART = 250_000
_WARM_UP = 10
_SHARES = (0.1, 0.01, 0.001)
Floats = NDArray[np.float32]


class Outcome(Frozen):
    """Figures of one size; times in milliseconds, memory in MB.

    `cpu_*` is the processor time that a search takes in all threads: what is left of its wall time when nothing else runs
    on a core.
    """

    passages: int
    build_s: float
    p50: float
    p95: float
    encode_p50: float
    cpu_p50: float
    cpu_p95: float
    recall_at_10: float
    filtered_recall: dict[str, float]
    filtered_p95: dict[str, float]
    resident: float
    on_disk: float


def run(arguments: argparse.Namespace) -> int:
    """Print the figures, or JSON."""
    with tempfile.TemporaryDirectory() as scratch:
        outcome = measure(Path(arguments.work or scratch), arguments.passages, arguments.questions)
    if arguments.json:
        print(outcome.model_dump_json())
        return 0
    print(f"{outcome.passages} passages: built in {outcome.build_s:.0f} s, {outcome.on_disk:.0f} MB on disk")
    print(f"search p50 {outcome.p50:.1f} ms, p95 {outcome.p95:.1f} ms, encoding alone {outcome.encode_p50:.1f} ms")
    print(f"processor time of a search p50 {outcome.cpu_p50:.1f} ms, p95 {outcome.cpu_p95:.1f} ms")
    print(f"R@10 of the vector search against brute force {outcome.recall_at_10:.4f}; resident {outcome.resident:.0f} MB")
    for share, recall in outcome.filtered_recall.items():
        print(f"filter keeping {share}: recall {recall:.4f}, p95 {outcome.filtered_p95[share]:.1f} ms")
    return 0


def measure(work: Path, passages: int, questions: int) -> Outcome:
    """Build the index under `work`, unless it is there, and measure it."""
    index = Index(work / f"scale-{passages}", MiniLM())
    started = time.perf_counter()
    if not index.exists():
        for part in made(passages):
            index.add_prepared(part)
    built = time.perf_counter() - started
    generation = index.current()
    vectors, size = generation.vectors, sum(path.stat().st_size for path in generation.folder.iterdir())
    asked = _questions(generation.vectors.vectors, passages, questions)
    with closing(generation.store):
        found = [vectors.search(vector, 10)[0] for _, vector in asked]
        truth = [_nearest(vectors.vectors, vectors.ids, vector) for _, vector in asked]
        recall = float(np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(found, truth, strict=True)]))
        filtered, times = _filtered(generation.vectors.vectors, vectors.search, asked)
    del generation, vectors
    search, encode, cpu = _timed(index, [text for text, _ in asked])
    return Outcome(
        passages=passages,
        build_s=built,
        p50=float(np.quantile(search, 0.5)),
        p95=float(np.quantile(search, 0.95)),
        encode_p50=float(np.quantile(encode, 0.5)),
        cpu_p50=float(np.quantile(cpu, 0.5)),
        cpu_p95=float(np.quantile(cpu, 0.95)),
        recall_at_10=recall,
        filtered_recall=filtered,
        filtered_p95=times,
        resident=_resident(),
        on_disk=size / 1e6,
    )


def made(passages: int) -> Iterator[list[Prepared]]:
    """Documents of one passage each, in parts; part p of the same total is always the same."""
    for start in range(0, passages, _PART):
        count = min(_PART, passages - start)
        vectors = _vectors(start, count)
        yield [
            Prepared(
                Document(id=f"d{start + row}", title=text[:40], text=text, year=1950 + (start + row) % 70),
                (Span(0, len(text)),),
                vectors[row : row + 1],
            )
            for row, text in enumerate(_texts(start, count))
        ]


def _texts(start: int, count: int) -> list[str]:
    draw = np.random.default_rng([1, start])
    ranks = np.minimum(draw.zipf(1.15, size=(count, _WORDS)), _VOCABULARY)
    return [" ".join(f"w{rank}" for rank in row) for row in ranks.tolist()]


def _vectors(start: int, count: int) -> Floats:
    """Unit vectors about overlapping topics, in a space of falling variance, as sentence encoders make it."""
    spread = (1.0 / np.sqrt(1 + np.arange(MiniLM.dimension) / 24)).astype(np.float32)
    topics = np.random.default_rng(0).standard_normal((_TOPICS, MiniLM.dimension), dtype=np.float32)
    draw = np.random.default_rng([2, start])
    near = topics[draw.integers(0, _TOPICS, count)] + draw.standard_normal((count, MiniLM.dimension), dtype=np.float32)
    near *= spread
    vectors: Floats = near / np.linalg.norm(near, axis=1, keepdims=True)
    return vectors


def _questions(vectors: Floats, passages: int, number: int) -> list[tuple[str, Floats]]:
    """Ten words of a text and a vector at a cosine of about .7 from the text's."""
    draw = np.random.default_rng(3)
    asked = []
    for row in draw.integers(0, passages, number):
        part = int(row) // _PART * _PART
        ranks = np.minimum(np.random.default_rng([4, int(row)]).zipf(1.15, size=10), _VOCABULARY)
        noise = draw.standard_normal(vectors.shape[1], dtype=np.float32)
        vector = vectors[row] + noise / np.linalg.norm(noise)
        asked.append((" ".join(f"w{rank}" for rank in ranks) + f" {part}", vector / np.linalg.norm(vector)))
    return asked


def _nearest(vectors: Floats, ids: NDArray[np.int64], vector: Floats) -> NDArray[np.int64]:
    best: list[tuple[float, int]] = []
    for start in range(0, len(vectors), _PART):
        scores = vectors[start : start + _PART] @ vector
        top = np.argpartition(-scores, min(10, len(scores) - 1))[:10]
        best += [(float(scores[place]), int(ids[start + place])) for place in top]
    return np.array([name for _, name in sorted(best, reverse=True)[:10]], dtype=np.int64)


def _filtered(vectors: Floats, search: object, asked: list[tuple[str, Floats]]) -> tuple[dict[str, float], dict[str, float]]:
    assert callable(search)  # noqa: S101 - a bound method of the store
    recalls, times = {}, {}
    for share in _SHARES:
        draw = np.random.default_rng(int(share * 1e4))
        allowed = np.flatnonzero(draw.random(len(vectors)) < share)
        subset = vectors[allowed]
        right, took = [], []
        for _, vector in asked[:30]:
            started = time.perf_counter()
            found, _ = search(vector, 10, allowed)
            took.append((time.perf_counter() - started) * 1e3)
            truth = allowed[np.argsort(-(subset @ vector), kind="stable")[:10]]
            right.append(len(np.intersect1d(found, truth)) / len(truth) if len(truth) else float(not len(found)))
        recalls[f"{share:.1%}"], times[f"{share:.1%}"] = float(np.mean(right)), float(np.quantile(took, 0.95))
    return recalls, times


def _timed(index: Index, texts: list[str]) -> tuple[list[float], list[float], list[float]]:
    search = HybridSearch(index)
    took, encode, cpu = [], [], []
    for number, text in enumerate(texts):
        started, used = time.perf_counter(), time.process_time()
        search.rank_many([text], 10, filters=SearchFilters())
        done, used = time.perf_counter(), time.process_time() - used
        index.encoder.encode([text])
        if number >= _WARM_UP:
            took.append((done - started) * 1e3)
            encode.append((time.perf_counter() - done) * 1e3)
            cpu.append(used * 1e3)
    return took, encode, cpu


def _resident() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> int:
    """From the command line without `consilium`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=110)
    parser.add_argument("--work")
    parser.add_argument("--json", action="store_true")
    return run(parser.parse_args())


if __name__ == "__main__":
    raise SystemExit(main())
