"""Planted retractions, expressions of concern and corrections: is one ever cited without its flag?

An index of made-up articles is filled, every article with a finding of its own; half of them are retracted,
under a concern or corrected. Each finding is asked for, with and without retracted sources allowed.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from agent.compose import compose
from core.ports import SearchFilters
from core.types import Passage, ToolProvenance, ToolResult
from retrieval.corpus import Document, Notice
from retrieval.encoders import MiniLM
from retrieval.index import Index
from retrieval.search import HybridSearch
from tools.literature.sources import described, warnings_of
from tools.literature.stance import by_relevance_and_stance

_PROVENANCE = ToolProvenance(tool="search_literature", version="1")
_KINDS = ("", "retracted", "", "concern", "", "corrected")
_DRUGS = ("alendronate", "zoledronate", "denosumab", "teriparatide", "raloxifene", "calcitonin", "strontium",
          "calcium", "vitamin D", "romosozumab")  # fmt: skip
_OUTCOMES = ("hip fracture", "vertebral fracture", "back pain", "bone mineral density", "falls", "kyphosis")


@dataclass(frozen=True)
class Flagged:
    """How many flagged sources were shown, and how many of these without their flag somewhere; retracted ones by default."""

    questions: int
    shown: int
    unflagged: int
    retracted_by_default: int


def measure() -> Flagged:
    """Fill an index in a folder of its own, ask, count."""
    documents = list(_documents())
    with tempfile.TemporaryDirectory() as folder:
        index = Index(Path(folder) / "planted", MiniLM())
        index.create()
        index.add(documents)
        search = HybridSearch(index)
        shown = unflagged = by_default = 0
        for document in documents:
            question = document.title.rstrip(".") + "?"
            for allowed in (False, True):
                found = search.search(question, 5, SearchFilters(include_retracted=allowed))
                passages = by_relevance_and_stance(question, [described(item) for item in found.passages], 5)
                bad = [item for item in passages if item.flags]
                shown += len(bad)
                unflagged += sum(not _told(item, passages) for item in bad)
                by_default += sum("retracted" in item.flags for item in bad if not allowed)
    return Flagged(2 * len(documents), shown, unflagged, by_default)


def _told(item: Passage, passages: tuple[Passage, ...]) -> bool:
    """Whether the answer names the flag wherever it quotes the source, and a warning does too."""
    numbered = [passage.model_copy(update={"id": str(n)}) for n, passage in enumerate(passages, start=1)]
    mine = next(one for one in numbered if one.passage_id == item.passage_id)
    result = ToolResult(summary="", evidence=tuple(numbered), provenance=_PROVENANCE)
    quoted = [line for line in compose([result]).text.split("“") if f"[{mine.id}]" in line]
    warned = any(flag in warning for warning in warnings_of(passages) if item.title in warning for flag in item.flags)
    return warned and all(any(flag in line for flag in item.flags) for line in quoted)


def _documents() -> list[Document]:
    made = []
    for number, (drug, outcome) in enumerate((d, o) for d in _DRUGS for o in _OUTCOMES):
        kind = _KINDS[number % len(_KINDS)]
        made.append(
            Document(
                id=f"planted-{number}",
                title=f"Effect of {drug} on {outcome}.",
                text=f"In {100 + number} patients {drug} changed {outcome} by {10 + number} percent compared with placebo.",
                year=2000 + number % 20,
                venue="Journal of Made-up Trials",
                flags=(kind,) if kind else (),
                notices=(Notice(kind=kind, reference=f"J Made-up Trials. {2005 + number % 18};{number}:1"),) if kind else (),
            )
        )
    return made
