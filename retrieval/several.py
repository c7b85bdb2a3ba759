"""Search over several indexes as one, for a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import SettingError
from core.ports import Encoder, Retriever, SearchFilters, SearchOutcome
from retrieval.index import Index
from retrieval.search import HybridSearch
from retrieval.starter import open_starter

_STARTER = "starter"


@dataclass(frozen=True)
class SeveralSearch:
    """A `core.ports.Retriever` over named ones. Scores of one encoder mean the same in each index, so they are merged."""

    searches: dict[str, Retriever]

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """At most `k` passages of all indexes (of `filters.corpora` when given), best first, one per document."""
        wanted = filters.corpora if filters else ()
        found = [search.search(query, k, filters) for name, search in self.searches.items() if not wanted or name in wanted]
        passages = sorted((passage for outcome in found for passage in outcome.passages), key=lambda p: -p.score)
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


def open_indexes(home: Path, names: Sequence[str], encoder: Encoder) -> Retriever:
    """The indexes of these names under `home/indexes`; the starter index is made and kept up to date by itself.

    Raises:
        SettingError: there is no index of that name.
    """
    searches: dict[str, Retriever] = {}
    for name in names:
        index = Index(home / "indexes" / name, encoder)
        if name == _STARTER:
            searches[name] = open_starter(home, encoder)
        elif index.exists():
            searches[name] = HybridSearch(index)
        else:
            folders = sorted(path.parent.name for path in (home / "indexes").glob("*/CURRENT"))
            have = ", ".join({*folders, _STARTER})
            raise SettingError(f"There is no index {name!r} (setting 'indexes'). There are: {have}.")
    return next(iter(searches.values())) if len(searches) == 1 else SeveralSearch(searches)
