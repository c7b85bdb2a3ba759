"""Fakes that obey the contracts of `core/ports.py` and `tools/base.py`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from core.ports import NeighbourOutcome, Picture, SearchFilters, SearchOutcome
from core.types import Passage, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec


class WordEncoder:
    """Bag-of-hashed-words vectors: deterministic, and texts that share words are near."""

    identity = "words/0"
    dimension = 64

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.full((len(texts), self.dimension), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.dimension] += 1
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def passage(text: str, title: str = "A source", score: float = 1.0) -> Passage:
    name = title.lower().replace(" ", "-")
    return Passage(
        passage_id=f"{name}#0",
        document_id=name,
        text=text,
        span=(0, len(text)),
        quote=(0, len(text)),
        title=title,
        corpus="fake",
        score=score,
    )


@dataclass(frozen=True)
class FixedRetriever:
    """Returns the passages that share a word of four letters or more with the query."""

    passages: tuple[Passage, ...] = ()

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        words = {word.strip("?.,").lower() for word in query.split() if len(word) >= 4}
        hits = tuple(p for p in self.passages if words & set(p.text.lower().replace(".", "").split()))
        return SearchOutcome(passages=hits[:k], searched=f"{len(self.passages)} documents in 'fake'")


class ToyParams(BaseModel):
    model_config = ConfigDict(extra="forbid")

    target: str | None = None
    times: int = 1


TOY_CARD = Card("none", "nothing", "not measured", "tests", ("everything",))


@dataclass(frozen=True)
class ToyTool:
    """A tool whose work is a function given by the test."""

    work: Callable[[ToyParams, ToolContext], str] = lambda params, context: "did it"
    name: str = "toy"
    accepts: tuple[Accepts, ...] = ()
    timeout_s: float = 5.0

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(
            name=self.name,
            version="1",
            description="A toy.",
            params=ToyParams,
            examples=("play",),
            card=TOY_CARD,
            accepts=self.accepts,
            timeout_s=self.timeout_s,
        )

    def run(self, params: ToyParams, context: ToolContext) -> ToolResult:
        return ToolResult(summary=self.work(params, context), provenance=ToolProvenance(tool=self.name, version="1"))


def sleep_until_cancelled(params: ToyParams, context: ToolContext) -> str:
    for _ in range(1000):
        context.check()
        time.sleep(0.01)
    return "slept"


class NoImages:
    """An image searcher of an installation without image indexes."""

    def search(self, query: Picture, k: int, box: tuple[float, float, float, float] | None = None) -> NeighbourOutcome:
        return NeighbourOutcome((), "0 pictures")
