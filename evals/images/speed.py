"""`consilium eval image-speed`: what the image index costs.

The encoder's rate through our port, pictures of 512 x 512 as they come, beside its network alone on prepared input, in
turns; and search over an index of made-up vectors: time per query without the encoder, and the memory of the process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.ports import Picture
from core.types import Frozen
from evals.streams import quantile, resident_mb
from retrieval.images.encoder import SmallFilmEncoder
from retrieval.images.index import ImageIndex
from retrieval.images.search import ImageSearch

_PICTURES, _BATCH = 256, 64
_ROUNDS = 7
_QUERIES = 200


class Report(Frozen):
    """The figures, each with its bar."""

    through_per_s: float
    bare_per_s: float
    rate_kept: float
    pictures: int
    add_s: float
    search_p50_ms: float
    search_p95_ms: float
    box_p95_ms: float
    index_mb: float
    with_regions_mb: float

    @property
    def holds(self) -> bool:
        """90 % of the bare rate, 20 ms, 500 MB."""
        return self.rate_kept >= 0.9 and self.search_p95_ms < 20 and self.with_regions_mb < 500


class MadeUpEncoder:
    """Random unit vectors: what a search costs does not depend on what they mean."""

    identity = "made-up"
    reads_text = False

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._generator = np.random.default_rng(5)

    def encode(self, pictures: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
        """One vector per picture."""
        rows = self._generator.standard_normal((len(pictures), self.dimension), dtype=np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector per text."""
        return self.encode([np.zeros((1, 1))] * len(texts))


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 1 when a bar is missed."""
    report = measure(arguments.pictures)
    if arguments.json:
        print(report.model_dump_json())
    else:
        print(f"encoder: {report.through_per_s:.0f} pictures/s through the port, {report.bare_per_s:.0f} bare: "
              f"{100 * report.rate_kept:.1f} % kept (bar 90 %)")  # fmt: skip
        print(f"index of {report.pictures} pictures: added in {report.add_s:.0f} s")
        print(f"search: p50 {report.search_p50_ms:.1f} ms, p95 {report.search_p95_ms:.1f} ms (bar 20 ms), "
              f"of a box p95 {report.box_p95_ms:.1f} ms")  # fmt: skip
        print(f"memory: {report.index_mb:.0f} MB open, {report.with_regions_mb:.0f} MB with regions (bar 500 MB)")
        print("holds" if report.holds else "DOES NOT HOLD")
    return 0 if report.holds else 1


def measure(pictures: int) -> Report:
    """Both parts."""
    through, bare = _rates()
    with tempfile.TemporaryDirectory() as scratch:
        found = _searches(Path(scratch) / "made-up", pictures)
    return Report(through_per_s=round(through, 1), bare_per_s=round(bare, 1), rate_kept=round(through / bare, 4),
                  pictures=pictures, **found)  # fmt: skip


def _rates() -> tuple[float, float]:
    """Pictures per second through the port and of the network alone; medians of rounds in turns."""
    import torch

    from retrieval.images.pictures import as_squares

    generator = np.random.default_rng(1)
    films = [generator.integers(0, 4096, (512, 512)).astype(np.uint16) for _ in range(_PICTURES)]
    encoder = SmallFilmEncoder()
    encoder.encode(films)
    network = encoder._loaded()
    squares = torch.from_numpy(as_squares(films))

    def forward() -> None:
        # In the batches of the encoder, which are faster than one of all.
        with torch.inference_mode():
            for start in range(0, _PICTURES, _BATCH):
                network(squares[start : start + _BATCH])

    spent: dict[str, list[float]] = {"through": [], "bare": []}
    for _ in range(_ROUNDS):
        spent["through"].append(_seconds(lambda: encoder.encode(films)))
        spent["bare"].append(_seconds(forward))
    return _PICTURES / statistics.median(spent["through"]), _PICTURES / statistics.median(spent["bare"])


def _searches(folder: Path, count: int) -> dict[str, float]:
    encoder = MadeUpEncoder(SmallFilmEncoder.dimension)
    index = ImageIndex(folder, encoder)
    generator = np.random.default_rng(2)

    def picture(number: int) -> Picture:
        return Picture(key=f"p{number}", pixels=generator.integers(0, 255, (16, 16)).astype(np.uint8), patient=f"m{number}")

    add_s = _seconds(lambda: index.add(picture(number) for number in range(count)))
    before = resident_mb(os.getpid())
    search = ImageSearch(index)
    search.search(picture(count), 5)
    opened = resident_mb(os.getpid()) - before
    plain = [search.search(picture(count + n), 5).timings["search"] for n in range(_QUERIES)]
    box = (0.0, 0.0, 0.5, 0.5)
    search.search(picture(count), 5, box)
    boxed = [search.search(picture(count + n), 5, box).timings["search"] for n in range(_QUERIES // 4)]
    return {
        "add_s": round(add_s, 1),
        "search_p50_ms": round(1000 * quantile(plain, 0.5), 2),
        "search_p95_ms": round(1000 * quantile(plain, 0.95), 2),
        "box_p95_ms": round(1000 * quantile(boxed, 0.95), 2),
        "index_mb": round(opened, 1),
        "with_regions_mb": round(resident_mb(os.getpid()) - before, 1),
    }


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
