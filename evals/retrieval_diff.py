"""`consilium eval retrieval --before A --after B --queries FILE`: what changed for each question between two indexes.

An index is named, or one of its generations as NAME@000012. With `--relevant` (lines {"id", "relevant": [ids]}) the
change of nDCG@10 is told too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from core.errors import InputError
from core.settings import load_settings
from core.types import Frozen
from evals.development import lines
from retrieval.encoders import MiniLM
from retrieval.index import Index
from retrieval.named import encoder_of
from retrieval.search import HybridSearch

_K = 10


class Difference(Frozen):
    """One question: documents that came into the first ten, that left, and that stand elsewhere (from, to)."""

    id: str
    text: str
    came: tuple[str, ...]
    left: tuple[str, ...]
    moved: dict[str, tuple[int, int]]
    before: float | None = None
    after: float | None = None

    @property
    def same(self) -> bool:
        """Whether nothing changed."""
        return not (self.came or self.left or self.moved)


def run(arguments: argparse.Namespace) -> int:
    """Print the questions whose answers changed, the greatest loss first."""
    if not (arguments.after and arguments.queries):
        raise InputError("--before needs --after NAME and --queries FILE.jsonl beside it.")
    queries = [(str(row["id"]), str(row["text"])) for row in lines(Path(arguments.queries))]
    relevant = {}
    if arguments.relevant:
        relevant = {str(row["id"]): frozenset(row["relevant"]) for row in lines(Path(arguments.relevant))}
    found = differences(_opened(arguments.before), _opened(arguments.after), queries, relevant)
    if arguments.json:
        print(json.dumps([difference.model_dump() for difference in found if not difference.same]))
        return 0
    for difference in found:
        if not difference.same:
            print(_told(difference))
    changed = sum(not difference.same for difference in found)
    print(f"{changed} of {len(found)} questions changed.")
    return 0


def differences(
    before: HybridSearch, after: HybridSearch, queries: list[tuple[str, str]], relevant: dict[str, frozenset[str]]
) -> list[Difference]:
    """One per question, the greatest loss of nDCG@10 first."""
    from evals.retrieval import measures

    texts = [text for _, text in queries]
    runs = [[[hit.document for hit in hits] for hits in search.rank_many(texts, _K)] for search in (before, after)]
    found = []
    for (name, text), old, new in zip(queries, *runs, strict=True):
        places = {document: (old.index(document) + 1, new.index(document) + 1) for document in old if document in new}
        scores = [measures(run, relevant[name])[0] for run in (old, new)] if name in relevant else [None, None]
        found.append(
            Difference(
                id=name,
                text=text,
                came=tuple(document for document in new if document not in old),
                left=tuple(document for document in old if document not in new),
                moved={document: place for document, place in places.items() if place[0] != place[1]},
                before=scores[0],
                after=scores[1],
            )
        )
    return sorted(found, key=lambda one: (one.after or 0.0) - (one.before or 0.0))


def _opened(name: str) -> HybridSearch:
    index, _, generation = name.partition("@")
    folder = load_settings().home / "indexes" / index
    return HybridSearch(Index(folder, encoder_of(folder, MiniLM())), generation or None)


def _told(one: Difference) -> str:
    scores = f"nDCG@10 {one.before:.3f} -> {one.after:.3f}; " if one.before is not None and one.after is not None else ""
    moved = ", ".join(f"{document} {old}->{new}" for document, (old, new) in one.moved.items())
    parts = [f"{word} {', '.join(which)}" for word, which in (("came", one.came), ("left", one.left)) if which]
    return f"{one.id}: {one.text}\n   {scores}{'; '.join([*parts, *(['moved ' + moved] if moved else [])])}"
