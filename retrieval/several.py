"""Search over several indexes as one, for a conversation, routed to those that the question belongs to.

After MMed-RAG's domain identification, but without a classifier that would know only the domains it was trained on: an
index is asked if its own best passage comes near the best of all. MIRAGE shows why: passages from the wrong corpus make
an answer worse than none at all (PubMedQA falls from 36.0 to 25-31 with textbooks).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import SettingError
from core.ports import Encoder, Reranker, Retriever, SearchFilters, SearchOutcome
from core.types import Passage
from retrieval.index import Index
from retrieval.named import encoder_of
from retrieval.search import HybridSearch
from retrieval.starter import open_starter
from retrieval.vectors.mirror import Mirror

_STARTER = "starter"
ROUTE = 0.15
"""Half of what is allowed between passages of one index: a whole index that far behind is about something else."""


@dataclass(frozen=True)
class SeveralSearch:
    """A `core.ports.Retriever` over named ones. Scores of one encoder mean the same in each index, so they are merged."""

    searches: dict[str, Retriever]

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """At most `k` passages of all indexes (of `filters.corpora` when given), best first, one per document."""
        wanted = filters.corpora if filters else ()
        found = [search.search(query, k, filters) for name, search in self.searches.items() if not wanted or name in wanted]
        return merged(found, k)


def merged(found: Sequence[SearchOutcome], k: int) -> SearchOutcome:
    """What several searches found as one: at most `k` passages of those that the question belongs to."""
    passages = routed([list(outcome.passages) for outcome in found])
    timings: dict[str, float] = {}
    for outcome in found:
        for part, seconds in outcome.timings.items():
            timings[part] = timings.get(part, 0.0) + seconds
    return SearchOutcome(
        passages=tuple(passages[:k]),
        searched=" and ".join(outcome.searched for outcome in found) or "no index",
        best_rejected=next((outcome.best_rejected for outcome in found if outcome.best_rejected), ""),
        index=" ".join(outcome.index for outcome in found),
        timings=timings,
    )


def routed(found: Sequence[Sequence[Passage]]) -> list[Passage]:
    """Passages of the indexes that the question belongs to, best first.

    An index whose best passage scores more than `ROUTE` below the best of all is left out.
    """
    best = max((passages[0].score for passages in found if passages), default=0.0)
    kept = [passages for passages in found if passages and best - passages[0].score <= ROUTE]
    return sorted((passage for passages in kept for passage in passages), key=lambda passage: -passage.score)


def open_indexes(
    home: Path,
    names: Sequence[str],
    encoder: Encoder,
    reranker: Reranker | None = None,
    mirror: Mirror | None = None,
) -> Retriever:
    """The indexes of these names under `home/indexes`; the starter index is made and kept up to date by itself.

    The starter's cards are neither reranked (they are no abstracts) nor mirrored.

    Raises:
        SettingError: there is no index of that name.
    """
    searches: dict[str, Retriever] = {}
    for name in names:
        folder = home / "indexes" / name
        index = Index(folder, encoder_of(folder, encoder))
        if name == _STARTER:
            searches[name] = open_starter(home, encoder)
        elif index.exists():
            searches[name] = HybridSearch(index, reranker=reranker, vectors=mirror.of if mirror else None)
        else:
            folders = sorted(path.parent.name for path in (home / "indexes").glob("*/CURRENT"))
            have = ", ".join({*folders, _STARTER})
            raise SettingError(f"There is no index {name!r} (setting 'indexes'). There are: {have}.")
    return next(iter(searches.values())) if len(searches) == 1 else SeveralSearch(searches)
